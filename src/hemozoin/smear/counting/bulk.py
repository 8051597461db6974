"""What the healthy bulk of a slide looks like: its cells that are not called infected."""

from __future__ import annotations

from collections import Counter

import numpy as np

from hemozoin.classes import PARASITIZED
from hemozoin.decision.conformal import REVIEW
from hemozoin.decision.reference_patients import LOG_ODDS_QUANTILES, Appearance
from hemozoin.decision.temperature import log_odds
from hemozoin.model.prediction import OUT_OF_DISTRIBUTION
from hemozoin.smear.field import Field

#: Log odds are rounded to this many decimals, so that a slide of any size needs little memory.
_DECIMALS = 2


class Bulk:
    """Adds up the bulk of one field after another.

    The measures of the slide are the means of its fields' medians, weighted by cells. They are not
    known if those of a field are not.
    """

    def __init__(self) -> None:
        self._log_odds: Counter[float] = Counter()
        self._measures: list[tuple[int, tuple[float, ...]]] = []
        self._review = self._strange = 0

    def add(self, field: Field) -> None:
        """Add one more field."""
        cells = [cell for cell in field.cells if cell.decision != PARASITIZED]
        if not cells:
            return
        # As the network saw them: a field that had to be recalibrated is unlike the known ones.
        odds = log_odds(np.array([cell.p_parasitized for cell in cells])) + field.log_odds_shift
        self._log_odds.update(np.round(odds, _DECIMALS).tolist())
        self._measures.append((len(cells), field.measures))
        self._review += sum(cell.decision == REVIEW for cell in cells)
        self._strange += sum(cell.reason == OUT_OF_DISTRIBUTION for cell in cells)

    def appearance(self) -> Appearance:
        """Return the appearance of the fields so far."""
        values = sorted(self._log_odds)
        ranks = np.cumsum([self._log_odds[value] for value in values])
        cells = sum(self._log_odds.values())
        rows = [int(np.searchsorted(ranks, share * cells)) for share in LOG_ODDS_QUANTILES]
        return Appearance(
            cells,
            tuple(values[row] for row in rows) if cells else (),
            self._mean_measures(),
            self._review,
            self._strange,
        )

    def _mean_measures(self) -> tuple[float, ...]:
        if not all(measures for _, measures in self._measures):
            return ()
        sizes, medians = zip(*self._measures, strict=True) if self._measures else ((1,), ((),))
        return tuple(np.average(medians, axis=0, weights=sizes).tolist())
