"""The operating point for counting: another threshold than that for a single cell.

Counting thousands of cells of which few are infected wants fewer false positives than deciding
one cell: with 5 false positives in 1,000 cells, a slide with 2 infected cells in 1,000 looks like
one with none. A stricter threshold misses more infected cells, but the estimate corrects for
that, since the sensitivity is known.

For each threshold, false-positive rate and sensitivity of an unseen patient are fitted on the
cells of patients that the network was not trained on. The threshold with the lowest limit of
detection is chosen (Currie 1968, Anal. Chem. 40, 586): the lowest parasitaemia at which 95 % of
slides have more cells called than 97.5 % of uninfected slides.

Of 10,000 uninfected cells, five are left beyond a strict threshold, and five say little about a
rate: one more or less decides. But some sixty are called infected, and beyond the threshold of the
decisions their log odds are distributed exponentially (exceedances of a high threshold: Davison &
Smith 1990, J. R. Stat. Soc. B 52, 393). With n of them, of mean excess m, the share

    exp(-t / m), with a relative standard error of √((1 + (t / m)²) / n)

is expected t further on. Where this is fewer than five, too little is known of the tail.

A few false positives say nothing about how much patients differ either. So the differences are
fitted on all false positives of the decisions, and taken as a share of the rate. In the
cross-validation of an earlier `nano` the standard deviation between patients was .51 of the rate
for all called cells (68 false positives), 0 from p = .75 on (43) and .37 from p = .85 on (24): it
did not grow with the threshold.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from hemozoin.arrays import Floats
from hemozoin.classes import PARASITIZED
from hemozoin.decision.conformal import ReviewBand
from hemozoin.decision.patient_rate import RATE_QUANTILES, Moments, PatientRate, fit_moments
from hemozoin.decision.temperature import log_odds, sigmoid
from hemozoin.metrics.beta import mean_at_least
from hemozoin.metrics.predictions import LabelledPredictions
from hemozoin.metrics.root import find_root

#: Probability of a false alarm on an uninfected slide, and of each end of a 95 % interval.
TAIL = 0.025

#: The share of slides at the limit of detection that are missed.
_MISSED = 0.05

#: Number of red cells for which the threshold is chosen: WHO's, for a quality-checked count.
_RED_CELLS = 5000

#: Fewest false positives that are expected beyond the threshold.
_FEWEST = 5

#: Number of thresholds that are compared; each leaves fewer false positives by the same factor.
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
    called = uninfected.p > band.high
    decided = fit_moments(called, uninfected.patient)
    if decided is None:
        return
    start = log_odds(np.array(band.high))
    excess = log_odds(uninfected.p[called]) - start
    count, mean_excess = len(excess), excess.mean() if len(excess) else 0.0
    for share in _shares(count):
        threshold = float(sigmoid(start - mean_excess * np.log(share)))
        f = _beyond(decided, share, count)
        s = fit_moments(infected.p >= threshold, infected.patient)
        if s and s.rate > f.rate:
            yield CountingPoint(threshold, f, s.of_unseen_patient())


def _shares(count: int) -> Floats:
    """Return the shares of false positives that are left at each threshold; the last one is 1."""
    if count <= _FEWEST:
        return np.ones(1)
    return np.geomspace(_FEWEST / count, 1, _THRESHOLDS)


def _beyond(decided: Moments, share: float, count: int) -> PatientRate:
    """Return the false-positive rate beyond a threshold that leaves a share of `count` of them.

    `decided` is the rate of the decisions (see the module).
    """
    differences = decided.spread**2 * (1 + 1 / decided.patients)
    sampling = decided.mean**2 * (1 + math.log(share) ** 2) / max(count, 1)
    sd = share * math.sqrt(differences + sampling)
    return PatientRate(decided.rate * share, sd, decided.patients, decided.cells)
