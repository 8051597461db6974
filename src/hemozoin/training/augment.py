"""New cells from old ones, a whole batch at a time.

A cell on a slide has no up or down and is never quite in focus, in scale or in the stain of
the next laboratory; what a label doesn't depend on, the network is shown in every way.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from hemozoin.model.classifier import OUTSIDE

#: Half widths: ln of scale, ln of aspect, shift in halves of the picture, ln of stain.
SCALE, ASPECT, SHIFT, STAIN = 0.15, 0.08, 0.08, 0.2


def augment(seen: Tensor, random: Generator) -> Tensor:
    """Turn, flip, scale, shift and restain each picture: `[N, 3, S, S]` to the same shape.

    `seen` is what the network sees. A factor on the densities is a stronger or weaker stain,
    each channel a little by itself; what comes in from beyond the edge is outside the cell.
    """
    turned = _sample(seen, random_affine(len(seen), random))
    common = _spread((len(seen), 1, 1, 1), STAIN, random)
    channel = _spread((len(seen), 3, 1, 1), STAIN / 2, random)
    return turned * torch.exp(common + channel).to(seen.device)


def flip(seen: Tensor, random: Generator) -> Tensor:
    """Mirror half of the pictures left to right: the paper's "little augmentation"."""
    mirrored = torch.rand(len(seen), 1, 1, 1, generator=random) < 0.5
    return torch.where(mirrored.to(seen.device), seen.flip(3), seen)


def random_affine(count: int, random: Generator) -> Tensor:
    """Return random affine maps `[count, 2, 3]` from output to input, both in -1..1."""
    angle = torch.rand(count, generator=random) * 2 * math.pi
    scale = torch.exp(_spread((count,), SCALE, random))
    aspect = torch.exp(_spread((count,), ASPECT, random))
    side = torch.randint(0, 2, (count,), generator=random) * 2.0 - 1.0
    across = torch.stack([angle.cos() * side, angle.sin() * side], 1) * (scale * aspect)[:, None]
    down = torch.stack([-angle.sin(), angle.cos()], 1) * (scale / aspect)[:, None]
    shift = _spread((count, 2), SHIFT, random)
    return torch.stack([across, down, shift], dim=2)


def _sample(pictures: Tensor, affine: Tensor) -> Tensor:
    grid = F.affine_grid(affine.to(pictures.device), list(pictures.shape), align_corners=False)
    # grid_sample knows no border but 0, and beyond the picture's edge there is no cell.
    return F.grid_sample(pictures - OUTSIDE, grid, align_corners=False) + OUTSIDE


def _spread(shape: tuple[int, ...], half: float, random: Generator) -> Tensor:
    """Return uniform numbers in -half..half."""
    return (torch.rand(shape, generator=random) * 2 - 1) * half
