"""The kind of each region: red cell, platelet, debris, cut by the edge, or clump."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from hemozoin.arrays import Floats, Levels
from hemozoin.smear.field import ObjectKind
from hemozoin.smear.segmentation.morphology import dilated
from hemozoin.smear.segmentation.parameters import DIAMETER, KIND
from hemozoin.smear.segmentation.regions import Region, touches_border, with_border, within
from hemozoin.smear.segmentation.shape import measure_shape


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What the kind of a region depends on beside the region itself.

    `relative` `[h, w, 3]` are densities relative to the background; `foreground` `[h, w]` is the
    mask of all objects, and `crowding` `[h, w]` the share of it, 0..255, within about a diameter
    of each pixel; `cell_area` is that of a red cell in px.
    """

    relative: Floats
    foreground: Levels
    crowding: Levels
    cell_area: float


def crowding_of(foreground: Levels) -> Levels:
    """Return the share of foreground, 0..255, within about a cell's diameter of each pixel.

    Three box filters in a row are close to a Gaussian (Wells 1986), whose standard deviation is a
    diameter here, and take the same time for any width.
    """
    side = 2 * DIAMETER + 1
    for _ in range(3):
        foreground = np.asarray(cv2.blur(foreground, (side, side)), np.uint8)
    return foreground


def kind_of(region: Region, around: Surroundings) -> ObjectKind:
    """Return the kind of a region that is not a white cell."""
    if cv2.countNonZero(region.mask) < KIND.small * around.cell_area:
        return "platelet" if _is_platelet(region, around.relative) else "debris"
    if touches_border(region.box, around.foreground.shape):
        return "cut by the edge"
    least = KIND.min_single_outlier if region.color_outlier else KIND.min_single
    single = region.single_cell_score > least
    return "red cell" if single or _is_separate(region, around) else "clump"


def _is_separate(region: Region, around: Surroundings) -> bool:
    """Return whether a region is separate enough for a red cell; one with a dense spot needs less.

    Infected cells are swollen or crenated: with the same limit, more of them are lost than of
    healthy ones.
    """
    separation = _separation(region, around)
    if separation > KIND.min_separation:
        return True
    return separation > KIND.min_spotted and _spot(region, around.relative) > KIND.spot


def _separation(region: Region, around: Surroundings) -> float:
    """Return a score of how separate a single cell is, 0..1.

    It is the product of the cube root of the single-cell score, the share of the outline that is
    next to background, and the share of background within about a diameter. Cells that overlap
    hide each other's contents, and people who mark cells leave them out too.
    """
    touching = _touching_share(region, around.foreground)
    crowded = cv2.mean(within(around.crowding, region.box), region.mask)[0] / 255
    return math.cbrt(region.single_cell_score) * (1 - touching) * (1 - crowded)


def _spot(region: Region, relative: Floats) -> float:
    """Return the density of a region's densest spot over its median."""
    grey = cv2.transform(within(relative, region.box), np.full((1, 3), 1 / 3))
    median, densest = np.percentile(grey[region.mask > 0], (50, KIND.densest))
    return float(densest / max(median, KIND.min_density))


def _touching_share(region: Region, foreground: Levels) -> float:
    """Return the share of a region's outline at which it touches other foreground, 0..1."""
    x, y, width, height = region.box
    mask = with_border(region.mask)
    around = within(foreground, (x - 1, y - 1, width + 2, height + 2))
    ring = dilated(mask, 1) & ~mask
    return cv2.countNonZero(ring & around) / max(1, cv2.countNonZero(ring))


def _is_platelet(region: Region, relative: Floats) -> bool:
    """Return whether a small object is round and coloured: dirt is grey, and fibres are long."""
    red, green, blue, _ = cv2.mean(within(relative, region.box), region.mask)
    grey = min(red, blue) > KIND.grey * green
    shape = measure_shape(region.mask, region.box)
    return not grey and shape.solidity > KIND.solid and shape.elongation < KIND.elongated
