"""The bodies in a field: found at the scale of its red cells, and told apart.

picture ── scale ── against the glass ── bodies ── white cells ── touching ones split ── kinds
           mask     glass                mask      nuclei         split, tree, tint
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from hemozoin.arrays import Bools, Floats
from hemozoin.smear.field import ObjectKind, SmearObject
from hemozoin.smear.segmentation.background import density, subtract_background
from hemozoin.smear.segmentation.foreground import (
    amount_of,
    cell_diameter,
    find_foreground,
    lone_area,
)
from hemozoin.smear.segmentation.merge_tree import Region
from hemozoin.smear.segmentation.nuclei import white_cells
from hemozoin.smear.segmentation.shape import Box, at_edge, measure_shape, trace_outline
from hemozoin.smear.segmentation.watershed import split

#: Diameter of a red cell, in px, in the copy that all is found in. With 36, 44 and 56 an early
#: version took up to twice the time and found no more (F1 .908, .907, .904 against .910).
_DIAMETER = 28

#: Share of a cell's area from which on a body can be a red cell.
_SMALL = 0.3

#: Least clarity of a red cell: one less clear lies in a clump.
_CLEAR = 0.05

#: Least likeness to one cell of what is told from its neighbours by colour.
_ONE = 0.3

#: Space around a cell in its box, in diameters: the rim is blurred, and belongs to the cell.
_MARGIN = 0.06


@dataclass(frozen=True)
class Segmentation:
    """The bodies of a field, and what they are like.

    `diameter` is that of most red cells in px (0: none found), `cover` the share of the field
    that bodies cover, 0..1, `density` their median optical density in green against the glass.
    """

    bodies: tuple[SmearObject, ...] = ()
    diameter: float = 0.0
    cover: float = 0.0
    density: float = 0.0


@dataclass(frozen=True)
class _Plane:
    """The small copy of a field in which bodies are found.

    `relative` `[h, w, 3]` are densities against the glass, `taken` bool `[h, w]` where bodies
    are, `cell` the area of a red cell in px, `scale` what makes the copy as large as the `size`
    (width, height) of the picture.
    """

    relative: Floats
    taken: Bools
    cell: float
    scale: float
    size: tuple[int, int]


def segment(picture: Image.Image, diameter: float | None = None) -> Segmentation:
    """Find and tell apart the bodies in a field, RGB; `diameter` of its red cells in px, if known.

    They come from top to bottom.
    """
    scale = (cell_diameter(picture) if diameter is None else diameter) / _DIAMETER
    if not scale:
        return Segmentation()
    relative = subtract_background(density(picture, scale))
    amount = amount_of(relative)
    taken = find_foreground(amount)
    if not taken.any():
        return Segmentation()
    cell = lone_area(taken) or np.pi / 4 * _DIAMETER**2
    plane = _Plane(relative, taken, cell, scale, picture.size)
    bodies = sorted(_bodies(plane, amount), key=lambda body: (body.y, body.x))
    return Segmentation(
        bodies=tuple(bodies),
        diameter=float(2 * np.sqrt(cell / np.pi) * scale),
        cover=float(taken.mean()),
        density=float(np.median(relative[..., 1][taken])),
    )


def _bodies(plane: _Plane, amount: Floats) -> Iterator[SmearObject]:
    white = white_cells(plane.relative, plane.taken, plane.cell)
    for region in white:
        yield _body("white cell", region.inside, region.box, plane)
    left = plane.taken.copy()
    for region in white:
        left[region.box] &= ~region.inside
    left = ndimage.binary_opening(left, iterations=2)
    if not left.any():
        return
    regions = split(left, plane.relative, amount, _DIAMETER, plane.cell)
    crowding = ndimage.gaussian_filter(plane.taken.astype(np.float32), _DIAMETER)
    for region in regions:
        yield _body(_kind(region, plane, crowding), region.inside, region.box, plane)


def _kind(region: Region, plane: _Plane, crowding: Floats) -> ObjectKind:
    area = region.inside.sum()
    if area < _SMALL * plane.cell:
        return "platelet" if _is_platelet(region, plane) else "debris"
    if at_edge(region.box, plane.taken.shape):
        return "cut by the edge"
    clear = _clarity(region, plane.taken, crowding) > _CLEAR
    return "red cell" if clear or _stands_out(region) else "clump"


def _stands_out(region: Region) -> bool:
    """Tell whether a region is one cell by its colour, whatever lies against it."""
    return region.odd and region.single_cell_score > _ONE


def _clarity(region: Region, taken: Bools, crowding: Floats) -> float:
    """Return how clearly a region is one cell, 0..1.

    By its form, by the share of its outline that lies against glass, and by the glass around it
    within about a diameter. Where cells lie on one another they hide what is in them, and people
    who mark cells in such pictures leave them out too.
    """
    against = _touching(region, taken)
    around = float(crowding[region.box][region.inside].mean())
    return float(np.sqrt(region.single_cell_score)) * (1 - against) * (1 - around)


def _touching(region: Region, taken: Bools) -> float:
    """Return the share of a region's outline behind which something else lies, 0..1."""
    rows, columns = (slice(max(0, side.start - 1), side.stop + 1) for side in region.box)
    wide = np.pad(region.inside, 1)
    top, left = 1 - (region.box[0].start - rows.start), 1 - (region.box[1].start - columns.start)
    around = taken[rows, columns]
    wide = wide[top : top + around.shape[0], left : left + around.shape[1]]
    ring = ndimage.binary_dilation(wide) & ~wide
    return float(around[ring].mean()) if ring.any() else 0.0


def _is_platelet(region: Region, plane: _Plane) -> bool:
    """Tell a small body, round and stained, from ink and dirt, which are grey, and from threads."""
    shape = measure_shape(region.inside)
    red, green, blue = plane.relative[region.box][region.inside].mean(axis=0)
    grey = min(red, blue) > 0.8 * green
    return not grey and shape.solidity > 0.8 and shape.elongation < 2.2


def _body(kind: ObjectKind, inside: Bools, box: Box, plane: _Plane) -> SmearObject:
    x, width = _span(box[1], plane.scale, plane.size[0])
    y, height = _span(box[0], plane.scale, plane.size[1])
    return SmearObject(kind, x, y, width, height, trace_outline(inside, box, plane.scale))


def _span(side: slice, scale: float, end: int) -> tuple[int, int]:
    """Return where a box with its margin begins, and its length, in px of the picture."""
    margin = _MARGIN * _DIAMETER
    first = max(0, round((side.start - margin) * scale))
    return first, min(end, round((side.stop + margin) * scale)) - first
