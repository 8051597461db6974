"""Where on the glass something lies: bodies as a mask, and how large their red cells are."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage
from scipy.stats import median_abs_deviation
from skimage.feature import peak_local_max
from skimage.morphology import disk

from hemozoin.arrays import Bools, Floats
from hemozoin.smear.segmentation.background import density, otsu, stain, subtract_background
from hemozoin.smear.segmentation.shape import at_edge, depth_of, measure_shape

#: Longer side, in px, of the copy in which the scale is looked for, and the diameter from which on
#: cells are told from clumps there. Those of 7 px look like 9 to 15, those of 4 like 6 to 13.
_COARSE, _PLAIN = 400, 18

#: A hole is the pale middle of a cell where it has less than this share of the picture and fills
#: its convex hull; a gap among touching cells has horns. A hole of a few px is noise.
_PALLOR, _CONVEX, _NOISE = 1 / 30, 0.87, 6

#: A pale body has at least this share of the stain of most, and so many deviations of the glass;
#: the blur around a dark one is so many px wide, a pale body twice its radius.
_PALE, _NOISY, _BLURRED, _WIDE = 0.3, 5, 2, 3

#: What lies alone is a cell if it is so solid and no longer than this.
_SOLID, _LONG = 0.9, 1.6

#: Diameter of a round cell over the greatest depth in it, after blurring.
_BREADTH = 2.2


def find_foreground(amount: Floats) -> Bools:
    """Return where bodies are, bool `[h, w]`, from the amount of stain; cells' pallor is filled."""
    deep = amount > otsu(amount)
    filled = _fill_pallor(deep | _pale(amount, deep))
    return np.asarray(ndimage.binary_opening(filled, iterations=2))


def _pale(amount: Floats, deep: Bools) -> Bools:
    """Return where pale bodies are, which are nearer to the glass than to the `deep` ones.

    A cell swollen by a parasite can be so among dark ones. What is blurred around a dark cell is
    as pale, but narrow.
    """
    glass = amount[~ndimage.binary_dilation(deep, iterations=4)]
    if not (glass.size and deep.any()):
        return np.zeros_like(deep)
    bare, noise = np.median(glass), median_abs_deviation(glass, scale="normal")
    least = max(bare + _PALE * (np.median(amount[deep]) - bare), bare + _NOISY * noise)
    beside = (amount > least) & ~ndimage.binary_dilation(deep, iterations=_BLURRED)
    wide = ndimage.binary_opening(beside, disk(_WIDE))  # type: ignore[no-untyped-call]
    return np.asarray(ndimage.binary_dilation(wide, iterations=_BLURRED + 1) & (amount > least))


def amount_of(relative: Floats) -> Floats:
    """Return the amount of stain, a little blurred: float `[h, w]`."""
    return np.asarray(ndimage.gaussian_filter(stain(relative), 0.8))


def cell_diameter(picture: Image.Image) -> float:
    """Return the diameter of most red cells in px, 0 where there is nothing to see.

    A coarse copy tells it where cells are large in it. Where they look small, touching ones may
    have been taken for one: then the middle of the picture is looked at, twice as near.
    """
    scale = max(1.0, max(picture.size) / _COARSE)
    found = _diameter_in(picture, scale)
    if scale == 1 or found >= _PLAIN:
        return found * scale
    return cell_diameter(_middle(picture)) or found * scale


def _middle(picture: Image.Image) -> Image.Image:
    x, y = picture.width // 4, picture.height // 4
    return picture.crop((x, y, picture.width - x, picture.height - y))


def _diameter_in(picture: Image.Image, scale: float) -> float:
    """Return the diameter of most red cells in px of a copy made smaller by `scale`.

    Each lone body gives a diameter, and so does each depth in clumps, where cells overlap; the
    median is taken by breadth, so that platelets don't weigh, and lone ones count twice.
    """
    bodies = find_foreground(amount_of(subtract_background(density(picture, scale))))
    lone, rest = _lone(bodies)
    alone = 2 * np.sqrt(np.array(lone) / np.pi)
    depths = _depths(rest)
    found = np.concatenate([alone, _BREADTH * depths])
    return _median(found, np.concatenate([alone, depths])) if len(found) else 0.0


def lone_area(bodies: Bools) -> float | None:
    """Return the median area in px of the cells that lie alone; None where fewer than 5 do."""
    areas, _ = _lone(bodies)
    return _median(np.array(areas), np.array(areas)) if len(areas) >= 5 else None


def _lone(bodies: Bools) -> tuple[list[int], Bools]:
    """Return the areas of the bodies that lie alone and are solid, and the mask of the others."""
    labels, _ = ndimage.label(bodies)
    rest, areas = bodies.copy(), []
    for label, box in enumerate(ndimage.find_objects(labels), 1):
        inside = labels[box] == label
        if inside.sum() < 30 or at_edge(box, bodies.shape):
            continue
        shape = measure_shape(inside)
        if shape.solidity > _SOLID and shape.elongation < _LONG:
            areas.append(shape.area)
            rest[box][inside] = False
    return areas, rest


def _depths(bodies: Bools) -> Floats:
    """Return how deep the bodies are where they are deepest; shallow places are no cells."""
    depth = depth_of(bodies, 1)
    peaks = peak_local_max(depth, min_distance=3, threshold_abs=2, exclude_border=False)  # type: ignore[no-untyped-call]
    found: Floats = depth[tuple(peaks.T)]
    return found[found > 0.3 * found.max()] if len(found) else found


def _median(values: Floats, weights: Floats) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def _fill_pallor(bodies: Bools) -> Bools:
    holes, _ = ndimage.label(~bodies)
    filled = bodies.copy()
    for label, box in enumerate(ndimage.find_objects(holes), 1):
        if at_edge(box, bodies.shape):
            continue
        hole = holes[box] == label
        area = hole.sum()
        if area < _NOISE or (area < _PALLOR * bodies.size and _is_convex(hole)):
            filled[box] |= hole
    return filled


def _is_convex(hole: Bools) -> bool:
    return measure_shape(hole).solidity > _CONVEX
