"""The whole network as a torch module: pixels in, probabilities out.

pixels uint8 [N, S, S, 3]          from hemozoin.data.preprocess
  │  input transform: optical density relative to the cell's own
inputs [N, 3, S, S]
  │  MobileNet, mean over rotations by 90°
logits [N, 2]
  │  softmax at the fitted temperature
probabilities [N, 2], in the order of CLASSES
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hemozoin.mobilenet.architecture import Architecture
from hemozoin.mobilenet.network import MobileNet
from hemozoin.model.transform import (
    BACKGROUND,
    DENSITIES,
    DENSITY_GAIN,
    PLAIN_CYTOPLASM,
    InputTransform,
)


class RelativeOpticalDensity(nn.Module):
    """Optical density of each pixel relative to the cell's own cytoplasm.

    uint8 or float `[N, S, S, 3]`, 0 outside the cell, to float `[N, 3, S, S]`. Light that passes a
    stain falls off exponentially (Beer-Lambert), so stain adds up in optical density,
    -log((v + 1) / 256) per channel. The mean density of the cell's plain cytoplasm is subtracted:
    a healthy cell becomes flat 0 whatever its stain, lamp or camera, and chromatin has similar
    values everywhere. Outside the cell the result is -1, lighter than any cell, as the background
    is: so the network can distinguish a parasite at the rim from one outside the cell.

    The cytoplasm is a mean in two passes, the second over the pixels that the first finds plain:
    a parasite that fills half the cell would pull a simple mean towards itself, and a median
    does not exist as an ONNX operator.
    """

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the relative density, about -2 (pallor) to 5 (chromatin)."""
        levels = pixels.permute(0, 3, 1, 2).contiguous()
        inside = levels.amax(dim=1, keepdim=True) > 0
        density = _densities(levels)
        cytoplasm = (inside & _is_cytoplasm(density, inside)).float()
        relative = density - _mean(density, cytoplasm)
        return torch.where(inside, relative, BACKGROUND)


def _densities(levels: Tensor) -> Tensor:
    """Return the density of levels 0..255: looked up for whole ones, as in the ONNX graph."""
    if levels.is_floating_point():
        return torch.log((levels + 1) / 256) * -DENSITY_GAIN
    table = torch.from_numpy(DENSITIES).to(levels.device)
    # Other ways to look up take two to four times as long.
    return table.index_select(0, levels.reshape(-1).long()).view_as(levels)


def _is_cytoplasm(density: Tensor, inside: Tensor) -> Tensor:
    """Return which pixels are plain cytoplasm, bool `[N, 1, S, S]`."""
    wide = torch.float32 if density.device.type == "mps" else torch.float64  # MPS has no float64
    total = density.sum(dim=1, keepdim=True)
    mean = _mean(total.to(wide), inside.to(wide))
    low, high = ((mean + limit).float() for limit in PLAIN_CYTOPLASM)
    return (total > low) & (total < high)


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    """Mean over the picture: `[N, C, S, S]` weighted by `[N, 1, S, S]` to `[N, C, 1, 1]`."""
    total = weight.sum(dim=(2, 3), keepdim=True).clamp(min=1)
    return (values * weight).sum(dim=(2, 3), keepdim=True) / total


class PlainRgb(nn.Module):
    """RGB scaled to -1..1, the usual input of MobileNet: uint8 `[N, S, S, 3]` to `[N, 3, S, S]`."""

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the scaled pixels, float."""
        return pixels.permute(0, 3, 1, 2).float() / 127.5 - 1


class Classifier(nn.Module):
    """Input transform, MobileNet and calibrated softmax.

    The features are a mean over `orientations` rotations of the cell by 90° (1 to 4): rotation
    test-time augmentation, since a cell on a slide has no preferred orientation. Training uses
    one orientation at a time; packaging sets the number of the finished network.
    """

    temperature: Tensor

    def __init__(
        self, architecture: Architecture, input_transform: InputTransform, orientations: int = 1
    ) -> None:
        super().__init__()
        self.orientations = orientations
        self.input_transform = (
            RelativeOpticalDensity() if input_transform == "density" else PlainRgb()
        )
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
        inputs = self.input_transform(pixels)
        rotations = [torch.rot90(inputs, k, (2, 3)) for k in range(self.orientations)]
        maps = [self.network.features(_channels_last(rotated)) for rotated in rotations]
        return torch.stack([m.mean(dim=(2, 3)) for m in maps]).mean(dim=0)


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)
