"""The log odds of the healthy cells of unseen patients: how infected a healthy slide may look.

Most red cells of a slide are healthy, so its median cell is one. Where the network sees another
microscope, or another stain, the log odds of all cells are shifted alike. How much a median differs
between patients is known from patients that the network was not trained on; a slide beyond that is
recalibrated (`smear/classification/recalibration.py`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from hemozoin.decision.conformal import ReviewBand
from hemozoin.decision.temperature import log_odds
from hemozoin.metrics.predictions import LabelledPredictions

#: With fewer patients, or fewer cells of each, the spread of the medians is a guess.
_FEWEST_PATIENTS, _FEWEST_CELLS = 8, 10

#: Standard deviations above the mean beyond which few patients are: 2 in 100 of a normal
#: distribution.
_FEW_ABOVE = 2.0

_DECIMALS = 6


@dataclass(frozen=True)
class HealthyLogOdds:
    """Mean and standard deviation, over patients, of the median log odds of healthy cells."""

    mean: float
    sd: float
    patients: int

    @property
    def highest_median(self) -> float:
        """The median of a slide than which few of the known patients have a higher one."""
        return self.mean + _FEW_ABOVE * self.sd

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Read the values of `to_dict`; raises KeyError, TypeError or ValueError otherwise."""
        return cls(float(values["mean"]), float(values["sd"]), int(values["patients"]))


def fit_healthy_log_odds(
    predictions: LabelledPredictions, review_band: ReviewBand
) -> HealthyLogOdds | None:
    """Fit it on the uninfected cells, not called parasitized, of patients not trained on.

    Returns None for fewer than 8 patients with 10 such cells or more, and for unknown patients.
    """
    if predictions.patient is None:
        return None
    healthy = ~predictions.truth & (predictions.p <= review_band.high)
    odds, patient = log_odds(predictions.p[healthy]), predictions.patient[healthy]
    of_patients = [odds[patient == name] for name in np.unique(patient)]
    medians = [np.median(one) for one in of_patients if len(one) >= _FEWEST_CELLS]
    if len(medians) < _FEWEST_PATIENTS:
        return None
    mean, sd = float(np.mean(medians)), float(np.std(medians, ddof=1))
    return HealthyLogOdds(round(mean, _DECIMALS), round(sd, _DECIMALS), len(medians))
