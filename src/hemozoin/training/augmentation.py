"""Data augmentation: random changes of a whole batch of cells.

Cells on a slide have no preferred orientation. Focus and scale vary within a slide; stain, lamp,
lens and the way in which cells are cut out vary between laboratories. None of this changes the
label, so the training cells are varied in all of it, and further than within one data set. This
is what makes the network work on microscopes that it was not trained on (benchmarks/README.md).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from hemozoin.model.transform import BACKGROUND

#: Half widths of uniform distributions: ln of scale, ln of aspect ratio, shift (1 is half a side).
SCALE, ASPECT, SHIFT = 0.15, 0.08, 0.08

#: Half widths of the ln of the stain's strength: common to all channels, and per channel.
STAIN, CHANNEL = 0.9, 0.3

#: Weight of the blurred picture, lowest and highest: below 0 sharpens, 1 is fully blurred.
FOCUS = (-0.4, 1.0)

#: Largest standard deviation of the smooth shading, largest density of the rim (darker or
#: lighter), and how much both differ between the channels. A density of 1 is 0.25 in optical
#: density; chromatin has 1 to 5.
SHADING, RIM, TINT = 0.7, 1.4, 1.0

#: Share of the cells that get a neighbour, and its distance (lowest, highest) in sides of the
#: picture.
NEIGHBOURS, DISTANCE = 0.2, (0.72, 0.92)

#: Shading and rim are smooth: they are computed at 1/4 of the size, which is faster.
_COARSE = 4


def move(pixels: Tensor, size: int, random: Generator) -> Tensor:
    """Rotate, mirror, scale and shift cells: uint8 `[N, S, S, 3]` to float `[N, size, size, 3]`.

    The values stay 0 to 255, 0 outside the cell. A `size` below S is a camera with fewer pixels.
    """
    return _sample(pixels, random_affine(len(pixels), random), size)


def resize(pixels: Tensor, size: int) -> Tensor:
    """Resample cells as `move` does, but leave them where they are: `[N, size, size, 3]`."""
    return pixels if size == pixels.shape[1] else _sample(pixels, torch.eye(2, 3)[None], size)


def _sample(pixels: Tensor, affine: Tensor, size: int) -> Tensor:
    """Return float `[N, size, size, 3]`; `affine` is `[N or 1, 2, 3]`, from output to input."""
    colour = pixels.permute(0, 3, 1, 2).contiguous()
    mask = colour.amax(dim=1, keepdim=True) > 0
    layers = torch.cat([colour.float(), mask.float()], dim=1)
    grid = affine_grid(affine.to(pixels.device), size).expand(len(pixels), -1, -1, -1)
    sampled = F.grid_sample(layers, grid, align_corners=False)
    moved, share = sampled[:, :3], sampled[:, 3:]
    # Divided by the cell's share of the pixel, so that no background is mixed in at the edge.
    return torch.where(share < 0.5, 0, moved / share).permute(0, 2, 3, 1)


def augment(inputs: Tensor, random: Generator) -> Tensor:
    """Return each cell as another slide and microscope might show it: `[N, 3, S, S]`, same shape.

    `inputs` are outputs of the input transform: relative densities, BACKGROUND where there is no
    cell. S is 8 or more.
    """
    red, green, blue = (inputs != BACKGROUND).unbind(dim=1)
    inside = (red | green | blue)[:, None]  # any() takes twice as long
    cell = torch.where(inside, inputs, 0)
    cell = _change_stain(_change_focus(cell, random), random)
    cell = cell + _illumination(inside, random).to(inputs.device)
    return _add_neighbours(torch.where(inside, cell, BACKGROUND), random)


def flip(inputs: Tensor, random: Generator) -> Tensor:
    """Mirror half of the pictures left to right: the paper's "little augmentation"."""
    mirrored = torch.rand(len(inputs), 1, 1, 1, generator=random) < 0.5
    return torch.where(mirrored.to(inputs.device), inputs.flip(3), inputs)


def random_affine(count: int, random: Generator) -> Tensor:
    """Return random affine maps `[count, 2, 3]` from output to input, both in -1..1."""
    angle = torch.rand(count, generator=random) * 2 * math.pi
    scale = torch.exp(_uniform((count,), SCALE, random))
    aspect = torch.exp(_uniform((count,), ASPECT, random))
    side = torch.randint(0, 2, (count,), generator=random) * 2.0 - 1.0
    across = torch.stack([angle.cos() * side, angle.sin() * side], 1) * (scale * aspect)[:, None]
    down = torch.stack([-angle.sin(), angle.cos()], 1) * (scale / aspect)[:, None]
    shift = _uniform((count, 2), SHIFT, random)
    return torch.stack([across, down, shift], dim=2)


def affine_grid(affine: Tensor, size: int) -> Tensor:
    """Return where each pixel of the output is sampled, in -1..1, `[N, size, size, 2]`.

    That is `F.affine_grid` without align_corners, which takes five times as long.
    """
    middles = (torch.arange(size, device=affine.device) + 0.5) * 2 / size - 1
    across, down, shift = affine[:, None, None].unbind(dim=-1)
    return across * middles[:, None] + (down * middles[:, None, None] + shift)


def _change_focus(cell: Tensor, random: Generator) -> Tensor:
    """Blur or sharpen each picture slightly."""
    low, high = FOCUS
    share = low + (high - low) * torch.rand(len(cell), 1, 1, 1, generator=random)
    return torch.lerp(cell, blur(cell), share.to(cell.device))


def blur(cell: Tensor) -> Tensor:
    """Return means over 3 × 3 pixels, 0 beyond the edge, same shape.

    That is `F.avg_pool2d(cell, 3, 1, 1)`, which takes six times as long.
    """
    wide = F.pad(cell, (1, 1, 1, 1))
    rows = wide[..., :-2] + wide[..., 1:-1] + wide[..., 2:]
    return (rows[..., :-2, :] + rows[..., 1:-1, :] + rows[..., 2:, :]) / 9


def _change_stain(cell: Tensor, random: Generator) -> Tensor:
    """Make the stain stronger or weaker: one factor for all densities, and one per channel."""
    count = len(cell)
    factor = _uniform((count, 1, 1, 1), STAIN, random) + _uniform((count, 3, 1, 1), CHANNEL, random)
    return cell * factor.exp().to(cell.device)


def _illumination(inside: Tensor, random: Generator) -> Tensor:
    """Return densities to add, `[N, 3, S, S]`: smooth shading, and a darker or lighter rim.

    They stand for differences in thickness of the cell, lamp and lens.
    """
    count, _, height, width = inside.shape
    coarse = (max(height // _COARSE, 1), max(width // _COARSE, 1))
    noise = torch.randn(count, 1, 3, 3, generator=random)
    smooth = F.interpolate(noise, size=coarse, mode="bicubic", align_corners=False)
    shading = smooth * torch.rand(count, 1, 1, 1, generator=random) * SHADING
    rim = _rim(inside, coarse, random) * _uniform((count, 1, 1, 1), RIM, random)
    added = shading * _tint(count, random) + rim * _tint(count, random)
    return _interpolation(coarse[0], height) @ added @ _interpolation(coarse[1], width).T


def _interpolation(coarse: int, size: int) -> Tensor:
    """Return the matrix `[size, coarse]` that interpolates linearly from coarse to fine pixels.

    On either side of pictures it does what `F.interpolate` does, which takes five times as long.
    """
    points = torch.eye(coarse)[None]
    return F.interpolate(points, size=size, mode="linear", align_corners=False)[0].T


def _rim(inside: Tensor, coarse: tuple[int, int], random: Generator) -> Tensor:
    """Return the strength of the rim at each place, 0..1, `[N, 1, *coarse]`; its width varies."""
    cell = F.adaptive_avg_pool2d(inside.float().cpu(), coarse)
    width = 1 + 2 * int(torch.randint(0, 3, (1,), generator=random))
    near_the_edge = 1 - F.avg_pool2d(cell, width, 1, width // 2)
    falloff = 1 + 2 * torch.rand(len(cell), 1, 1, 1, generator=random)
    return (2 * near_the_edge).clamp(0, 1) ** falloff


def _tint(count: int, random: Generator) -> Tensor:
    """Return a factor for each channel, `[count, 3, 1, 1]`, around 1."""
    return 1 + TINT * torch.randn(count, 3, 1, 1, generator=random)


def _add_neighbours(cells: Tensor, random: Generator) -> Tensor:
    """Add a piece of another cell of the batch to some pictures, on their background only."""
    count = int(len(cells) * NEIGHBOURS)
    near, far = DISTANCE
    direction, distance = torch.rand(2, generator=random).tolist()
    radius = cells.shape[2] * (near + (far - near) * distance)
    down, across = (int(radius * f(2 * math.pi * direction)) for f in (math.sin, math.cos))
    neighbours = _shift(cells[len(cells) - count :], down, across)
    own = cells[:count]
    added = (own == BACKGROUND) & (neighbours != BACKGROUND)
    stained = neighbours + _uniform((count, 1, 1, 1), 0.6, random).to(cells.device)
    return torch.cat([torch.where(added, stained, own), cells[count:]])


def _shift(pictures: Tensor, down: int, across: int) -> Tensor:
    """Shift pictures by whole pixels; background fills the rest."""
    _, _, height, width = pictures.shape
    shifted = torch.full_like(pictures, BACKGROUND)
    rows, from_rows = _overlap(height, down)
    columns, from_columns = _overlap(width, across)
    shifted[:, :, rows, columns] = pictures[:, :, from_rows, from_columns]
    return shifted


def _overlap(size: int, shift: int) -> tuple[slice, slice]:
    """Return the target and the source range of a shift along one axis."""
    return slice(max(shift, 0), size + min(shift, 0)), slice(max(-shift, 0), size - max(shift, 0))


def _uniform(shape: tuple[int, ...], half_width: float, random: Generator) -> Tensor:
    """Return uniform random numbers in -half_width..half_width."""
    return (torch.rand(shape, generator=random) * 2 - 1) * half_width
