"""The false-positive rate of the decisions: of uninfected cells that are decided parasitized.

A count of infected cells is only as good as this rate: at 1 %, uninfected blood alone seems to
have 50,000 parasites/µL.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

from hemozoin.classes import PARASITIZED
from hemozoin.decision.conformal import ReviewBand
from hemozoin.decision.patient_rate import Moments, fit_moments
from hemozoin.metrics.predictions import LabelledPredictions


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

    @property
    def moments(self) -> Moments:
        """The same values, from which the rate of an unseen patient is computed."""
        return Moments(self.rate, self.sd, self.patients, self.cells)

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

    A false positive is an uninfected cell that `review_band` decides to be parasitized. The labels
    are taken as given, so the rate includes infected cells that were labelled uninfected. Returns
    None where no patient is known, or fewer than MIN_PATIENTS have uninfected cells.
    """
    uninfected = predictions.subset(~predictions.truth)
    false_positive = review_band.decide_all(uninfected.p) == PARASITIZED
    moments = fit_moments(false_positive, uninfected.patient)
    return FalsePositiveRate(*moments) if moments else None
