"""New cells from old ones, a whole batch at a time.

A cell on a slide has no up or down and is never quite in focus or in scale; the next laboratory
has another stain, another lamp, a lens with another rim of light, and cuts its cells out in
another way. What a label doesn't depend on, the network is shown in every way, and further than
one data set goes: that is what carries it over to a microscope that it never saw
(benchmarks/README.md has the figures).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from hemozoin.model.transform import OUTSIDE

#: Half widths: ln of scale, ln of aspect, shift in halves of the picture.
SCALE, ASPECT, SHIFT = 0.15, 0.08, 0.08

#: Half widths of the ln of stain: of all three channels, and of each by itself.
STAIN, CHANNEL = 0.9, 0.3

#: Share of the blurred picture that is mixed in, from sharpened to soft.
FOCUS = (-0.4, 1.0)

#: Densities of smooth shading (one standard deviation, at most) and of the rim (at most, either
#: way), and how much either differs between the channels. A density of 1 is 0.25 in optical
#: density; chromatin has 1 to 5.
SHADING, RIM, TINT = 0.7, 1.4, 1.0

#: Share of the cells that get a neighbour, and its distance in sides of the picture.
NEIGHBOURS, DISTANCE = 0.2, (0.72, 0.92)

#: Shading and rim are smooth, so they are made this many times smaller, and quicker.
_COARSE = 4


def augment(seen: Tensor, random: Generator) -> Tensor:
    """Show each cell on another slide, under another microscope: `[N, 3, S, S]` to the same.

    `seen` is what the network sees: relative densities, OUTSIDE where there is no cell. S is
    8 or more.
    """
    cell, inside = _move(seen, random)
    cell = _restain(_refocus(cell, random), random)
    cell = cell + _light(inside, random).to(seen.device)
    return _add_neighbours(torch.where(inside, cell, OUTSIDE), random)


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


def _move(seen: Tensor, random: Generator) -> tuple[Tensor, Tensor]:
    """Turn, flip, scale and shift; return the densities and where the cell is, `[N, 1, S, S]`."""
    mask = (seen != OUTSIDE).any(dim=1, keepdim=True).to(seen.dtype)
    layers = torch.cat([seen * mask, mask], dim=1)
    affine = random_affine(len(seen), random).to(seen.device)
    grid = F.affine_grid(affine, list(layers.shape), align_corners=False)
    sampled = F.grid_sample(layers, grid, align_corners=False)
    moved, share = sampled[:, :3], sampled[:, 3:]
    # On the rim only the cell's own share of a pixel counts: no glass is mixed in.
    return moved / share.clamp(min=0.5), share >= 0.5


def _refocus(cell: Tensor, random: Generator) -> Tensor:
    """Blur each picture a little, or sharpen it."""
    low, high = FOCUS
    share = low + (high - low) * torch.rand(len(cell), 1, 1, 1, generator=random)
    return torch.lerp(cell, F.avg_pool2d(cell, 3, 1, 1), share.to(cell.device))


def _restain(cell: Tensor, random: Generator) -> Tensor:
    """Make the stain stronger or weaker: a factor on all densities, and one on each channel."""
    count = len(cell)
    factor = _spread((count, 1, 1, 1), STAIN, random) + _spread((count, 3, 1, 1), CHANNEL, random)
    return cell * factor.exp().to(cell.device)


def _light(inside: Tensor, random: Generator) -> Tensor:
    """Return what another thickness, lamp and lens add: shading, and a darker or lighter rim."""
    count, _, height, width = inside.shape
    coarse = (max(height // _COARSE, 1), max(width // _COARSE, 1))
    blobs = torch.randn(count, 1, 3, 3, generator=random)
    smooth = F.interpolate(blobs, size=coarse, mode="bicubic", align_corners=False)
    shading = smooth * torch.rand(count, 1, 1, 1, generator=random) * SHADING
    rim = _rim(inside, coarse, random) * _spread((count, 1, 1, 1), RIM, random)
    light = shading * _tint(count, random) + rim * _tint(count, random)
    return F.interpolate(light, size=(height, width), mode="bilinear", align_corners=False)


def _rim(inside: Tensor, coarse: tuple[int, int], random: Generator) -> Tensor:
    """Return how much of the rim each place has, 0..1, `[N, 1, *coarse]`: broad, or narrow."""
    cell = F.adaptive_avg_pool2d(inside.float().cpu(), coarse)
    width = 1 + 2 * int(torch.randint(0, 3, (1,), generator=random))
    near_the_edge = 1 - F.avg_pool2d(cell, width, 1, width // 2)
    falloff = 1 + 2 * torch.rand(len(cell), 1, 1, 1, generator=random)
    return (2 * near_the_edge).clamp(0, 1) ** falloff


def _tint(count: int, random: Generator) -> Tensor:
    """Return a factor for each channel, `[count, 3, 1, 1]`, around 1."""
    return 1 + TINT * torch.randn(count, 3, 1, 1, generator=random)


def _add_neighbours(cells: Tensor, random: Generator) -> Tensor:
    """Let a piece of another cell of the batch touch some of the cells, where these are not."""
    count = int(len(cells) * NEIGHBOURS)
    near, far = DISTANCE
    turn, distance = torch.rand(2, generator=random).tolist()
    radius = cells.shape[2] * (near + (far - near) * distance)
    down, across = (int(radius * f(2 * math.pi * turn)) for f in (math.sin, math.cos))
    others = _shift(cells[len(cells) - count :], down, across)
    mine = cells[:count]
    touching = (mine == OUTSIDE) & (others != OUTSIDE)
    stained = others + _spread((count, 1, 1, 1), 0.6, random).to(cells.device)
    return torch.cat([torch.where(touching, stained, mine), cells[count:]])


def _shift(pictures: Tensor, down: int, across: int) -> Tensor:
    """Shift pictures by whole pixels; glass comes in."""
    _, _, height, width = pictures.shape
    shifted = torch.full_like(pictures, OUTSIDE)
    rows, from_rows = _overlap(height, down)
    columns, from_columns = _overlap(width, across)
    shifted[:, :, rows, columns] = pictures[:, :, from_rows, from_columns]
    return shifted


def _overlap(size: int, shift: int) -> tuple[slice, slice]:
    """Return the places that a shift fills, and those that it fills them from."""
    return slice(max(shift, 0), size + min(shift, 0)), slice(max(-shift, 0), size - max(shift, 0))


def _spread(shape: tuple[int, ...], half: float, random: Generator) -> Tensor:
    """Return uniform numbers in -half..half."""
    return (torch.rand(shape, generator=random) * 2 - 1) * half
