"""White cells, found by their nuclei: nothing else on a thin smear absorbs as much light."""

from __future__ import annotations

import math

import cv2
import numpy as np

from hemozoin.arrays import Floats, Levels
from hemozoin.smear.segmentation.morphology import opened
from hemozoin.smear.segmentation.parameters import NUCLEI
from hemozoin.smear.segmentation.regions import Region, components, within


def white_cells(relative: Floats, foreground: Levels, cell_area: float) -> list[Region]:
    """Return the white cells: each nucleus with the foreground close around it.

    `relative` `[h, w, 3]` are densities relative to the background; `foreground`, uint8 `[h, w]`,
    has at least one pixel; `cell_area` is that of a red cell in px.
    """
    nuclei = opened(_dark(relative, foreground), 1) & foreground
    least = NUCLEI.min_area * cell_area
    if cv2.countNonZero(nuclei) <= least:
        return []
    reach = max(1, round(NUCLEI.lobes * math.sqrt(cell_area)))
    away = cv2.distanceTransform(cv2.bitwise_not(nuclei), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    near = components(np.where(away <= reach, np.uint8(255), np.uint8(0)))
    areas = np.bincount(near.labels[nuclei > 0])
    return [
        Region(near.mask(label) & within(foreground, near.boxes[label]), near.boxes[label])
        for label in np.flatnonzero(areas > least).tolist()
    ]


def _dark(relative: Floats, foreground: Levels) -> Levels:
    """Return where the density is that of a nucleus: uint8 `[h, w]`."""
    red, grey = cv2.extractChannel(relative, 0), cv2.transform(relative, np.full((1, 3), 1 / 3))
    inside = foreground > 0
    in_red = red > NUCLEI.in_red * np.median(red[inside]) + NUCLEI.offset
    in_all = grey > NUCLEI.in_all * np.median(grey[inside]) + NUCLEI.offset
    return np.where(in_red | in_all, np.uint8(255), np.uint8(0))
