"""White cells, found by their nuclei: nothing else on a thin smear absorbs as much light."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from hemozoin.arrays import Bools, Floats
from hemozoin.smear.segmentation.merge_tree import Region

#: A pixel belongs to a nucleus where its density, in red or in the mean of all channels, is this
#: many times the median of the foreground. Red cells of a pink smear absorb hardly any red, those
#: of a grey smear as much as other colours. A parasite that fills its cell stays below. The last
#: number is added for smears whose red cells absorb hardly anything.
_IN_RED, _IN_ALL, _OFFSET = 1.5, 2.0, 0.03

#: Least area of a nucleus, in areas of a red cell. All the chromatin of a schizont is less.
_NUCLEUS = 0.3

#: Lobes of one nucleus are closer together than this, in square roots of a red cell's area.
_LOBES = 0.2


def white_cells(relative: Floats, foreground: Bools, cell_area: float) -> list[Region]:
    """Return the white cells: each nucleus with the foreground close around it.

    `relative` `[h, w, 3]` are densities relative to the background; `foreground`, bool `[h, w]`,
    has at least one pixel; `cell_area` is that of a red cell in px.
    """
    red, grey = relative[..., 0], relative.mean(axis=-1)
    dark = _exceeds(red, _IN_RED, foreground) | _exceeds(grey, _IN_ALL, foreground)
    nuclei = ndimage.binary_opening(dark) & foreground
    reach = max(1, round(_LOBES * np.sqrt(cell_area)))
    labels, count = ndimage.label(ndimage.distance_transform_edt(~nuclei) <= reach)
    areas = ndimage.sum_labels(nuclei, labels, range(1, count + 1))
    return [
        Region((labels[box] == label) & foreground[box], box)
        for label, box in enumerate(ndimage.find_objects(labels), 1)
        if areas[label - 1] > _NUCLEUS * cell_area
    ]


def _exceeds(density: Floats, factor: float, foreground: Bools) -> Bools:
    return np.asarray(density > factor * np.median(density[foreground]) + _OFFSET)
