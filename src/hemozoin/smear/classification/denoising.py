"""Denoising: a field's cells without the grain that a camera or its sharpening adds.

In poor light a camera adds noise to each pixel, and phones sharpen what they photograph. Both give
healthy cells a grain that the training cells don't have, and the network takes it for chromatin.
Most red cells of a field are healthy, so the grain of the typical cell is that of the picture.
Where it is coarser than any patient's of the training cells, each pixel is mixed with the mean of
the 3 × 3 pixels around it, as much as is needed. At most, the mean takes its place: so much blur
the network has learned from (FOCUS in training/augmentation.py).

benchmarks/picture_processing.py shows gain and cost.
"""

from __future__ import annotations

import cv2
import numpy as np

from hemozoin.arrays import Bools, Floats, Pixels
from hemozoin.data.cutout import brightest, interior
from hemozoin.optics import optical_density

#: Largest grain of a field's cells. That of NLM's healthy cells is 0.003 to 0.0066, as medians of
#: 160 patients; 0.0075 and 0.011 are about as good on sharpened and noisy fields, and 0.006 blurs
#: good ones, so that more cells are not like the training cells.
_MAX_GRAIN = 0.009

#: A standard deviation over the median absolute deviation, of a normal distribution.
_STANDARD = 1.4826

#: Three pixels on all sides: the rim of a cell is no grain.
_RIM = np.ones((7, 7), np.uint8)

#: Side in pixels of the mean.
_MEAN = (3, 3)

_CHANNEL_MEAN = np.full((1, 3), 1 / 3)

_DENSITY = optical_density(np.arange(256))


def blur_needed(cells: Pixels) -> float:
    """Return the least weight of the mean, 0..1, at which cells have no more grain than allowed.

    `cells` are prepared cells of a field, uint8 `[N, S, S, 3]`, as the network would see them.
    """
    inside = np.array([interior(cell, _RIM) for cell in cells], bool).reshape(-1, cells.shape[2])
    if not inside.any():
        return 0.0
    column = cells.reshape(-1, *cells.shape[2:])  # one cell below the other, for OpenCV
    density = np.asarray(cv2.transform(cv2.LUT(column, _DENSITY), _CHANNEL_MEAN), np.float32)
    mean = np.asarray(cv2.blur(density, _MEAN), np.float32)
    grain = _grain(density, mean, inside)
    if grain <= _MAX_GRAIN:
        return 0.0
    least = _grain(mean, np.asarray(cv2.blur(mean, _MEAN), np.float32), inside)
    return (grain - _MAX_GRAIN) / (grain - least) if least < _MAX_GRAIN else 1.0


def _grain(density: Floats, mean: Floats, inside: Bools) -> float:
    """Return the robust standard deviation of densities from their means inside cells."""
    return float(_STANDARD * np.median(cv2.absdiff(density, mean)[inside]))


def blurred(cells: Pixels, weight: float) -> Pixels:
    """Return prepared cells, uint8 `[N, S, S, 3]`, mixed with their means; 0 outside stays 0.

    The mean of a pixel is over those around it that are in the cell. `weight` is 0..1.
    """
    return np.array([_blurred(cell, weight) for cell in cells]) if weight else cells


def _blurred(cell: Pixels, weight: float) -> Pixels:
    inside = (brightest(cell) > 0).astype(np.float32)
    share = cv2.blur(inside, _MEAN, borderType=cv2.BORDER_CONSTANT)
    total = cv2.blur(cell.astype(np.float32), _MEAN, borderType=cv2.BORDER_CONSTANT)
    mean = total / np.maximum(share, 1 / 9)[..., None]
    mixed = np.rint(cell + weight * (mean - cell)).clip(1, 255).astype(np.uint8)
    return np.where(inside[..., None] > 0, mixed, 0).astype(np.uint8)
