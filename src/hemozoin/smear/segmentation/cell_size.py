"""The size of red cells: their diameter in a picture, and the area of the isolated ones."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage
from skimage.feature import peak_local_max

from hemozoin.arrays import Bools, Floats
from hemozoin.smear.segmentation.background import (
    downscaled_density,
    stain_density,
    subtract_background,
)
from hemozoin.smear.segmentation.foreground import find_foreground
from hemozoin.smear.segmentation.shape import edge_distance, measure_shape, touches_border

#: Longer side in px of the copy in which the diameter is measured.
_SIDE = 400

#: Diameters measured in that copy are reliable from this one on, in px. Smaller cells merge with
#: their neighbours: those of 7 px are measured as 9 to 15, those of 4 as 6 to 13.
_RELIABLE = 18

#: An object that touches no other is a cell if it has at least this many px and this solidity,
#: and less than this elongation.
_MIN_AREA, _SOLID, _LONG = 30, 0.9, 1.6

#: Fewest isolated cells from which the area of a cell is estimated.
_MIN_CELLS = 5

#: Diameter of a round cell divided by the maximum of its blurred edge distance.
_DIAMETER_PER_DISTANCE = 2.2

#: Maxima of the edge distance that may be cells: from this many px, and this share of the largest.
_MIN_DISTANCE, _MIN_SHARE = 2, 0.3


def cell_diameter(picture: Image.Image) -> float:
    """Return the typical diameter of the red cells in px; 0 where no object is found.

    It is measured in a coarse copy where the cells are large enough in it. Otherwise touching
    cells may have been measured as one: then the middle of the picture is measured again, at
    twice the resolution.
    """
    scale = max(1.0, max(picture.size) / _SIDE)
    found = _diameter_in_copy(picture, scale)
    if scale == 1 or found >= _RELIABLE:
        return found * scale
    return cell_diameter(_middle(picture)) or found * scale


def isolated_cell_area(foreground: Bools) -> float | None:
    """Return the median area in px of the cells that touch no other; None for fewer than 5."""
    areas, _ = _isolated_cells(foreground)
    return _weighted_median(areas, areas) if len(areas) >= _MIN_CELLS else None


def _middle(picture: Image.Image) -> Image.Image:
    x, y = picture.width // 4, picture.height // 4
    return picture.crop((x, y, picture.width - x, picture.height - y))


def _diameter_in_copy(picture: Image.Image, scale: float) -> float:
    """Return the typical diameter of the red cells in px of a copy made smaller by `scale`.

    Each isolated cell gives a diameter, and so does each local maximum of the edge distance in
    clumps. Their median is weighted by size, so that platelets matter little; isolated cells
    have about twice the weight.
    """
    relative = subtract_background(downscaled_density(picture, scale))
    areas, clumps = _isolated_cells(find_foreground(stain_density(relative)))
    isolated = 2 * np.sqrt(areas / np.pi)
    distances = _distance_maxima(clumps)
    diameters = np.concatenate([isolated, _DIAMETER_PER_DISTANCE * distances])
    weights = np.concatenate([isolated, distances])
    return _weighted_median(diameters, weights) if len(diameters) else 0.0


def _isolated_cells(foreground: Bools) -> tuple[Floats, Bools]:
    """Return the areas of the objects that are single cells, and the mask without these."""
    labels, _ = ndimage.label(foreground)
    rest, areas = foreground.copy(), []
    for label, box in enumerate(ndimage.find_objects(labels), 1):
        mask = labels[box] == label
        if mask.sum() < _MIN_AREA or touches_border(box, foreground.shape):
            continue
        shape = measure_shape(mask)
        if shape.solidity > _SOLID and shape.elongation < _LONG:
            areas.append(shape.area)
            rest[box][mask] = False
    return np.array(areas, float), rest


def _distance_maxima(mask: Bools) -> Floats:
    """Return the edge distances at the local maxima of a mask; small ones are no cells."""
    distance = edge_distance(mask, 1)
    peaks = peak_local_max(  # type: ignore[no-untyped-call]
        distance, min_distance=3, threshold_abs=_MIN_DISTANCE, exclude_border=False
    )
    maxima: Floats = distance[tuple(peaks.T)]
    return maxima[maxima > _MIN_SHARE * maxima.max()] if len(maxima) else maxima


def _weighted_median(values: Floats, weights: Floats) -> float:
    return float(np.quantile(values, 0.5, weights=weights, method="inverted_cdf"))
