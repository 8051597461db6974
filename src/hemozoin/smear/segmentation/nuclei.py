"""White cells, found by their nuclei: nothing else on a thin smear absorbs as much light."""

from __future__ import annotations

import math

import cv2
import numpy as np

from hemozoin.arrays import Floats, Levels
from hemozoin.smear.segmentation.distance import distance_to_outside
from hemozoin.smear.segmentation.levels import above, masked_sample, median_and_deviation
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
    near = components(~above(distance_to_outside(~nuclei), reach))
    areas = np.bincount(near.labels[nuclei > 0])
    return [
        Region(near.mask(label) & within(foreground, near.boxes[label]), near.boxes[label])
        for label in np.flatnonzero(areas > least).tolist()
    ]


def _dark(relative: Floats, foreground: Levels) -> Levels:
    """Return where the density is that of a nucleus: uint8 `[h, w]`."""
    red = relative[..., 0]
    grey = np.asarray(cv2.transform(relative, np.full((1, 3), 1 / 3)), np.float32)
    return _far_above(red, NUCLEI.in_red, foreground) | _far_above(grey, NUCLEI.in_all, foreground)


def _far_above(density: Floats, factor: float, foreground: Levels) -> Levels:
    middle, deviation = median_and_deviation(masked_sample(density, foreground))
    least = max(factor * middle + NUCLEI.offset, middle + NUCLEI.deviations * deviation)
    return above(density, least)
