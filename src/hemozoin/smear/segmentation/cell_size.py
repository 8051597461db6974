"""The size of red cells: their diameter in a picture, and the area of the isolated ones."""

from __future__ import annotations

import numpy as np

from hemozoin.arrays import Bools, Floats, Levels, Pixels
from hemozoin.smear.segmentation.background import (
    downscaled_density,
    stain_levels,
    subtract_background,
)
from hemozoin.smear.segmentation.distance import edge_distance, local_maxima
from hemozoin.smear.segmentation.foreground import find_foreground
from hemozoin.smear.segmentation.levels import as_mask
from hemozoin.smear.segmentation.parameters import SIZE
from hemozoin.smear.segmentation.regions import Components, components, touches_border
from hemozoin.smear.segmentation.shape import measure_shape


def cell_diameter(pixels: Pixels) -> float:
    """Return the typical diameter of the red cells of a field, uint8 `[H, W, 3]`, in px.

    It is 0 where no object is found. It is measured in a coarse copy where the cells are large
    enough in it. Otherwise touching cells may have been measured as one: then the middle of the
    picture is measured again, at twice the resolution.
    """
    height, width = pixels.shape[:2]
    scale: float = max(1.0, max(height, width) / SIZE.side)
    found = _diameter_in_copy(pixels, scale)
    if scale == 1 or found >= SIZE.reliable:
        return found * scale
    return cell_diameter(_middle(pixels)) or found * scale


def isolated_cell_area(found: Components) -> float | None:
    """Return the median area in px of the cells that touch no other; None for fewer than 5."""
    areas = found.areas[_single_cells(found)].astype(float)
    return _weighted_median(areas, areas) if len(areas) >= SIZE.min_cells else None


def _middle(pixels: Pixels) -> Pixels:
    y, x = pixels.shape[0] // 4, pixels.shape[1] // 4
    return pixels[y : pixels.shape[0] - y, x : pixels.shape[1] - x]


def _diameter_in_copy(pixels: Pixels, scale: float) -> float:
    """Return the typical diameter of the red cells in px of a copy made smaller by `scale`.

    Each isolated cell gives a diameter, and so does each local maximum of the edge distance in
    clumps. Their median is weighted by size, so that platelets matter little; isolated cells
    have about twice the weight.
    """
    relative = subtract_background(downscaled_density(pixels, scale))
    foreground = find_foreground(stain_levels(relative))
    found = components(foreground)
    single = _single_cells(found)
    areas = found.areas[single]
    distances = _distance_maxima(foreground & np.take(as_mask(~single), found.labels))
    isolated = 2 * np.sqrt(areas / np.pi)
    diameters = np.concatenate([isolated, SIZE.diameter_per_distance * distances])
    weights = np.concatenate([isolated, distances])
    return _weighted_median(diameters, weights) if len(diameters) else 0.0


def _single_cells(found: Components) -> Bools:
    """Return which components are single cells: bool, by their labels."""
    single = found.areas >= SIZE.min_area
    single[0] = False  # the outside
    for label in np.flatnonzero(single).tolist():
        single[label] = _is_single(found, label)
    return np.asarray(single)


def _is_single(found: Components, label: int) -> bool:
    box = found.boxes[label]
    if touches_border(box, found.labels.shape):
        return False
    shape = measure_shape(found.mask(label), box)
    return shape.solidity > SIZE.solid and shape.elongation < SIZE.elongated


def _distance_maxima(mask: Levels) -> Floats:
    """Return the edge distances at the local maxima of a mask; small ones are no cells."""
    distance = edge_distance(mask, 1)
    heights = local_maxima(distance, SIZE.radius, SIZE.min_distance).heights[1:]
    return heights[heights > SIZE.min_share * heights.max()] if len(heights) else heights


def _weighted_median(values: Floats, weights: Floats) -> float:
    return float(np.quantile(values, 0.5, weights=weights, method="inverted_cdf"))
