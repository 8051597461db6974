"""Which bodies are unlike the others of their field in colour, as cells full of parasite are.

The dyes that stain a parasite take other light than haemoglobin does, and a cell that swells
grows pale. What the colours of a smear are depends on the stain and the camera, so the bodies of
one field are held against one another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import median_abs_deviation

from hemozoin.arrays import Floats

#: From so many spreads on, in all three measures together, a colour is odd. In 24 fields 99 % of
#: the cells without parasites lie below 5, and most of those with old ones above 6.
_ODD = 5.5

#: Least spread of a measure: in smears that were drawn all cells can have the same colour.
_LEAST = 0.05

#: With fewer bodies than these nothing is usual.
_ENOUGH = 8


@dataclass(frozen=True)
class TypicalColor:
    """The colours of most bodies in a field: the middle and the spread of three measures."""

    middle: Floats
    spread: Floats

    def is_outlier(self, densities: Floats) -> bool:
        """Tell whether mean densities, `[3]`, against the glass are not of the usual colour."""
        away = (_measures(densities) - self.middle) / self.spread
        return float(np.linalg.norm(away)) > _ODD


def typical_color(densities: Floats) -> TypicalColor:
    """Return what is usual among bodies of these mean densities, `[n, 3]`, against the glass."""
    if len(densities) < _ENOUGH:
        return TypicalColor(np.zeros(3), np.full(3, np.inf))
    measures = _measures(densities)
    middle = np.median(measures, axis=0)
    spread = median_abs_deviation(measures, axis=0, scale="normal")
    return TypicalColor(middle, spread + _LEAST)


def _measures(densities: Floats) -> Floats:
    """Return two hues and the depth of a colour, as logarithms: `[..., 3]`."""
    red, green, blue = np.moveaxis(densities.clip(1e-3), -1, 0)
    return np.asarray(np.log(np.stack([red / green, blue / green, green], axis=-1)))
