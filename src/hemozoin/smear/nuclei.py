"""White cells, by their nuclei: nothing else on a thin smear takes so much red light."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from hemozoin.cells.cutout import Mask
from hemozoin.smear.glass import Floats
from hemozoin.smear.split import Region

#: Density in red over the red cells' own from which on a pixel is nucleus, and what is added for
#: red cells that take hardly any red light. A parasite that fills its cell stays below.
_DARK, _FAINT = 1.5, 0.03

#: Least area of a nucleus in red cells. All the chromatin of a schizont is less.
_NUCLEUS = 0.3

#: Lobes of one nucleus lie nearer together than this, in diameters of a red cell.
_LOBES = 0.2


def white_cells(relative: Floats, taken: Mask, cell: float) -> list[Region]:
    """Return the white cells: nuclei with what of the body lies close around them.

    `relative` `[h, w, 3]` are densities against the glass, `taken` bool `[h, w]` where bodies
    are (at one place at least), `cell` the area of a red cell in px.
    """
    red = relative[..., 0]
    usual = float(np.median(red[taken]))
    dark = ndimage.binary_opening(red > _DARK * usual + _FAINT) & taken
    reach = max(1, round(_LOBES * np.sqrt(cell)))
    near = ndimage.distance_transform_edt(~dark) <= reach
    labels, count = ndimage.label(near)
    area = ndimage.sum_labels(dark, labels, range(1, count + 1))
    return [
        Region((labels[box] == label) & taken[box], box, 0.0)
        for label, box in enumerate(ndimage.find_objects(labels), 1)
        if area[label - 1] > _NUCLEUS * cell
    ]
