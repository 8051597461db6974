"""The operating point for counting: another threshold than that for a single cell.

Counting thousands of cells of which few are infected wants fewer false positives than deciding
one cell: with 5 false positives in 1,000 cells, a slide with 2 infected cells in 1,000 looks like
one with none. A stricter threshold misses more infected cells, but the estimate corrects for
that, since the sensitivity is known.

For each threshold, false-positive rate and sensitivity of an unseen patient are fitted on the
cells of patients that the network was not trained on. The threshold with the lowest limit of
detection is chosen (Currie 1968, Anal. Chem. 40, 586): the lowest parasitaemia at which 95 % of
slides have more cells called than 97.5 % of uninfected slides. At least four false positives
must be left, or the rate would be a guess. It is fitted with one more than there are: the threshold
was put just above the next uninfected cell, and where k of n cells are above the (k + 1)th, the
expected share of unseen cells there is (k + 1) / (n + 1) (order statistics; Vovk et al. 2005,
Algorithmic Learning in a Random World, section 2.2).

Four false positives say nothing about how much patients differ. So the differences are fitted
on all false positives of the decisions, and taken as a share of the rate. In the cross-validation
of `nano` the standard deviation between patients was .51 of the rate for all called cells (68 false
positives), 0 from p = .75 on (43) and .37 from p = .85 on (24): it did not grow with the threshold.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from hemozoin.arrays import Floats
from hemozoin.classes import PARASITIZED
from hemozoin.decision.conformal import ReviewBand
from hemozoin.decision.patient_rate import RATE_QUANTILES, PatientRate, fit_moments
from hemozoin.metrics.beta import mean_at_least
from hemozoin.metrics.predictions import LabelledPredictions
from hemozoin.metrics.root import find_root

#: Probability of a false alarm on an uninfected slide, and of each end of a 95 % interval.
TAIL = 0.025

#: The share of slides at the limit of detection that are missed.
_MISSED = 0.05

#: Number of red cells for which the threshold is chosen: WHO's, for a quality-checked count.
_RED_CELLS = 5000

#: Fewest false positives from which a rate is fitted.
_FEWEST = 4

#: Number of thresholds that are compared; fewer false positives are left at each by a like factor.
_THRESHOLDS = 12

#: Pairs each quantile of the false-positive rate with one of the sensitivity, evenly over all
#: pairs: multiples of the golden ratio, ranked (Weyl 1916).
_PAIRING = np.argsort(np.arange(RATE_QUANTILES) * (math.sqrt(5) - 1) / 2 % 1)


@dataclass(frozen=True)
class CountingPoint:
    """A threshold for counting, and how often an unseen patient's cells are counted by it.

    Cells that are decided parasitized, with p of at least `threshold`, are counted; None counts
    all of them. Without `sensitivity` no infected cell is taken as missed. Raises ValueError where
    the threshold is not inside (0, 1), or uninfected cells are counted as often as infected ones.
    """

    threshold: float | None
    false_positives: PatientRate
    sensitivity: PatientRate | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        if self.threshold is not None and not 0 < self.threshold < 1:
            raise ValueError(f"threshold {self.threshold}: need one inside (0, 1)")
        if self.sensitivity and self.sensitivity.rate <= self.false_positives.rate:
            raise ValueError("the sensitivity is not above the false-positive rate")

    def is_counted(self, decision: str, p_parasitized: float) -> bool:
        """Return whether a cell is counted as infected."""
        return decision == PARASITIZED and p_parasitized >= (self.threshold or 0)

    def infected_share(self, counted_share: float) -> float:
        """Return the estimate of `rogan_gladen` with the mean rates."""
        s = self.sensitivity.rate if self.sensitivity else 1.0
        return rogan_gladen(counted_share, self.false_positives.rate, s)

    def counting_probability(self, infected_share: float) -> Floats:
        """Return the probability that a red cell is counted, float `[RATE_QUANTILES]`."""
        s = self.sensitivity.quantiles[_PAIRING] if self.sensitivity else 1.0
        return infected_share * s + (1 - infected_share) * self.false_positives.quantiles

    def reportable_count(self, red_cells: int) -> int | None:
        """Return the smallest count that at most 2.5 % of uninfected patients have.

        It is also larger than the expected number. The two differ if a few patients have nearly
        all false positives. None if no count is large enough.
        """
        rates = self.false_positives.quantiles

        def is_rare(count: int) -> bool:
            return mean_at_least(count, red_cells, rates) <= TAIL

        rare = bisect_left(range(red_cells + 1), True, key=is_rare)
        count = max(rare, math.floor(self.false_positives.rate * red_cells) + 1)
        return count if count <= red_cells else None

    def limit_of_detection(self, red_cells: int) -> float | None:
        """Return the parasitaemia, 0..1, at which 95 % of slides reach the reportable count.

        None if they do not, however many of their cells are infected.
        """
        count = self.reportable_count(red_cells)
        if count is None or self._missed(1, count, red_cells) > _MISSED:
            return None
        return find_root(lambda share: self._missed(share, count, red_cells) - _MISSED)

    def _missed(self, infected_share: float, count: int, red_cells: int) -> float:
        return 1 - mean_at_least(count, red_cells, self.counting_probability(infected_share))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "threshold": self.threshold,
            "false_positives": self.false_positives.to_dict(),
            "sensitivity": self.sensitivity.to_dict() if self.sensitivity else None,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Read the values of `to_dict`; raises KeyError, TypeError or ValueError otherwise."""
        f, s = values["false_positives"], values["sensitivity"]
        sensitivity = None if s is None else PatientRate.from_dict(s)
        return cls(values["threshold"], PatientRate.from_dict(f), sensitivity)


def rogan_gladen(counted_share: float, f: float, s: float) -> float:
    """Return (k/n - f) / (s - f), within 0..1, and 0 unless s > f (Rogan & Gladen 1978).

    `f` is the false-positive rate and `s` the sensitivity with which k of n cells were counted.
    """
    return min(1.0, max(0.0, counted_share - f) / (s - f)) if s > f else 0.0


def fit_counting_point(
    predictions: LabelledPredictions, review_band: ReviewBand
) -> CountingPoint | None:
    """Choose the threshold with the lowest limit of detection (see the module).

    `predictions` are of cells that the network was not trained on, best those with checked labels.
    Returns None where no patient is known, or fewer than MIN_PATIENTS have cells of a class.
    """
    points = list(_points(predictions, review_band))
    limits = [point.limit_of_detection(_RED_CELLS) or 1.0 for point in points]
    return points[int(np.argmin(limits))] if points else None


def _points(predictions: LabelledPredictions, band: ReviewBand) -> Iterator[CountingPoint]:
    """Yield the counting point of each threshold, from the strictest to that of the decisions."""
    uninfected, infected = (predictions.subset(predictions.truth == one) for one in (False, True))
    decided = fit_moments(uninfected.p > band.high, uninfected.patient)
    if decided is None:
        return
    for threshold in _thresholds(predictions, band):
        f = fit_moments(uninfected.p >= threshold, uninfected.patient)
        s = fit_moments(infected.p >= threshold, infected.patient)
        if f and s and s.rate > f.rate:
            spread = decided.spread / decided.mean * f.mean
            f = replace(f, rate=min(1.0, f.rate + 1 / f.cells))
            yield CountingPoint(threshold, f.of_unseen_patient(spread), s.of_unseen_patient())


def _thresholds(predictions: LabelledPredictions, band: ReviewBand) -> Iterator[float]:
    """Yield thresholds, each halfway between the p of an uninfected cell and the next higher p.

    Between two uninfected cells, the lowest threshold is the one with the highest sensitivity. The
    last one counts all cells that are decided parasitized.
    """
    called = predictions.subset(predictions.p > band.high)
    if not len(called):
        return
    p, false_positives = np.unique(called.p), np.sort(called.p[~called.truth])[::-1]
    left = np.geomspace(_FEWEST, max(len(false_positives), _FEWEST), _THRESHOLDS)
    for k in np.unique(left.round().astype(int)):
        below = false_positives[k] if k < len(false_positives) else band.high
        if np.sum(false_positives > below) >= min(_FEWEST, len(false_positives)):
            yield float((below + p[p > below][0]) / 2)
