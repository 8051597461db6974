"""The objects in a field: found in a small copy of it, outlined, and given a kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from hemozoin.arrays import Bools, Floats
from hemozoin.smear.field import ObjectKind, SmearObject
from hemozoin.smear.segmentation.background import (
    downscaled_density,
    stain_density,
    subtract_background,
)
from hemozoin.smear.segmentation.cell_size import cell_diameter, isolated_cell_area
from hemozoin.smear.segmentation.countable import SMALL, require_countable
from hemozoin.smear.segmentation.foreground import find_foreground
from hemozoin.smear.segmentation.merge_tree import Region
from hemozoin.smear.segmentation.nuclei import white_cells
from hemozoin.smear.segmentation.shape import Box, measure_shape, touches_border, trace_outline
from hemozoin.smear.segmentation.watershed import split_clumps

#: Diameter of a red cell, in px, in the copy in which objects are found. With 36, 44 and 56 an
#: early version took up to twice the time and found no more (F1 .908, .907, .904 against .910).
_DIAMETER = 28

#: Area in px of a round cell with that diameter.
_AREA = np.pi / 4 * _DIAMETER**2

#: Least separation score of a red cell; a region with less is part of a clump.
_MIN_SEPARATION = 0.05

#: A colour outlier with at least this single-cell score is a red cell whatever it touches.
_MIN_SINGLE = 0.3

#: Margin around an object in its box, in diameters of a red cell: the blurred rim is part of it.
_MARGIN = 0.06


@dataclass(frozen=True)
class Segmentation:
    """The objects of a field, and measures of the whole field.

    `diameter` is that of a typical red cell in px (0 where no object was found); `coverage` the
    share of the field that objects cover, 0..1; `density` the median optical density of the
    objects in green, relative to the background.
    """

    objects: tuple[SmearObject, ...] = ()
    diameter: float = 0.0
    coverage: float = 0.0
    density: float = 0.0


@dataclass(frozen=True)
class _Copy:
    """The small copy of a field in which objects are found.

    `relative` `[h, w, 3]` are densities relative to the background, `stain` `[h, w]` is the stain
    density, `foreground` bool `[h, w]`; `cell_area` is that of a red cell in px of the copy;
    `scale` is the size of the picture over that of the copy; `size` the picture's (width, height).
    """

    relative: Floats
    stain: Floats
    foreground: Bools
    cell_area: float
    scale: float
    size: tuple[int, int]


def segment(picture: Image.Image, diameter: float | None = None) -> Segmentation:
    """Return the objects in a field, RGB, from top to bottom, each with its kind and outline.

    `diameter` is that of the red cells in px; it is measured where it is None. Raises DataError
    where there are more objects than in any field.
    """
    scale = (cell_diameter(picture) if diameter is None else diameter) / _DIAMETER
    if not scale:
        return Segmentation()
    relative = subtract_background(downscaled_density(picture, scale))
    stain = stain_density(relative)
    foreground = find_foreground(stain)
    if not foreground.any():
        return Segmentation()
    labels, _ = ndimage.label(foreground)
    require_countable(np.bincount(labels.ravel())[1:], _AREA)
    cell_area = isolated_cell_area(foreground) or _AREA
    copy = _Copy(relative, stain, foreground, cell_area, scale, picture.size)
    return Segmentation(
        objects=tuple(sorted(_objects(copy), key=lambda found: (found.y, found.x))),
        diameter=float(2 * np.sqrt(cell_area / np.pi) * scale),
        coverage=float(foreground.mean()),
        density=float(np.median(relative[..., 1][foreground])),
    )


def _objects(copy: _Copy) -> Iterator[SmearObject]:
    white = white_cells(copy.relative, copy.foreground, copy.cell_area)
    rest = copy.foreground.copy()
    for region in white:
        yield _object("white cell", region.mask, region.box, copy)
        rest[region.box] &= ~region.mask
    rest = ndimage.binary_opening(rest, iterations=2)
    if not rest.any():
        return
    regions = split_clumps(rest, copy.relative, copy.stain, _DIAMETER, copy.cell_area)
    crowding = ndimage.gaussian_filter(copy.foreground.astype(np.float32), _DIAMETER)
    for region in regions:
        yield _object(_kind(region, copy, crowding), region.mask, region.box, copy)


def _kind(region: Region, copy: _Copy, crowding: Floats) -> ObjectKind:
    if region.mask.sum() < SMALL * copy.cell_area:
        return "platelet" if _is_platelet(region, copy) else "debris"
    if touches_border(region.box, copy.foreground.shape):
        return "cut by the edge"
    separate = _separation(region, copy.foreground, crowding) > _MIN_SEPARATION
    by_color = region.color_outlier and region.single_cell_score > _MIN_SINGLE
    return "red cell" if separate or by_color else "clump"


def _separation(region: Region, foreground: Bools, crowding: Floats) -> float:
    """Return a score of how separate a single cell is, 0..1.

    It is the product of the root of the single-cell score, the share of the outline that is next
    to background, and the share of background within about a diameter (1 - `crowding`). Cells
    that overlap hide each other's contents, and people who mark cells leave them out too.
    """
    touching = _touching_share(region, foreground)
    crowded = float(crowding[region.box][region.mask].mean())
    return float(np.sqrt(region.single_cell_score)) * (1 - touching) * (1 - crowded)


def _touching_share(region: Region, foreground: Bools) -> float:
    """Return the share of a region's outline at which it touches other foreground, 0..1."""
    rows, columns = (slice(max(0, side.start - 1), side.stop + 1) for side in region.box)
    around = foreground[rows, columns]
    top, left = 1 - (region.box[0].start - rows.start), 1 - (region.box[1].start - columns.start)
    mask = np.pad(region.mask, 1)[top : top + around.shape[0], left : left + around.shape[1]]
    ring = ndimage.binary_dilation(mask) & ~mask
    return float(around[ring].mean()) if ring.any() else 0.0


def _is_platelet(region: Region, copy: _Copy) -> bool:
    """Return whether a small object is round and coloured: dirt is grey, and fibres are long."""
    shape = measure_shape(region.mask)
    red, green, blue = copy.relative[region.box][region.mask].mean(axis=0)
    grey = min(red, blue) > 0.8 * green
    return not grey and shape.solidity > 0.8 and shape.elongation < 2.2


def _object(kind: ObjectKind, mask: Bools, box: Box, copy: _Copy) -> SmearObject:
    x, width = _span(box[1], copy.scale, copy.size[0])
    y, height = _span(box[0], copy.scale, copy.size[1])
    return SmearObject(kind, x, y, width, height, trace_outline(mask, box, copy.scale))


def _span(side: slice, scale: float, end: int) -> tuple[int, int]:
    """Return start and length of one side of a box with its margin, in px of the picture."""
    margin = _MARGIN * _DIAMETER
    start = max(0, round((side.start - margin) * scale))
    return start, min(end, round((side.stop + margin) * scale)) - start
