"""White cells, by their nuclei: nothing else on a thin smear takes so much light."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from hemozoin.arrays import Bools, Floats
from hemozoin.smear.segmentation.merge_tree import Region

#: Density over the red cells' own from which on a pixel is nucleus, in red and in all light: red
#: cells of a pink smear take hardly any red, those of a grey one as much as of the rest. A parasite
#: that fills its cell stays below. What is added is for red cells that take hardly any.
_IN_RED, _IN_ALL, _FAINT = 1.5, 2.0, 0.03

#: Least area of a nucleus in red cells. All the chromatin of a schizont is less.
_NUCLEUS = 0.3

#: Lobes of one nucleus lie nearer together than this, in diameters of a red cell.
_LOBES = 0.2


def white_cells(relative: Floats, taken: Bools, cell: float) -> list[Region]:
    """Return the white cells: nuclei with what of the body lies close around them.

    `relative` `[h, w, 3]` are densities against the glass, `taken` bool `[h, w]` where bodies
    are (at one place at least), `cell` the area of a red cell in px.
    """
    in_red, in_all = relative[..., 0], relative.mean(axis=-1)
    very = _exceeds(in_red, _IN_RED, taken) | _exceeds(in_all, _IN_ALL, taken)
    dark = ndimage.binary_opening(very) & taken
    reach = max(1, round(_LOBES * np.sqrt(cell)))
    near = ndimage.distance_transform_edt(~dark) <= reach
    labels, count = ndimage.label(near)
    area = ndimage.sum_labels(dark, labels, range(1, count + 1))
    return [
        Region((labels[box] == label) & taken[box], box)
        for label, box in enumerate(ndimage.find_objects(labels), 1)
        if area[label - 1] > _NUCLEUS * cell
    ]


def _exceeds(density: Floats, times: float, taken: Bools) -> Bools:
    return np.asarray(density > times * np.median(density[taken]) + _FAINT)
