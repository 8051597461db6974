"""Find the cell in the middle of a picture that also shows the background around it.

NLM's cells are on black. A crop from a microscope's field also shows background, neighbouring
cells and dirt.

    picture ── optical density ── Otsu's threshold ── holes filled ── touching neighbours cut off

All of this is done in a copy of 96 x 96 pixels: that is enough for an outline, and the time does
not depend on the camera.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image

from hemozoin.arrays import Array, Bools, Floats, Pixels
from hemozoin.optics import MAX_STAIN, StainChange, optical_density

#: Side of the copy in which the outline is found, in px.
_SIDE = 96

#: The core of a cell is where the distance to its edge is more than this share of the largest such
#: distance. Cells that touch at a neck narrower than that have a core each.
_CORE = 0.55

#: Optical density by level. A pixel with `_INK` or more is ink or black outside the field, not
#: stain; it is set to the density of the background.
_DENSITY, _INK = optical_density(np.arange(256)), 2.0

#: Standard deviation of the blur, in px of the copy; and the side of its kernel.
_BLUR, _KERNEL = 1.0, (9, 9)

#: Least edge distance inside a cell (half its width), in sides of the picture: in a crop, and in
#: a picture whose shorter side has at least `_LARGE` px, more than a camera has for a single cell.
#: A picture with only smaller objects shows a whole field.
_SMALLEST, _SMALLEST_IN_LARGE, _LARGE = 0.15, 0.3, 450

#: Least share of black at the border of a picture in which the cell has been cut out already: it is
#: 0.60 or more in 4,000 of NLM's cells, and 0.28 or less in 2,798 crops from fields (at most 0.02
#: in 99 % of them).
_CUT_OUT = 0.45

#: Quantile of the levels around a cell that is the background: neighbours are darker.
_BRIGHTEST = 0.75

#: This many pixels of a picture give the same quantiles as all of them.
_ENOUGH = 2_000


def brightest(pixels: Pixels) -> Pixels:
    """Return the maximum of red, green and blue of `[H, W, 3 or more]`, as `[H, W]`."""
    # `max(axis=2)` takes thirty times as long, and numpy's maximum of strided channels three times.
    red, green, blue, *_ = cv2.split(pixels)
    return np.asarray(cv2.max(cv2.max(red, green), blue), np.uint8)


def interior(cell: Pixels, rim: Pixels) -> Bools:
    """Return which pixels of a cell on black `[H, W, 3]` are off its rim, `[H, W]`.

    `rim` is the structuring element of the erosion, 0 or 1; beyond the picture nothing is inside.
    """
    mask, edge = (brightest(cell) > 0).view(np.uint8), cv2.BORDER_CONSTANT
    return np.asarray(cv2.erode(mask, rim, borderType=edge, borderValue=0)) > 0


def is_cut_out(inside: Bools) -> bool:
    """Return whether a picture shows a cell on black; `inside` `[H, W]` is False in the black."""
    return has_black_border((inside[0], inside[-1], inside[:, 0], inside[:, -1]))


def has_black_border(sides: Sequence[Bools]) -> bool:
    """Do the same as `is_cut_out` for the outermost rows and columns of a picture."""
    return 1 - sum(map(np.count_nonzero, sides)) / sum(side.size for side in sides) > _CUT_OUT


def dark_level(levels: Pixels, share: float) -> int:
    """Return `share` of the mean of the levels `[H, W]` that are not 0, rounded down."""
    count, total = cv2.countNonZero(levels), cv2.sumElems(levels)[0]  # exact up to 2^53
    return math.floor(total * share / max(count, 1))


def without_dark_rim(levels: Pixels, bright: Bools) -> Bools:
    """Return the pixels that are bright, or have bright ones on all four sides: bool `[H, W]`.

    `levels` are 0 outside of the cell and of its rim; the rest that is not bright is dark.
    """
    if np.count_nonzero(bright) == cv2.countNonZero(levels):  # as in most pictures
        return bright
    return (levels > 0) & _between(bright, 0) & _between(bright, 1)


def _between(mask: Bools, axis: int) -> Bools:
    """Return what lies between the first and the last pixel of a mask along an axis."""
    ahead = np.flip(np.logical_or.accumulate(np.flip(mask, axis), axis), axis)
    return np.asarray(np.logical_or.accumulate(mask, axis) & ahead)


def find_cell(picture: Pixels) -> Bools:
    """Return the mask of the cell in the middle of an RGB picture `[H, W, 3]`: bool `[H, W]`.

    All False where nothing is darker than the background, and where all objects are so small that
    the picture shows a whole field.
    """
    height, width = picture.shape[:2]
    smallest = _SMALLEST if min(height, width) < _LARGE else _SMALLEST_IN_LARGE
    cell = _in_the_middle(_dark(_blurred_density(picture)), smallest * _SIDE)
    mask = cv2.resize(cell, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    return mask.view(np.bool_)


def with_weaker_stain(picture: Pixels, cell: Bools) -> Pixels:
    """Return a picture `[H, W, 3]` with a stain no stronger than that of the training cells.

    `cell` `[H, W]` is its cell; the background is what is brightest around it. One cell shows how
    strong a stain is, but not its colour: a blue cell may be full of parasite.
    """
    step = 1 + int((cell.size / _ENOUGH) ** 0.5)
    pixels, inside = picture[::step, ::step], cell[::step, ::step]
    if inside.all() or not inside.any():
        return picture
    background = _density_at(pixels[~inside], _BRIGHTEST)
    stain = float((_density_at(pixels[inside], 0.5) - background).mean())
    if stain <= MAX_STAIN:
        return picture
    levels = StainChange(np.full(3, MAX_STAIN / stain)).levels(background)
    return np.asarray(cv2.LUT(picture, levels[None]))


def _density_at(levels: Pixels, quantile: float) -> Floats:
    """Return the density of a quantile of levels `[N, 3]` in each channel: `[3]`."""
    rank = int(quantile * (len(levels) - 1))
    return np.asarray(_DENSITY[np.partition(levels, rank, axis=0)[rank]])


def _blurred_density(picture: Pixels) -> Floats:
    """Return the blurred optical density in green, which haemoglobin absorbs most, `[96, 96]`."""
    green = Image.fromarray(cv2.extractChannel(picture, 1))
    # Pillow averages over all pixels when it shrinks a picture, OpenCV only over the nearest four.
    small = green.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
    density = _DENSITY[np.asarray(small)]
    without_ink = np.where(density < _INK, density, density.min())
    return np.asarray(cv2.GaussianBlur(without_ink, _KERNEL, _BLUR, borderType=cv2.BORDER_REFLECT))


def _dark(density: Floats) -> Pixels:
    """Return what is above Otsu's threshold, with its holes filled: 0 or 1, `[96, 96]`."""
    levels = np.empty_like(density, np.uint8)
    cv2.normalize(density, levels, 0, 255, cv2.NORM_MINMAX, cv2.CV_8U)
    _, dark = cv2.threshold(levels, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    around = cv2.copyMakeBorder(dark, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    cv2.floodFill(around, None, (0, 0), 2)
    filled: Pixels = (around[1:-1, 1:-1] != 2).view(np.uint8)
    return filled


def _in_the_middle(cells: Pixels, smallest: float) -> Pixels:
    """Return the mask of the one cell in the middle: the pixels that are nearest to its core."""
    distance = _distance(np.pad(cells, 1))[1:-1, 1:-1]
    radius = _CORE * float(distance.max())
    if distance.max() < smallest:
        return np.zeros_like(cells)
    count, cores = cv2.connectedComponents((distance > radius).view(np.uint8), connectivity=4)
    centrality = np.bincount(cores.ravel(), _CENTRALITY.ravel(), count)
    middle = 1 + int(np.argmax(centrality[1:]))
    to_core = _distance(cores != middle)
    nearest = to_core <= _distance((cores == 0) | (cores == middle))
    cell: Pixels = (cells.view(np.bool_) & nearest & (to_core <= radius + 0.5)).view(np.uint8)
    return cell


def _distance(mask: Array) -> Floats:
    """Return the distance of each pixel to the nearest one that is 0 in the mask, in px."""
    distance = cv2.distanceTransform(mask.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance, np.float32)


def _centrality() -> Floats:
    """Return how central each pixel is, `[96, 96]`: from 1 in the middle to .02 in the corners."""
    across = np.exp(-2 * np.linspace(-1, 1, _SIDE) ** 2)
    return np.outer(across, across)


_CENTRALITY = _centrality()
