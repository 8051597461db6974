"""Probabilities that mean what they say: temperature scaling.

One number divides every logit (Guo et al. 2017, arXiv 1706.04599, section 4.2). It is fitted on
validation cells and changes no ranking: ROC AUC and average precision stay what they were.

Every patient weighs the same, whatever the number of cells: one of many cells, and the way
that one was labelled, would set the temperature of 16 validation patients alone.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hemozoin.arrays import Bools, Floats

#: Temperatures outside are no calibration but a sign that something else is wrong.
LOWEST, HIGHEST = 0.05, 20.0

#: p is kept this far from 0 and 1 where its log odds are taken; predictions.csv has as many digits.
EDGE = 1e-6


def fit_temperature(
    truth: Bools, logit: Floats, patient: npt.NDArray[np.str_] | None = None
) -> float:
    """Return the temperature with the least negative log-likelihood, in [0.05, 20].

    `truth` is bool `[cells]`, True for parasitized; `logit` is float `[cells]`, the log odds of
    parasitized; `patient` is str `[cells]`, or None to let every cell weigh the same. Truth
    counts as slightly less than certain (Platt 1999, section 2.2), or cells that are all told
    apart would send the temperature to 0.
    """
    target, weight = _softened(truth), _weight_of_patients(patient)

    def slope(inverse: float) -> float:
        """Differentiate the loss, which is convex in the inverse temperature."""
        return float(np.mean(weight * (calibrate(logit, 1 / inverse) - target) * logit))

    low, high = 1 / HIGHEST, 1 / LOWEST
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if slope(middle) > 0 else (middle, high)
    return 2 / (low + high)


def calibrate(logit: Floats, temperature: float) -> Floats:
    """Return p_parasitized in [0, 1], float `[cells]`, from the log odds of parasitized."""
    return sigmoid(np.asarray(logit, np.float64) / temperature)


def log_odds(p: Floats) -> Floats:
    """Return ln(p / (1 - p)), what `sigmoid` turns back, of p kept within [EDGE, 1 - EDGE]."""
    inner = np.clip(p, EDGE, 1 - EDGE)
    odds: Floats = np.log(inner / (1 - inner))
    return odds


def sigmoid(z: Floats) -> Floats:
    """Return the logistic function of z, in the form that never overflows."""
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * z))


def _softened(truth: Bools) -> Floats:
    positives, negatives = truth.sum(), (~truth).sum()
    softened: Floats = np.where(truth, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    return softened


def _weight_of_patients(patient: npt.NDArray[np.str_] | None) -> Floats:
    if patient is None:
        return np.ones(())
    _, of_cell, cells = np.unique(patient, return_inverse=True, return_counts=True)
    weight: Floats = 1 / cells[of_cell]
    return weight
