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


@dataclass(frozen=True, eq=False)
class DarkBody:
    """What is as dark as a nucleus, with the foreground close around it.

    `region` is all of it. Within its box, `relative` `[h, w, 3]` are the densities and `nucleus`
    `[h, w]` is the mask of the dark part; `typical` `[3]` are the densities of most objects in the
    field, and `cell_area` is that of a red cell in px.
    """

    region: Region
    relative: Floats
    nucleus: Levels
    typical: Floats
    cell_area: float

    @property
    def is_white_cell(self) -> bool:
        """Return whether it is a white cell, not red cells on each other, and no parasite."""
        red, green, blue, _ = cv2.mean(self.relative, self.nucleus)
        ratios = np.array([red, green, blue]) / np.maximum(self.typical, NUCLEI.offset)
        if ratios.max() < NUCLEI.same_color * ratios.min():
            return False
        size = cv2.countNonZero(self.region.mask) / self.cell_area
        if size > NUCLEI.large:
            return True
        return self._graininess() < (NUCLEI.grainy if size <= NUCLEI.small else NUCLEI.grainier)

    def _graininess(self) -> float:
        """Return the standard deviation of the density over its mean, off the rim."""
        core = cv2.erode(self.nucleus, np.ones((3, 3), np.uint8))
        grey = cv2.transform(self.relative, np.full((1, 3), 1 / 3))
        mean, deviation = cv2.meanStdDev(grey, mask=core if core.any() else self.nucleus)
        return float(deviation[0, 0] / max(mean[0, 0], NUCLEI.offset))


def dark_bodies(relative: Floats, foreground: Levels, cell_area: float) -> list[DarkBody]:
    """Return the bodies in a field that are as dark as the nucleus of a white cell.

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
        nucleus = within(nuclei, box) & mask
        body = DarkBody(Region(mask, box), within(relative, box), nucleus, typical, cell_area)
        found.append(body)
    return found


def _dark(relative: Floats, foreground: Levels) -> Levels:
    """Return where the density is that of a nucleus: uint8 `[h, w]`."""
    red = relative[..., 0]
    grey = np.asarray(cv2.transform(relative, np.full((1, 3), 1 / 3)), np.float32)
    return _far_above(red, NUCLEI.in_red, foreground) | _far_above(grey, NUCLEI.in_all, foreground)


def _far_above(density: Floats, factor: float, foreground: Levels) -> Levels:
    middle, deviation = median_and_deviation(masked_sample(density, foreground))
    least = max(factor * middle + NUCLEI.offset, middle + NUCLEI.deviations * deviation)
    return above(density, least)
