"""The objects in a field: found in a small copy of it, outlined, and given a kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np

from hemozoin.arrays import Floats, Levels, Pixels
from hemozoin.smear.field import ObjectKind, SmearObject
from hemozoin.smear.segmentation.background import (
    downscaled_density,
    stain_levels,
    subtract_background,
)
from hemozoin.smear.segmentation.cell_size import cell_diameter, isolated_cell_area
from hemozoin.smear.segmentation.foreground import find_foreground
from hemozoin.smear.segmentation.kinds import Surroundings, crowding_of, kind_of
from hemozoin.smear.segmentation.levels import masked_sample
from hemozoin.smear.segmentation.morphology import opened
from hemozoin.smear.segmentation.nuclei import DarkBody, dark_bodies
from hemozoin.smear.segmentation.parameters import DIAMETER, FOREGROUND
from hemozoin.smear.segmentation.regions import Box, components, require_countable, within
from hemozoin.smear.segmentation.shape import trace_outline
from hemozoin.smear.segmentation.splitting.watershed import split_clumps

#: Area in px of a round cell with that diameter.
_AREA = np.pi / 4 * DIAMETER**2

#: Places along each side of a field at which the density of the background is kept; it is smooth.
_PLACES = 16

#: Margin around an object in its box, in diameters of a red cell: the blurred rim is part of it.
_MARGIN = 0.06


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The objects of a field, and measures of the whole field.

    `diameter` is that of a typical red cell in px (0 where no object was found); `coverage` the
    share of the field that objects cover, 0..1; `nuclei` the number of bodies as dark as the
    nucleus of a white cell; `background` `[16, 16, 3]` the optical density of
    the background at places spread over the field; `stain` `[3]` the median density of the
    objects in red, green and blue, relative to the background; `densest` that of the densest spot
    in green, a 28th of a red cell wide.
    """

    objects: tuple[SmearObject, ...] = ()
    diameter: float = 0.0
    coverage: float = 0.0
    nuclei: int = 0
    background: Floats = field(default_factory=lambda: np.zeros((_PLACES, _PLACES, 3)))
    stain: Floats = field(default_factory=lambda: np.zeros(3))
    densest: float = 0.0


@dataclass(frozen=True, eq=False)
class _Copy:
    """The small copy of a field in which objects are found.

    `relative` `[h, w, 3]` are densities relative to the background, `stain` `[h, w]` the levels of
    the stain, `foreground` the mask of all objects; `cell_area` is that of a red cell in px of the
    copy; `scale` is the size of the picture over that of the copy; `size` the picture's (width,
    height).
    """

    relative: Floats
    stain: Levels
    foreground: Levels
    cell_area: float
    scale: float
    size: tuple[int, int]


def segment(pixels: Pixels, diameter: float | None = None) -> Segmentation:
    """Return the objects in a field, uint8 `[H, W, 3]` in RGB, from top to bottom.

    Each has its kind and outline. `diameter` is that of the red cells in px; it is measured where
    it is None. Raises DataError where there are more objects than in any field.
    """
    scale = (cell_diameter(pixels) if diameter is None else diameter) / DIAMETER
    if not scale:
        return Segmentation()
    densities = downscaled_density(pixels, scale)
    relative = subtract_background(densities)
    stain = stain_levels(relative)
    foreground = find_foreground(stain, FOREGROUND.speck)
    if not foreground.any():
        return Segmentation()
    found = components(foreground)
    require_countable(found.areas[1:], _AREA)
    cell_area = isolated_cell_area(found) or _AREA
    size = pixels.shape[1], pixels.shape[0]
    copy = _Copy(relative, stain, foreground, cell_area, scale, size)
    dark = dark_bodies(relative, foreground, cell_area)
    return Segmentation(
        objects=tuple(sorted(_objects(copy, dark), key=lambda found: (found.y, found.x))),
        diameter=float(2 * np.sqrt(cell_area / np.pi) * scale),
        coverage=cv2.countNonZero(foreground) / foreground.size,
        nuclei=len(dark),
        background=_at_places(densities - relative),
        stain=np.median(masked_sample(relative, foreground), axis=0),
        densest=float(relative[..., 1].max()),
    )


def _at_places(background: Floats) -> Floats:
    """Return the background at places spread over the field, `[16, 16, 3]`."""
    return np.asarray(cv2.resize(background, (_PLACES, _PLACES), interpolation=cv2.INTER_AREA))


def _objects(copy: _Copy, dark: list[DarkBody]) -> Iterator[SmearObject]:
    rest = copy.foreground.copy()
    for region in (body.region for body in dark if body.is_white_cell):
        yield _object("white cell", region.mask, region.box, copy)
        within(rest, region.box)[region.mask > 0] = 0
    rest = opened(rest, FOREGROUND.opening)
    if not rest.any():
        return
    crowding = crowding_of(copy.foreground)
    around = Surroundings(copy.relative, copy.foreground, crowding, copy.cell_area)
    for region in split_clumps(rest, copy.relative, copy.stain, copy.cell_area):
        yield _object(kind_of(region, around), region.mask, region.box, copy)


def _object(kind: ObjectKind, mask: Levels, box: Box, copy: _Copy) -> SmearObject:
    left, top, width, height = box
    x, across = _span(left, width, copy.scale, copy.size[0])
    y, down = _span(top, height, copy.scale, copy.size[1])
    return SmearObject(kind, x, y, across, down, trace_outline(mask, box, copy.scale))


def _span(start: int, length: int, scale: float, end: int) -> tuple[int, int]:
    """Return start and length of one side of a box with its margin, in px of the picture."""
    margin = _MARGIN * DIAMETER
    first = max(0, round((start - margin) * scale))
    return first, min(end, round((start + length + margin) * scale)) - first
