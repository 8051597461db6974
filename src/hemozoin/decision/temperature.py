"""Calibrated probabilities by temperature scaling.

One number divides every logit (Guo et al. 2017, arXiv 1706.04599, section 4.2). It is fitted on
validation cells and keeps the ranking of cells: ROC AUC and average precision do not change.

Every patient has the same weight, whatever the number of cells. Otherwise one patient with many
cells, and the way those were labelled, would set the temperature for all 16 validation patients.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hemozoin.arrays import Bools, Floats

#: A temperature outside this range means that something other than the calibration is wrong.
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.05, 20.0

#: p is clipped this far from 0 and 1 before its log odds are taken: predictions.csv has six digits.
P_MARGIN = 1e-6


def fit_temperature(
    truth: Bools, logit: Floats, patient: npt.NDArray[np.str_] | None = None
) -> float:
    """Return the temperature with the least negative log-likelihood, in [0.05, 20].

    `truth` is bool `[cells]`, True for parasitized; `logit` is float `[cells]`, the log odds of
    parasitized; `patient` is str `[cells]`, or None to give every cell the same weight. The
    target probabilities are slightly below 1 and above 0 (Platt 1999, section 2.2); with 0 and 1,
    perfectly separated classes would send the temperature to 0.
    """
    target, weight = _platt_targets(truth), _patient_weights(patient)

    def gradient(inverse: float) -> float:
        """Return the derivative of the loss, which is convex in the inverse temperature."""
        return float(np.mean(weight * (calibrate(logit, 1 / inverse) - target) * logit))

    low, high = 1 / MAX_TEMPERATURE, 1 / MIN_TEMPERATURE
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if gradient(middle) > 0 else (middle, high)
    return 2 / (low + high)


def calibrate(logit: Floats, temperature: float) -> Floats:
    """Return p_parasitized in [0, 1], float `[cells]`, from the log odds of parasitized."""
    return sigmoid(np.asarray(logit, np.float64) / temperature)


def log_odds(p: Floats) -> Floats:
    """Return ln(p / (1 - p)), the inverse of `sigmoid`, for p clipped by P_MARGIN."""
    clipped = np.clip(p, P_MARGIN, 1 - P_MARGIN)
    odds: Floats = np.log(clipped / (1 - clipped))
    return odds


def sigmoid(z: Floats) -> Floats:
    """Return the logistic function of z, in a form that does not overflow."""
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * z))


def _platt_targets(truth: Bools) -> Floats:
    positives, negatives = truth.sum(), (~truth).sum()
    targets: Floats = np.where(truth, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    return targets


def _patient_weights(patient: npt.NDArray[np.str_] | None) -> Floats:
    """Return the weight of each cell: one over the number of its patient's cells."""
    if patient is None:
        return np.ones(())
    _, patient_of_cell, cells = np.unique(patient, return_inverse=True, return_counts=True)
    weight: Floats = 1 / cells[patient_of_cell]
    return weight
