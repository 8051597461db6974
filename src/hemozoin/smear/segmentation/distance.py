"""The distance of each pixel of a mask to its edge, and the local maxima of such a picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from hemozoin.arrays import Floats, Ints, Levels
from hemozoin.smear.segmentation.levels import as_mask
from hemozoin.smear.segmentation.regions import with_border


@dataclass(frozen=True, eq=False)
class Maxima:
    """The local maxima of a picture: `labels` int32 `[h, w]`, from 1, and 0 elsewhere.

    `heights` `[n + 1]` are the values of the picture there, and 0 for elsewhere.
    """

    labels: Ints
    heights: Floats


def edge_distance(mask: Levels, sigma: float) -> Floats:
    """Return the distance in px of each pixel of a mask to its edge, blurred: float32 `[h, w]`.

    0 outside of the mask, before the blur. The picture's border is an edge as well.
    """
    blurred = cv2.GaussianBlur(distance_to_outside(with_border(mask)), (0, 0), sigma)
    return np.asarray(blurred[1:-1, 1:-1], np.float32)


def distance_to_outside(mask: Levels) -> Floats:
    """Return the distance in px of each pixel of a mask to its outside: float32 `[h, w]`.

    It is exact (Felzenszwalb & Huttenlocher 2012). That of paths of a chess king and knight
    (Borgefors 1986) is faster, but misses one or two more of 27 infected cells.
    """
    distance = cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance, np.float32)


def local_maxima(picture: Floats | Levels, radius: int, least: float) -> Maxima:
    """Return the maxima of a picture `[h, w]` above `least`: nowhere within `radius` is more."""
    window = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
    highest = picture == cv2.dilate(picture, window)
    peaks = as_mask(highest & (picture > least))
    count, labels = cv2.connectedComponents(peaks, connectivity=8)
    heights = np.zeros(count)
    at_peaks = peaks > 0
    heights[labels[at_peaks]] = picture[at_peaks]
    return Maxima(np.asarray(labels, np.int32), heights)
