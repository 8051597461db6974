"""Abstention: the review band of probabilities, fitted for a stated error rate.

Class-conditional conformal prediction (Vovk et al. 2005, Algorithmic Learning in a Random World,
section 4.5) finds from calibration cells how low p gets among parasitized cells and how high
among uninfected cells. A p that either class can have is decided `review`.

The error rate is stated for new patients. The cells of a patient share stain, microscope and
labeller, so patients, not cells, are exchangeable. The error rate is therefore a mean over
patients, with one more patient added to the calibration patients: conformal risk control
(Angelopoulos et al. 2024, arXiv 2208.02814, equation 4). Its worst case, a new patient with
errors only, would allow no decision at all for 16 validation patients and an error rate below
1/17. Here the new patient is assumed to be as bad as the worst calibration patient.

A wrong label can't be told from a mistake. Where many are wrong, the band would have to hold
nearly all cells: so it leaves out those that are right with a probability of .85, and the rate that
it keeps is then higher than the one that was asked for.

Measured on NLM's cells, for an error rate of .03 and 16 validation patients (60 splits by
patient): of a new patient's parasitized cells, .041 were missed with cells pooled, .037 with
patients weighted equally and .029 with this method; 6, 7 and 11 % of the cells went to review.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from hemozoin.arrays import Array, Bools, Floats, Ints
from hemozoin.classes import PARASITIZED, UNINFECTED
from hemozoin.errors import DataError
from hemozoin.metrics.predictions import LabelledPredictions

Decision = Literal["parasitized", "uninfected", "review"]
REVIEW: Decision = "review"

#: Error rate in each class, for new patients and by NLM's labels. About 5 % of these are wrong,
#: so many of the errors are wrong labels. At .02, 1.5 times as many cells go to review.
ERROR_RATE = 0.04

#: Error rate by labels that were checked. At .005 three times as many cells go to review; at .01
#: two of 22 parasitized cells of another microscope (IML) are decided uninfected.
CHECKED_ERROR_RATE = 0.007

#: Least probability of a mistake for which a cell is left to a person (Chow 1970, IEEE Trans. Inf.
#: Theory 16, 41). If .05 of the labels are wrong, it is .11 by the right ones: one mistake in nine
#: cells. Without this limit, two of three default runs sent 16 and 22 % of the test cells to
#: review, with it 3 %, and those that they decided were as often right (benchmarks/abstention.py).
_LEAST_RISK = 0.15


@dataclass(frozen=True)
class ReviewBand:
    """The probabilities for which the network abstains: low ≤ p ≤ high is `review`.

    The band keeps `error_rate`: of the cells of either class at most this share is decided to be
    of the other class. Raises ValueError unless 0 ≤ low ≤ high ≤ 1 and 0 < error_rate < 1.
    """

    low: float
    high: float
    error_rate: float

    def __post_init__(self) -> None:
        """Check the ranges; NaN is outside of them."""
        if not 0 <= self.low <= self.high <= 1:
            raise ValueError(f"low {self.low}, high {self.high}: need 0 <= low <= high <= 1")
        _require_error_rate(self.error_rate)

    def decide(self, p_parasitized: float) -> Decision:
        """Return the decision on one cell; NaN is `review`."""
        if p_parasitized > self.high:
            return "parasitized"
        return "uninfected" if p_parasitized < self.low else "review"

    def decide_all(self, p_parasitized: npt.NDArray[np.floating]) -> npt.NDArray[np.str_]:
        """Return the decision on each cell, str `[cells]`."""
        decided = [p_parasitized > self.high, p_parasitized < self.low]
        return np.select(decided, [PARASITIZED, UNINFECTED], REVIEW)

    def to_dict(self) -> dict[str, float]:
        """Return plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ReviewBand:
        """Read the values of `to_dict`; raises KeyError, TypeError or ValueError otherwise."""
        return cls(float(values["low"]), float(values["high"]), float(values["error_rate"]))


def fit_review_band(
    predictions: LabelledPredictions, threshold: float, error_rate: float = ERROR_RATE
) -> ReviewBand:
    """Fit the review band on calibration cells, which the network was not trained on.

    It is the narrowest band that contains `threshold` and keeps the error rate in both classes,
    but holds no cell that is right with a probability above .85; the band's own error rate is the
    one that it keeps. So a decision never contradicts the label, and a network whose labels alone
    keep the rate sends no cell to review. With too few patients or cells for the rate, the band is
    open on that side: low 0 or high 1. Without patients each cell is a unit of its own. Raises
    DataError where a class is missing.
    """
    _require_error_rate(error_rate)
    if not predictions.has_both_classes:
        raise DataError("the calibration cells are of one class: a review band needs both")
    unit, parasitized = predictions.independent_unit, predictions.truth
    missed = _Missed.of(predictions.p[parasitized], unit[parasitized])
    alarms = _Missed.of(1 - predictions.p[~parasitized], unit[~parasitized])
    low = min(missed.limit(error_rate), threshold)
    below_high = min(alarms.limit(error_rate), 1 - threshold)
    kept = max(missed.rate(low), alarms.rate(below_high))
    if kept > error_rate:
        error_rate = math.ceil(1000 * kept) / 1000
    high = max(1 - below_high, threshold)  # 1 - (1 - threshold) may round to less than it
    return ReviewBand(low, high, error_rate)


def units_needed(error_rate: float) -> int:
    """Return the fewest calibration patients for which an error rate can be guaranteed.

    The quantile ⌈(n + 1)(1 - α)⌉ / n of split conformal prediction exists from n = 1/α - 1 on
    (Angelopoulos & Bates 2023, arXiv 2107.07511, section 1). With fewer, the error rate holds only
    if no new patient is worse than the worst calibration patient (see above).
    """
    _require_error_rate(error_rate)
    return math.ceil(round(1 / error_rate, 9) - 1)


@dataclass(frozen=True)
class SelectiveMetrics:
    """Metrics of the decisions outside a review band, each in [0, 1]; NaN where there is no cell.

    `missed` and `false_alarms` are to be compared with the error rate of the band.
    """

    #: Share of all cells that go to review.
    review: float
    #: Share of the parasitized cells that are decided uninfected.
    missed: float
    #: Share of the uninfected cells that are decided parasitized.
    false_alarms: float
    #: Among the decided cells.
    accuracy: float
    #: Among the decided cells.
    sensitivity: float
    #: Among the decided cells.
    specificity: float


def selective_metrics(
    predictions: LabelledPredictions, review_band: ReviewBand
) -> SelectiveMetrics:
    """Return the share of cells that go to review, and the metrics of the other cells."""
    truth, decision = predictions.truth, review_band.decide_all(predictions.p)
    parasitized, decided = decision == PARASITIZED, decision != REVIEW
    correct = decided & (parasitized == truth)
    return SelectiveMetrics(
        review=_share(~decided),
        missed=_share((decided & ~parasitized)[truth]),
        false_alarms=_share(parasitized[~truth]),
        accuracy=_share(correct[decided]),
        sensitivity=_share(correct[decided & truth]),
        specificity=_share(correct[decided & ~truth]),
    )


def _share(selected: Bools) -> float:
    return float(selected.mean()) if len(selected) else math.nan


@dataclass(frozen=True, eq=False)
class _Missed:
    """How many of a new unit's cells of one class are missed by a limit on p.

    `p` `[cells]` ascend; `expected` `[cells]` is the share that is missed if the cell is.
    """

    p: Floats
    expected: Floats

    @classmethod
    def of(cls, p: Floats, unit: Array) -> Self:
        """Return it for the cells of one class; `unit` names the patient of each."""
        ascending = np.argsort(p, kind="stable")
        _, unit_of_cell, cells = np.unique(unit[ascending], return_inverse=True, return_counts=True)
        share_of_unit = 1 / cells[unit_of_cell]
        # With each cell as the last one missed: the shares summed over all units, and the largest.
        total = np.cumsum(share_of_unit)
        worst = np.maximum.accumulate(_rank_within_unit(unit_of_cell, cells) * share_of_unit)
        return cls(p[ascending], (total + worst) / (len(cells) + 1))

    def limit(self, error_rate: float) -> float:
        """Return the p below which cells are missed at this rate; 0 where one is too many."""
        missed = int(np.searchsorted(self.expected, error_rate, side="right"))
        return max(float(self.p[missed]), _LEAST_RISK) if missed else 0.0

    def rate(self, limit: float) -> float:
        """Return the rate at which cells below a limit are missed."""
        missed = int(np.searchsorted(self.p, limit))
        return float(self.expected[missed - 1]) if missed else 0.0


def _rank_within_unit(unit_of_cell: Ints, cells: Ints) -> Ints:
    """Return the rank of each cell among the cells of its unit, from 1."""
    grouped = np.argsort(unit_of_cell, kind="stable")
    rank = np.empty_like(unit_of_cell)
    rank[grouped] = np.arange(len(unit_of_cell)) - np.repeat(np.cumsum(cells) - cells, cells) + 1
    return rank


def _require_error_rate(error_rate: float) -> None:
    if not 0 < error_rate < 1:
        raise ValueError(f"error rate {error_rate}: give a share between 0 and 1")
