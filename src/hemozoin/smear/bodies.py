"""The bodies in a field: found at the scale of its red cells, and told apart.

picture ── scale ── glass, stain ── bodies ── touching ones split ── kinds
           lone cells                         split                  size, colour, place
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from hemozoin.smear.field import Body, Kind
from hemozoin.smear.glass import Mask, against_glass, density, otsu, stain
from hemozoin.smear.shape import measure, outline
from hemozoin.smear.split import Region, split

#: Diameter of a red cell, in px, in the copy that all is found in: more would take more time and
#: tell no more.
_DIAMETER = 28

#: Longer side, in px, of the copy in which the scale is looked for.
_COARSE = 400

#: Share of a cell's area from which on a body can be a red cell.
_SMALL = 0.3

#: Space around a cell in its box, in diameters: the rim is blurred, and belongs to the cell.
_MARGIN = 0.06


@dataclass(frozen=True)
class Found:
    """The bodies of a field and the median diameter of its red cells in px (0: none found)."""

    bodies: tuple[Body, ...]
    diameter: float


def find_bodies(picture: Image.Image, diameter: float | None = None) -> Found:
    """Find and tell apart the bodies in a field, RGB; `diameter` of its red cells in px, if known.

    They are in the order of their boxes' tops.
    """
    diameter = diameter or _diameter(picture)
    if not diameter:
        return Found((), 0.0)
    scale = diameter / _DIAMETER
    bodies = _mask(picture, scale, _DIAMETER)
    area = _area_of_lone(bodies, _DIAMETER) or np.pi / 4 * _DIAMETER**2
    regions = split(bodies, _DIAMETER, area)
    found = [_body(region, bodies.shape, picture.size, scale, area) for region in regions]
    return Found(tuple(sorted(found, key=lambda b: (b.y, b.x))), 2 * np.sqrt(area / np.pi) * scale)


def _mask(picture: Image.Image, scale: float, diameter: float) -> Mask:
    size = (max(8, round(picture.width / scale)), max(8, round(picture.height / scale)))
    amount = ndimage.gaussian_filter(stain(against_glass(density(picture, size))), 0.8)
    filled = _fill_pallor(amount > otsu(amount), diameter)
    return np.asarray(ndimage.binary_opening(filled, iterations=2))


def _diameter(picture: Image.Image) -> float:
    """Return the diameter of the red cells in px, 0 where there is none to see."""
    scale = max(1.0, max(picture.size) / _COARSE)
    bodies = _mask(picture, scale, 25)
    area = _area_of_lone(bodies, None)
    return float(2 * np.sqrt(area / np.pi) * scale)


def _area_of_lone(bodies: Mask, diameter: float | None) -> float:
    """Return the median area, by area, of what lies alone and is round; 0 where nothing does."""
    labels, _ = ndimage.label(bodies)
    areas = []
    for label, box in enumerate(ndimage.find_objects(labels), 1):
        inside = labels[box] == label
        if inside.sum() < 30 or _at_edge(box, bodies.shape):
            continue
        shape = measure(inside)
        if shape.solidity > 0.9 and shape.elongation < 1.6:
            areas.append(shape.area)
    ranked = np.sort(areas)
    total = np.cumsum(ranked)
    return float(ranked[np.searchsorted(total, total[-1] / 2)]) if areas else 0.0


def _fill_pallor(bodies: Mask, diameter: float) -> Mask:
    """Fill the holes that are the pale middle of a cell, and not glass among touching cells."""
    holes, _ = ndimage.label(~bodies)
    filled = bodies.copy()
    cell = np.pi / 4 * diameter**2
    for label, box in enumerate(ndimage.find_objects(holes), 1):
        hole = holes[box] == label
        if max(hole.shape) > diameter or _at_edge(box, bodies.shape):
            continue
        area = hole.sum()
        if area < 0.02 * cell or (area < 0.4 * cell and measure(hole).solidity > 0.87):
            filled[box] |= hole
    return filled


def _at_edge(box: tuple[slice, slice], shape: tuple[int, ...]) -> bool:
    return any(side.start == 0 or side.stop == end for side, end in zip(box, shape, strict=True))


def _body(
    region: Region, shape: tuple[int, ...], size: tuple[int, int], scale: float, area: float
) -> Body:
    x, width = _span(region.box[1], scale, size[0])
    y, height = _span(region.box[0], scale, size[1])
    points = outline(region.inside, region.box, scale)
    return Body(_kind(region, shape, area), x, y, width, height, points)


def _span(side: slice, scale: float, end: int) -> tuple[int, int]:
    """Return where a box with its margin begins, and its length, in px of the picture."""
    margin = _MARGIN * _DIAMETER
    first = max(0, round((side.start - margin) * scale))
    return first, min(end, round((side.stop + margin) * scale)) - first


def _kind(region: Region, shape: tuple[int, ...], area: float) -> Kind:
    if _at_edge(region.box, shape):
        return "cut by the edge"
    return "debris" if region.inside.sum() < _SMALL * area else "red cell"
