"""Masks made smaller and larger (Serra 1982).

A mask is uint8 `[h, w]` as in OpenCV: 255 inside and 0 outside.
"""

from __future__ import annotations

import cv2
import numpy as np

from hemozoin.arrays import Levels

#: A pixel and the four that share a side with it.
CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


def eroded(mask: Levels, radius: int) -> Levels:
    """Return a mask without the pixels within `radius` steps, by sides, of its outside."""
    return np.asarray(cv2.erode(mask, CROSS, iterations=radius))


def dilated(mask: Levels, radius: int) -> Levels:
    """Return a mask with the pixels within `radius` steps, by sides, of it."""
    return np.asarray(cv2.dilate(mask, CROSS, iterations=radius))


def opened(mask: Levels, radius: int) -> Levels:
    """Return a mask without its parts narrower than 2 `radius` + 1 px."""
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, CROSS, iterations=radius))
