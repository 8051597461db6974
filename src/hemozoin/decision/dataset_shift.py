"""Dataset shift: single cells of another microscope that all look more infected to a network.

In whole fields most red cells are healthy, so the shift can be measured and taken away
(`smear/classification/recalibration.py`). Among single cells nobody knows how many are infected.
But those that are not called parasitized are nearly all healthy, and half of a healthy slide's
cells are below its median. Where only a quarter of them is below the highest median of known
patients, all cells are shifted, and more of those that are called parasitized are healthy than the
network's metrics say.
"""

from __future__ import annotations

import numpy as np

from hemozoin.decision.temperature import sigmoid

#: With fewer cells, a quartile is too uncertain.
_FEWEST_CELLS = 50

#: Largest share of the cells that may be called parasitized: with more, the others may be infected
#: ones that the network misses.
_MAX_CALLED = 0.5

#: Least share of the other cells that are below the highest median. It is 0.20 in BBBC041, and
#: 0.65 in IML, as crops.
_LEAST_BELOW = 0.25


class ShiftDetector:
    """Counts cells, one after another, and says whether they are shifted.

    `threshold` is that of the network, 0..1; `highest` the highest median of the log odds that
    healthy slides of known patients have, None where it is not known.
    """

    def __init__(self, threshold: float, highest: float | None) -> None:
        self._threshold = threshold
        self._highest = 1.0 if highest is None else float(sigmoid(np.array(highest)))
        self.cells = self._called = self._below = 0

    def add(self, p_parasitized: float) -> None:
        """Add one more cell."""
        self.cells += 1
        self._called += p_parasitized >= self._threshold
        self._below += p_parasitized <= self._highest

    @property
    def is_shifted(self) -> bool:
        """Return whether so many cells look so infected that most of them are shifted."""
        if self.cells < _FEWEST_CELLS or self._called > _MAX_CALLED * self.cells:
            return False
        return self._below < _LEAST_BELOW * (self.cells - self._called)
