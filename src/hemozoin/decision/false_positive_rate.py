"""How often a patient's healthy cells are called parasitized, and how patients differ in it.

A count of infected cells is no better than this: at a rate of 1 % healthy blood alone looks like
50,000 parasites/µL. A rate of all cells together won't do, since a stain or a microscope that
misleads the network does so in every cell of its patient.

Of patient i, x_i of n_i uninfected cells are called parasitized, p_i = x_i / n_i. By counting so
few cells p_i has the variance v_i = p_i (1 - p_i) / (n_i - 1), by the patient sd². With weights
w_i, W = Σ w_i and m = Σ w_i p_i / W, the method of moments (DerSimonian & Kacker 2007, Contemp.
Clin. Trials 28, 105, equation 6) gives

    sd² = Σ w_i ((p_i - m)² - (1 - w_i / W) v_i) / Σ w_i (1 - w_i / W),    0 where negative

which for equal weights is the variance of the shares less the mean of v_i. A patient with one
cell says nothing of it and is left out there. Weights and sd² are found in turn, from w_i = n_i:

    w_i = n_i / (m (1 - m) + n_i sd²)

so that patients with many cells count alike, and one with a single cell as a cell.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from hemozoin.arrays import Floats
from hemozoin.classes import PARASITIZED
from hemozoin.decision.conformal import ReviewBand
from hemozoin.metrics.classification import LabelledPredictions

#: Of fewer patients nobody can say how much patients differ.
MIN_PATIENTS = 5

#: Rounds of weights and sd² in turn; they settle in three to ten.
_ROUNDS = 50


@dataclass(frozen=True)
class FalsePositiveRate:
    """The share of a patient's uninfected cells that is decided to be parasitized.

    `rate` is its mean over patients, `sd` its standard deviation between patients beyond what
    counting so few cells adds, both in 0..1; `patients` and `cells` say how many uninfected
    cells of how many patients it was fitted on. Raises ValueError outside of these ranges.
    """

    rate: float
    sd: float
    patients: int
    cells: int

    def __post_init__(self) -> None:
        """Check the ranges, which NaN is outside of."""
        if not (0 <= self.rate <= 1 and 0 <= self.sd <= 1):
            raise ValueError(f"rate {self.rate}, sd {self.sd}: need both from 0 to 1")
        if not 1 <= self.patients <= self.cells:
            raise ValueError(f"{self.patients} patients, {self.cells} cells: need one of each")

    def to_dict(self) -> dict[str, float]:
        """Return plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Read what `to_dict` wrote; raises KeyError, TypeError or ValueError otherwise."""
        return cls(
            float(values["rate"]),
            float(values["sd"]),
            int(values["patients"]),
            int(values["cells"]),
        )


def fit_false_positive_rate(
    predictions: LabelledPredictions, band: ReviewBand
) -> FalsePositiveRate | None:
    """Fit the rate on cells that the network was not trained on.

    A cell counts as called parasitized where `band` decides so: what it leaves to a person is
    not counted as infected on a slide either. The labels are taken as given, so that the rate
    includes infected cells that were labelled uninfected. None where no patient is known, or
    fewer than MIN_PATIENTS have uninfected cells.
    """
    if predictions.patient is None:
        return None
    healthy = predictions.only(~predictions.truth)
    called = band.decide_all(healthy.p) == PARASITIZED
    owner = predictions.patient[~predictions.truth]
    names, of_cell, cells = np.unique(owner, return_inverse=True, return_counts=True)
    if len(names) < MIN_PATIENTS:
        return None
    counts = np.bincount(of_cell, called).astype(np.float64)
    rate, sd = beta_moments(counts, cells.astype(np.float64))
    return FalsePositiveRate(rate, sd, len(names), len(healthy))


def beta_moments(called: Floats, cells: Floats) -> tuple[float, float]:
    """Return mean and standard deviation of the patients' own rates, as the module says.

    `called` of `cells` of each patient, float `[patients]` with 0 ≤ called ≤ cells, cells ≥ 1.
    """
    share, weight = called / cells, cells
    rate, variance = float(np.average(share, weights=weight)), 0.0
    for _ in range(_ROUNDS):
        if not 0 < rate < 1:
            return rate, 0.0
        variance = _between(share, cells, weight)
        weight = cells / (rate * (1 - rate) + cells * variance)
        rate = float(np.average(share, weights=weight))
    return rate, math.sqrt(variance)


def _between(share: Floats, cells: Floats, weight: Floats) -> float:
    """Return sd², at most what rates between 0 and 1 can have."""
    several = cells > 1
    if several.sum() < 2:
        return 0.0
    p, n, w = share[several], cells[several], weight[several]
    mean = float(np.average(p, weights=w))
    left = w * (1 - w / w.sum())
    by_counting = p * (1 - p) / (n - 1)
    excess = float(w @ (p - mean) ** 2 - left @ by_counting)
    return min(max(excess / float(left.sum()), 0.0), mean * (1 - mean))
