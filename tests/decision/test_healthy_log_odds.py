"""The median log odds of healthy cells, over patients."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hemozoin.decision.conformal import ReviewBand
from hemozoin.decision.healthy_log_odds import HealthyLogOdds, fit_healthy_log_odds
from hemozoin.decision.temperature import sigmoid
from hemozoin.metrics.predictions import LabelledPredictions
from hemozoin.model.bundle import load_bundle, save_bundle
from tests.support.bundles import some_bundle, some_classifier

BAND = ReviewBand(0.3, 0.6, 0.04)


def some_predictions(
    patients: int = 16, uninfected: int = 11, called: int = 5
) -> LabelledPredictions:
    """Return patients with medians of -4, -3.9 and so on, and cells of both labels called."""
    odds, truth, patient = [], [], []
    for number in range(patients):
        median = -4 + number / 10
        own = np.r_[np.linspace(-1, 1, uninfected) + median, np.full(2 * called, 5.0)]
        odds.append(own)
        truth.append(np.r_[np.zeros(uninfected + called), np.ones(called)] > 0)
        patient += [f"C{number}"] * len(own)
    p = np.asarray(sigmoid(np.concatenate(odds)), np.float64)
    return LabelledPredictions(np.concatenate(truth), p, np.array(patient))


def test_the_medians_of_patients_are_described() -> None:
    found = fit_healthy_log_odds(some_predictions(), BAND)
    medians = -4 + np.arange(16) / 10
    assert found is not None
    assert found.patients == 16
    assert found.mean == pytest.approx(medians.mean(), abs=1e-5)
    assert found.sd == pytest.approx(medians.std(ddof=1), abs=1e-5)
    assert found.highest_median == pytest.approx(medians.mean() + 2 * medians.std(ddof=1), abs=1e-5)


def test_called_cells_are_no_healthy_ones() -> None:
    """Many cells with a wrong label do not change the median of a patient."""
    some, many = some_predictions(called=0), some_predictions(called=30)
    assert fit_healthy_log_odds(some, BAND) == fit_healthy_log_odds(many, BAND)


def test_few_or_unknown_patients_have_none() -> None:
    assert fit_healthy_log_odds(some_predictions(patients=8), BAND) is not None
    assert fit_healthy_log_odds(some_predictions(patients=7), BAND) is None
    assert fit_healthy_log_odds(some_predictions(uninfected=9), BAND) is None
    unknown = some_predictions()
    assert fit_healthy_log_odds(LabelledPredictions(unknown.truth, unknown.p), BAND) is None


def test_a_model_folder_has_it(tmp_path: Path) -> None:
    bundle = some_bundle(some_classifier())
    healthy = HealthyLogOdds(-3.5, 0.25, 16)
    save_bundle(replace(bundle, healthy_log_odds=healthy), tmp_path)
    loaded = load_bundle(tmp_path)
    assert loaded.healthy_log_odds == healthy
    assert loaded.highest_healthy_median == -3.0
    assert bundle.highest_healthy_median is None
