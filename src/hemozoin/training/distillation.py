"""Knowledge distillation: a network learns the mean of several networks instead of the labels.

    labels ── teachers, each trained on them
                  │  mean of their logits for an augmented cell, softmax
                  ▼
              targets of the network for the same augmented cell

The mean of several networks makes fewer mistakes than one of them, but takes as many times the
work. A network that learns from the mean makes as few, if its teachers see each cell as it does,
augmented, and if it trains for long (Hinton et al. 2015, arXiv 1503.02531; Beyer et al. 2022,
arXiv 2106.05237). `benchmarks/distillation.py` shows by how much.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils import fuse_conv_bn_eval

from hemozoin.mobilenet.network import MobileNet

#: Channels of a picture, fewer than any layer of a network has.
_PICTURE = 3


class Teachers(nn.Module):
    """Trained networks that a network learns from: their mean, in inference mode.

    They are computed as one network, in half the time: each of its layers has the channels of all
    networks, in groups that don't see each other, and batch norms are folded into the convolutions.
    The networks have the same architecture; they are put into inference mode, and not changed.
    """

    def __init__(self, networks: Sequence[MobileNet]) -> None:
        super().__init__()
        units = zip(*(network.eval().body for network in networks), strict=True)
        self.body = nn.Sequential(*(layer for unit in units for layer in _side_by_side(unit)))
        self.head = _mean([network.head for network in networks])
        self.requires_grad_(False).eval()
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the targets `[N, 2]`, in the order of CLASSES, of inputs `[N, 3, S, S]`.

        The targets are the softmax of the networks' mean logits: 0..1, their sum is 1.
        """
        return torch.softmax(self.head(self.body(inputs).mean(dim=(2, 3))), dim=1)


def _side_by_side(units: Sequence[nn.Module]) -> tuple[nn.Conv2d, nn.Module]:
    """Return the same unit of several networks as one convolution, and its ReLU."""
    folded = [_folded(*unit.children()) for unit in units]
    merged = folded[0]  # a copy, which may be changed
    merged.weight = nn.Parameter(torch.cat([one.weight for one in folded]))
    merged.bias = nn.Parameter(torch.cat([one.bias for one in folded if one.bias is not None]))
    merged.out_channels *= len(units)
    if merged.in_channels > _PICTURE:  # the first layers of all networks see the same picture
        merged.in_channels *= len(units)
        merged.groups *= len(units)
    *_, relu = units[0].children()
    return merged, relu


def _folded(convolution: nn.Module, norm: nn.Module, _relu: nn.Module) -> nn.Conv2d:
    """Return a convolution that does what follows it in batch norm, too."""
    assert isinstance(convolution, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    return fuse_conv_bn_eval(convolution, norm)


def _mean(heads: Sequence[nn.Linear]) -> nn.Linear:
    """Return the layer whose logits, of the features of all networks, are the mean of theirs."""
    merged = nn.Linear(sum(head.in_features for head in heads), heads[0].out_features)
    merged.weight = nn.Parameter(torch.cat([head.weight for head in heads], dim=1) / len(heads))
    merged.bias = nn.Parameter(torch.stack([head.bias for head in heads]).mean(dim=0))
    return merged


def teacher_checkpoint(checkpoint: Path, number: int) -> Path:
    """Return the path of the checkpoint of a teacher, counted from 1, beside the network's own."""
    return checkpoint.with_name(f"teacher{number}_{checkpoint.name}")
