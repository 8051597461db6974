"""The false-positive rate of the decisions: of uninfected cells that are decided parasitized.

A count of infected cells is only as good as this rate: at 1 %, uninfected blood alone seems to
have 50,000 parasites/µL.
"""

from __future__ import annotations

from hemozoin.classes import PARASITIZED
from hemozoin.decision.conformal import ReviewBand
from hemozoin.decision.patient_rate import Moments, fit_moments
from hemozoin.metrics.predictions import LabelledPredictions


def fit_false_positive_rate(
    predictions: LabelledPredictions, review_band: ReviewBand
) -> Moments | None:
    """Fit the rate on cells that the network was not trained on.

    A false positive is an uninfected cell that `review_band` decides to be parasitized. The labels
    are taken as given, so the rate includes infected cells that were labelled uninfected. Returns
    None where no patient is known, or fewer than MIN_PATIENTS have uninfected cells.
    """
    uninfected = predictions.subset(~predictions.truth)
    false_positive = review_band.decide_all(uninfected.p) == PARASITIZED
    return fit_moments(false_positive, uninfected.patient)
