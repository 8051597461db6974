"""The whole network as it travels: pixels in, probabilities out.

pixels uint8 [N, S, S, 3]          what hemozoin.data.preprocess makes of a picture
  │  view: each cell against its own colour
[N, 3, S, S]
  │  MobileNet
logits [N, 2]
  │  softmax at the fitted temperature
probabilities [N, 2], ordered as CLASSES
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hemozoin.mobilenet.architecture import Architecture
from hemozoin.mobilenet.network import MobileNet
from hemozoin.model.transform import DENSITY_GAIN, OUTSIDE, PLAIN_CELL, InputTransform


class RelativeOpticalDensity(nn.Module):
    """Each cell against its own colour.

    uint8 `[N, S, S, 3]`, 0 outside the cell, to float `[N, 3, S, S]`. Light that passes a stain
    falls off exponentially (Beer-Lambert), so stain adds up in optical density,
    -log((v + 1) / 256) per channel. From it the density of the cell's own plain cytoplasm is
    subtracted: a healthy cell becomes flat 0 whatever its stain, lamp or camera, and chromatin
    lights up the same everywhere. Outside the cell the result is -1, lighter than any cell, as
    the bare glass around it is: so the network can tell a parasite at the rim from one outside.

    The plain cytoplasm is a mean in two passes, the second over what the first calls plain: a
    parasite that fills half the cell would pull a simple mean towards itself, and a median
    doesn't fit an ONNX graph.
    """

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the relative density, about -2 (pallor) to 5 (chromatin)."""
        light = pixels.permute(0, 3, 1, 2).float()
        inside = (light.amax(dim=1, keepdim=True) > 0).float()
        density = -torch.log((light + 1) / 256)
        plain = inside * _is_plain(light, inside).float()
        relative = (density - _mean(density, plain)) * DENSITY_GAIN
        return torch.where(inside > 0, relative, OUTSIDE)


def _is_plain(light: Tensor, inside: Tensor) -> Tensor:
    """Tell plain cell from what is lighter or darker, bool `[N, 1, S, S]`, in 64 bits.

    The mean of three logarithms is a third of that of the product, which 24 bits hold exactly.
    """
    wide = torch.float32 if light.device.type == "mps" else torch.float64  # Apple's have no 64
    density = torch.log((light + 1).prod(dim=1, keepdim=True).to(wide)) / -3
    above = density - _mean(density, inside.to(wide))
    low, high = PLAIN_CELL
    return (above > low) & (above < high)


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    """Mean over the picture: `[N, C, S, S]` weighted by `[N, 1, S, S]` to `[N, C, 1, 1]`."""
    total = weight.sum(dim=(2, 3), keepdim=True).clamp(min=1)
    return (values * weight).sum(dim=(2, 3), keepdim=True) / total


class PlainRgb(nn.Module):
    """uint8 `[N, S, S, 3]` to float `[N, 3, S, S]` in -1..1, as MobileNet is usually fed."""

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the scaled pixels."""
        return pixels.permute(0, 3, 1, 2).float() / 127.5 - 1


class Classifier(nn.Module):
    """MobileNet with its view of a cell before it and calibrated probabilities behind it.

    The features are a mean over `orientations` quarter turns of the cell, 1 to 4: a cell on a
    slide has no up or down. Training sees one orientation at a time; the turns come with
    the finished network.
    """

    temperature: Tensor

    def __init__(
        self, architecture: Architecture, view: InputTransform, orientations: int = 1
    ) -> None:
        super().__init__()
        self.orientations = orientations
        self.view = RelativeOpticalDensity() if view == "density" else PlainRgb()
        self.network = MobileNet(architecture)
        self.register_buffer("temperature", torch.ones(()))
        # 15 to 50 % faster on CPUs.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, pixels: Tensor) -> Tensor:
        """Return probabilities `[N, 2]`, in the order of the bundle's class names."""
        return torch.softmax(self.logits(pixels) / self.temperature, dim=1)

    def logits(self, pixels: Tensor) -> Tensor:
        """Return the uncalibrated logits `[N, 2]` of uint8 pixels `[N, S, S, 3]`."""
        logits: Tensor = self.network.head(self.features(pixels))
        return logits

    def features(self, pixels: Tensor) -> Tensor:
        """Return the pooled features `[N, C]` of uint8 pixels `[N, S, S, 3]`."""
        seen = self.view(pixels)
        turns = [torch.rot90(seen, turn, (2, 3)) for turn in range(self.orientations)]
        maps = [self.network.features(_channels_last(turn)) for turn in turns]
        return torch.stack([m.mean(dim=(2, 3)) for m in maps]).mean(dim=0)


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)
