"""When to say "don't know": a band of p, fitted so that a stated share of errors is kept.

Class-conditional conformal prediction (Vovk et al. 2005, Algorithmic Learning in a Random World,
section 4.5) finds from calibration cells how low p falls among parasitized cells and how high
among uninfected ones. What both can have is `review`.

The promise is for patients never seen, and their cells share stain, microscope and labeller, so
patients, not cells, are exchangeable. So the share of errors is a mean over patients, and one
more patient is added to those seen: conformal risk control (Angelopoulos et al. 2024,
arXiv 2208.02814, equation 4). Its worst case, a patient with nothing but errors, would leave 16
validation patients without any decision below an error rate of 1/17; here the new patient is
taken to be as bad as the worst one seen.

Tried on NLM's cells, asking for .03 with 16 validation patients (60 splits by patient): cells
pooled came to .041 of a new patient's parasitized cells missed, patients weighted equally to
.037, this to .029, with 6, 7 and 11 % of the cells left to a person.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from hemozoin.arrays import Array, Bools, Floats, Ints
from hemozoin.classes import PARASITIZED, UNINFECTED
from hemozoin.errors import DataError
from hemozoin.metrics.classification import LabelledPredictions

Decision = Literal["parasitized", "uninfected", "review"]
REVIEW: Decision = "review"

#: Of each class, on a patient never seen and by NLM's labels, of which about 5 % are wrong: a
#: good part of these errors are the label's. At .02 half as many cells again go to review.
ERROR_RATE = 0.04


@dataclass(frozen=True)
class ReviewBand:
    """The probabilities that decide nothing: low ≤ p ≤ high is `review`.

    `error_rate` is what the band was fitted for: of the cells of either class at most this
    share is called the other class. Raises ValueError unless 0 ≤ low ≤ high ≤ 1 and
    0 < error_rate < 1.
    """

    low: float
    high: float
    error_rate: float

    def __post_init__(self) -> None:
        """Check the ranges, which NaN is outside of."""
        if not 0 <= self.low <= self.high <= 1:
            raise ValueError(f"low {self.low}, high {self.high}: need 0 <= low <= high <= 1")
        _require_rate(self.error_rate)

    def decide(self, p_parasitized: float) -> Decision:
        """Return the decision on one cell; NaN is `review`."""
        if p_parasitized > self.high:
            return "parasitized"
        return "uninfected" if p_parasitized < self.low else "review"

    def decide_all(self, p_parasitized: npt.NDArray[np.floating]) -> npt.NDArray[np.str_]:
        """Return the decision on each cell, str `[cells]`."""
        called = [p_parasitized > self.high, p_parasitized < self.low]
        return np.select(called, [PARASITIZED, UNINFECTED], REVIEW)

    def to_dict(self) -> dict[str, float]:
        """Return plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ReviewBand:
        """Read what `to_dict` wrote; raises KeyError, TypeError or ValueError otherwise."""
        return cls(float(values["low"]), float(values["high"]), float(values["error_rate"]))


def fit_review_band(
    predictions: LabelledPredictions, threshold: float, error_rate: float = ERROR_RATE
) -> ReviewBand:
    """Fit the band on calibration cells, which the network was not trained on.

    It is the narrowest one around `threshold` that keeps the error rate in both classes: a
    decision never contradicts the label, and a network that keeps the rate without help has
    nothing to review. Too few patients or cells for the rate leave the band open on that side:
    low 0 or high 1. Where no patient is known each cell stands for itself. Raises DataError
    where a class is missing.
    """
    _require_rate(error_rate)
    if predictions.truth.all() or not predictions.truth.any():
        raise DataError("the calibration cells are of one class: a review band needs both")
    owner = np.arange(len(predictions)) if predictions.patient is None else predictions.patient
    infected = predictions.truth
    low = _lowest(predictions.p[infected], owner[infected], error_rate)
    high = 1 - _lowest(1 - predictions.p[~infected], owner[~infected], error_rate)
    return ReviewBand(min(low, threshold), max(high, threshold), error_rate)


@dataclass(frozen=True)
class SelectiveMetrics:
    """What a band came to on judged cells, each a share in 0..1; NaN where there was no cell."""

    #: Of all cells.
    review: float
    #: Of the parasitized cells: called uninfected. To be held against the band's error rate.
    missed: float
    #: Of the uninfected cells: called parasitized. To be held against the band's error rate.
    false_alarms: float
    #: Among the decided cells.
    accuracy: float
    #: Among the decided cells.
    sensitivity: float
    #: Among the decided cells.
    specificity: float


def selective_metrics(predictions: LabelledPredictions, band: ReviewBand) -> SelectiveMetrics:
    """Return how many cells the band leaves to a person, and how right the rest is."""
    truth, call = predictions.truth, band.decide_all(predictions.p)
    infected, decided = call == PARASITIZED, call != REVIEW
    right = decided & (infected == truth)
    return SelectiveMetrics(
        review=_share(~decided),
        missed=_share((decided & ~infected)[truth]),
        false_alarms=_share(infected[~truth]),
        accuracy=_share(right[decided]),
        sensitivity=_share(right[decided & truth]),
        specificity=_share(right[decided & ~truth]),
    )


def _share(which: Bools) -> float:
    return float(which.mean()) if len(which) else math.nan


def _lowest(p: Floats, owner: Array, error_rate: float) -> float:
    """Return the p below which at most `error_rate` of a new owner's cells are to be expected.

    0 where even the lowest p seen is not rare enough.
    """
    ascending = np.argsort(p, kind="stable")
    _, of_cell, cells = np.unique(owner[ascending], return_inverse=True, return_counts=True)
    part = 1 / cells[of_cell]
    # Up to each cell: the missed shares of all owners together, and the largest of them.
    total, worst = np.cumsum(part), np.maximum.accumulate(_rank_within(of_cell, cells) * part)
    missed = int(np.searchsorted((total + worst) / (len(cells) + 1), error_rate, side="right"))
    return float(p[ascending[missed]]) if missed else 0.0


def _rank_within(of_cell: Ints, cells: Ints) -> Ints:
    """Return the how-manieth of its owner each cell is, from 1."""
    grouped = np.argsort(of_cell, kind="stable")
    rank = np.empty_like(of_cell)
    rank[grouped] = np.arange(len(of_cell)) - np.repeat(np.cumsum(cells) - cells, cells) + 1
    return rank


def _require_rate(error_rate: float) -> None:
    if not 0 < error_rate < 1:
        raise ValueError(f"error rate {error_rate}: give a share between 0 and 1")
