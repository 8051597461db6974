"""Probabilities that mean what they say: temperature scaling.

One number divides every logit (Guo et al. 2017, arXiv 1706.04599, section 4.2). It is fitted on
validation cells and changes no ranking: ROC AUC and average precision stay what they were.
"""

from __future__ import annotations

import numpy as np

from hemozoin.judging.metrics import Bools, Floats

#: Temperatures outside are no calibration but a sign that something else is wrong.
LOWEST, HIGHEST = 0.05, 20.0


def fit_temperature(truth: Bools, logit: Floats) -> float:
    """Return the temperature with the least negative log-likelihood, in [0.05, 20].

    `truth` is bool `[cells]`, True for parasitized; `logit` is float `[cells]`, the log odds of
    parasitized. Truth counts as slightly less than certain (Platt 1999, section 2.2), or cells
    that are all told apart would send the temperature to 0.
    """
    target = _softened(truth)

    def slope(inverse: float) -> float:
        """Differentiate the loss, which is convex in the inverse temperature."""
        return float(np.mean((calibrate(logit, 1 / inverse) - target) * logit))

    low, high = 1 / HIGHEST, 1 / LOWEST
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if slope(middle) > 0 else (middle, high)
    return 2 / (low + high)


def calibrate(logit: Floats, temperature: float) -> Floats:
    """Return p_parasitized in [0, 1], float `[cells]`, from the log odds of parasitized."""
    return sigmoid(np.asarray(logit, np.float64) / temperature)


def sigmoid(z: Floats) -> Floats:
    """Return the logistic function of z, in the form that never overflows."""
    return 0.5 + 0.5 * np.tanh(0.5 * z)


def _softened(truth: Bools) -> Floats:
    positives, negatives = truth.sum(), (~truth).sum()
    softened: Floats = np.where(truth, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    return softened
