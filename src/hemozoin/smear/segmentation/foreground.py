"""The foreground mask of a field: which pixels belong to objects, from the stain density."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.stats import median_abs_deviation
from skimage.morphology import disk

from hemozoin.arrays import Bools, Floats
from hemozoin.errors import DataError
from hemozoin.smear.segmentation.background import otsu_threshold
from hemozoin.smear.segmentation.countable import MAX_OBJECTS
from hemozoin.smear.segmentation.shape import measure_shape

#: A hole in the mask is the central pallor of a cell where its area is below this share of the
#: picture and it fills this share of its convex hull: gaps between touching cells have concave
#: sides. Holes of fewer px than the last number are noise, and are always filled.
_PALLOR, _CONVEX, _NOISE_AREA = 1 / 30, 0.87, 6

#: Least stain density of a pale object: as a share of that of the dark objects, and in standard
#: deviations of the background.
_PALE, _NOISE = 0.3, 5

#: Width in px of the blurred rim around a dark object; and least radius in px of a pale object,
#: which sets it apart from such a rim.
_RIM, _PALE_RADIUS = 2, 3


def find_foreground(stain: Floats) -> Bools:
    """Return where objects are, bool `[h, w]`, from the stain density; central pallor is filled."""
    dark = stain > otsu_threshold(stain)
    filled = _fill_pallor(dark | _pale_objects(stain, dark))
    return np.asarray(ndimage.binary_opening(filled, iterations=2))


def _pale_objects(stain: Floats, dark: Bools) -> Bools:
    """Return where pale objects are: those with less stain than Otsu's threshold.

    A cell that a parasite has made swell can be pale among `dark` ones. The blurred rim of a dark
    cell is as pale, but narrow.
    """
    background = stain[~ndimage.binary_dilation(dark, iterations=4)]
    if not (background.size and dark.any()):
        return np.zeros_like(dark)
    middle, noise = np.median(background), median_abs_deviation(background, scale="normal")
    least = max(middle + _PALE * (np.median(stain[dark]) - middle), middle + _NOISE * noise)
    stained = stain > least
    off_rims = stained & ~ndimage.binary_dilation(dark, iterations=_RIM)
    wide = ndimage.binary_opening(off_rims, disk(_PALE_RADIUS))  # type: ignore[no-untyped-call]
    return np.asarray(ndimage.binary_dilation(wide, iterations=_RIM + 1) & stained)


def _fill_pallor(mask: Bools) -> Bools:
    """Return the mask with the holes filled that are the pale middle of a cell, or noise."""
    holes, _ = ndimage.label(~mask)
    areas = np.bincount(holes.ravel())
    areas[0] = 0  # the mask itself
    for edge in (holes[0], holes[-1], holes[:, 0], holes[:, -1]):
        areas[edge] = 0
    noise = (areas > 0) & (areas < _NOISE_AREA)
    perhaps = (areas >= _NOISE_AREA) & (areas < _PALLOR * mask.size)
    if perhaps.sum() > MAX_OBJECTS:
        raise DataError(f"{perhaps.sum():,} holes in objects: not a field")
    filled: Bools = mask | noise[holes]
    for label, box in enumerate(ndimage.find_objects(np.where(perhaps[holes], holes, 0)), 1):
        if box is not None and _is_convex(hole := holes[box] == label):
            filled[box] |= hole
    return filled


def _is_convex(hole: Bools) -> bool:
    return measure_shape(hole).solidity > _CONVEX
