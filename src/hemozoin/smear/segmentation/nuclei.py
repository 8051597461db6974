"""White cells, found by their nuclei, which absorb more light than most of a thin smear.

Two other things are as dark. Where red cells lie on each other the colour is theirs. And a parasite
that fills its cell is grainy, of chromatin and pigment, in a cell not much larger than others. Both
stay in the mask and are treated as red cells.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

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
    typical = np.median(masked_sample(relative, foreground), axis=0)
    found = []
    for label in np.flatnonzero(areas > least).tolist():
        box = near.boxes[label]
        mask = near.mask(label) & within(foreground, box)
        size = cv2.countNonZero(mask) / cell_area
        nucleus = _Nucleus(within(relative, box), within(nuclei, box) & mask, size)
        if nucleus.is_of_white_cell(typical):
            found.append(Region(mask, box))
    return found


@dataclass(frozen=True, eq=False)
class _Nucleus:
    """What may be a nucleus: `mask` `[h, w]`, and `relative` `[h, w, 3]` the densities there.

    `size` is the area of the object that it is in, in areas of a red cell.
    """

    relative: Floats
    mask: Levels
    size: float

    def is_of_white_cell(self, typical: Floats) -> bool:
        """Return whether it is a nucleus; `typical` `[3]` are the densities of most objects."""
        red, green, blue, _ = cv2.mean(self.relative, self.mask)
        ratios = np.array([red, green, blue]) / np.maximum(typical, NUCLEI.offset)
        if ratios.max() < NUCLEI.same_color * ratios.min():
            return False
        return self.size > NUCLEI.small or self._graininess() < NUCLEI.grainy

    def _graininess(self) -> float:
        """Return the standard deviation of the density over its mean, off the rim."""
        core = cv2.erode(self.mask, np.ones((3, 3), np.uint8))
        grey = cv2.transform(self.relative, np.full((1, 3), 1 / 3))
        mean, deviation = cv2.meanStdDev(grey, mask=core if core.any() else self.mask)
        return float(deviation[0, 0] / max(mean[0, 0], NUCLEI.offset))


def _dark(relative: Floats, foreground: Levels) -> Levels:
    """Return where the density is that of a nucleus: uint8 `[h, w]`."""
    red = relative[..., 0]
    grey = np.asarray(cv2.transform(relative, np.full((1, 3), 1 / 3)), np.float32)
    return _far_above(red, NUCLEI.in_red, foreground) | _far_above(grey, NUCLEI.in_all, foreground)


def _far_above(density: Floats, factor: float, foreground: Levels) -> Levels:
    middle, deviation = median_and_deviation(masked_sample(density, foreground))
    least = max(factor * middle + NUCLEI.offset, middle + NUCLEI.deviations * deviation)
    return above(density, least)
