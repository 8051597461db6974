"""The foreground mask of a field: which pixels belong to objects, from the stain."""

from __future__ import annotations

import cv2
import numpy as np

from hemozoin.arrays import Levels
from hemozoin.errors import DataError
from hemozoin.smear.segmentation.levels import (
    above,
    as_mask,
    median_and_noise,
    median_level,
    otsu_threshold,
)
from hemozoin.smear.segmentation.morphology import dilated, opened
from hemozoin.smear.segmentation.parameters import FOREGROUND
from hemozoin.smear.segmentation.regions import MAX_OBJECTS, components, touches_border
from hemozoin.smear.segmentation.shape import measure_shape


def find_foreground(stain: Levels, speck: int = 0) -> Levels:
    """Return the mask of the objects, uint8 `[h, w]`, from the stain; central pallor is filled.

    What is dark and narrower than twice `speck` px, and one more, is no object of its own where it
    lies in a pale one: pigment and chromatin. It is 0 where the size of the cells is not known.
    """
    dark = above(stain, otsu_threshold(stain))
    filled = _fill_pallor(dark | _pale_objects(stain, dark, speck))
    return opened(filled, FOREGROUND.opening)


def _pale_objects(stain: Levels, dark: Levels, speck: int) -> Levels:
    """Return where pale objects are: those with less stain than Otsu's threshold.

    A cell that a parasite has made swell can be pale among `dark` ones, with specks of pigment and
    chromatin that are dark. The blurred rim of a dark cell is as pale, but narrow.
    """
    background = ~dilated(dark, 2 * FOREGROUND.rim)
    if not (background.any() and dark.any()):
        return np.zeros_like(dark)
    middle, noise = median_and_noise(stain, background)
    contrast = median_level(stain, dark) - middle
    least = middle + max(FOREGROUND.pale * contrast, FOREGROUND.noise * noise)
    stained = above(stain, least)
    bodies = opened(_fill_pallor(dark), speck) if speck else dark
    off_rims = stained & ~dilated(bodies, FOREGROUND.rim)
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * FOREGROUND.pale_radius + 1,) * 2)
    wide = np.asarray(cv2.morphologyEx(off_rims, cv2.MORPH_OPEN, disk), np.uint8)
    return dilated(wide, FOREGROUND.rim + 1) & stained


def _fill_pallor(mask: Levels) -> Levels:
    """Return the mask with the holes filled that are the pale middle of a cell, or noise."""
    holes = components(~mask)
    inside = np.array([not touches_border(box, mask.shape) for box in holes.boxes])
    inside[0] = False  # the mask itself
    filled = inside & (holes.areas < FOREGROUND.noise_area)
    perhaps = inside & ~filled & (holes.areas < FOREGROUND.max_pallor * mask.size)
    if perhaps.sum() > MAX_OBJECTS:
        raise DataError(f"{perhaps.sum():,} holes in objects: not a field")
    for label in np.flatnonzero(perhaps).tolist():
        shape = measure_shape(holes.mask(label), holes.boxes[label])
        filled[label] = shape.solidity > FOREGROUND.min_convexity
    return mask | np.take(as_mask(filled), holes.labels)
