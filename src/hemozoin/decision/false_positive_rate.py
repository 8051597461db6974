"""The false-positive rate of uninfected cells, and how much patients differ in it.

A count of infected cells is only as good as this rate: at 1 %, uninfected blood alone seems to
have 50,000 parasites/µL. The rate of all cells pooled is not enough: a stain or a microscope that
misleads the network does so in every cell of its patient.

Of the n_i uninfected cells of patient i, x_i are decided parasitized, p_i = x_i / n_i. The
sampling of cells gives p_i the variance v_i = p_i (1 - p_i) / (n_i - 1), the differences between
patients the variance sd². With weights w_i, W = Σ w_i and m = Σ w_i p_i / W, the method of moments
(DerSimonian & Kacker 2007, Contemp. Clin. Trials 28, 105, equation 6) gives

    sd² = Σ w_i ((p_i - m)² - (1 - w_i / W) v_i) / Σ w_i (1 - w_i / W),    0 where negative

which for equal weights is the variance of the p_i less the mean of the v_i. A patient with one
cell has no v_i and is left out of this sum. Weights and sd² are iterated in turn, from w_i = n_i:

    w_i = n_i / (m (1 - m) + n_i sd²)

so all patients with many cells have about the same weight, and a patient with one cell has about
the weight of a single cell.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from hemozoin.arrays import Floats
from hemozoin.classes import PARASITIZED
from hemozoin.decision.conformal import ReviewBand
from hemozoin.metrics.predictions import LabelledPredictions

#: With fewer patients the variance between patients can't be estimated.
MIN_PATIENTS = 5

#: Iterations of weights and sd²; they converge in three to ten.
_ITERATIONS = 50


@dataclass(frozen=True)
class FalsePositiveRate:
    """The share of a patient's uninfected cells that are decided parasitized.

    `rate` is its mean over patients, `sd` its standard deviation between patients without the
    sampling error of the cells, both in [0, 1]. It was fitted on `cells` uninfected cells of
    `patients` patients. Raises ValueError outside of these ranges.
    """

    rate: float
    sd: float
    patients: int
    cells: int

    def __post_init__(self) -> None:
        """Check the ranges; NaN is outside of them."""
        if not (0 <= self.rate <= 1 and 0 <= self.sd <= 1):
            raise ValueError(f"rate {self.rate}, sd {self.sd}: need both from 0 to 1")
        if not 1 <= self.patients <= self.cells:
            raise ValueError(
                f"{self.patients} patients, {self.cells} cells: need 1 <= patients <= cells"
            )

    def to_dict(self) -> dict[str, float]:
        """Return plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Read the values of `to_dict`; raises KeyError, TypeError or ValueError otherwise."""
        return cls(
            float(values["rate"]),
            float(values["sd"]),
            int(values["patients"]),
            int(values["cells"]),
        )


def fit_false_positive_rate(
    predictions: LabelledPredictions, review_band: ReviewBand
) -> FalsePositiveRate | None:
    """Fit the rate on cells that the network was not trained on.

    A false positive is an uninfected cell that `review_band` decides to be parasitized; a cell
    for review is not counted, as it is not counted as infected on a slide either. The labels are
    taken as given, so the rate includes infected cells that were labelled uninfected. Returns
    None where no patient is known, or fewer than MIN_PATIENTS have uninfected cells.
    """
    if predictions.patient is None:
        return None
    uninfected = predictions.subset(~predictions.truth)
    false_positive = review_band.decide_all(uninfected.p) == PARASITIZED
    names, patient_of_cell, cells = np.unique(
        predictions.patient[~predictions.truth], return_inverse=True, return_counts=True
    )
    if len(names) < MIN_PATIENTS:
        return None
    counts = np.bincount(patient_of_cell, false_positive).astype(np.float64)
    rate, sd = beta_moments(counts, cells.astype(np.float64))
    return FalsePositiveRate(rate, sd, len(names), len(uninfected))


def beta_moments(false_positives: Floats, cells: Floats) -> tuple[float, float]:
    """Return mean and standard deviation of the patients' own rates, by the module's formulas.

    `false_positives` of `cells` of each patient, float `[patients]`, with
    0 ≤ false_positives ≤ cells and cells ≥ 1.
    """
    share, weight = false_positives / cells, cells
    rate, variance = float(np.average(share, weights=weight)), 0.0
    for _ in range(_ITERATIONS):
        if not 0 < rate < 1:
            return rate, 0.0
        variance = _variance_between_patients(share, cells, weight)
        weight = cells / (rate * (1 - rate) + cells * variance)
        rate = float(np.average(share, weights=weight))
    return rate, math.sqrt(variance)


def _variance_between_patients(share: Floats, cells: Floats, weight: Floats) -> float:
    """Return sd², at most the largest variance of a rate in [0, 1] with this mean."""
    several = cells > 1
    if several.sum() < 2:
        return 0.0
    p, n, w = share[several], cells[several], weight[several]
    mean = float(np.average(p, weights=w))
    remaining = w * (1 - w / w.sum())
    sampling_variance = p * (1 - p) / (n - 1)
    excess = float(w @ (p - mean) ** 2 - remaining @ sampling_variance)
    return min(max(excess / float(remaining.sum()), 0.0), mean * (1 - mean))
