from __future__ import annotations

import numpy as np
import pytest

from hemozoin.arrays import Bools, Floats
from hemozoin.decision.temperature import (
    MAX_TEMPERATURE,
    MIN_TEMPERATURE,
    calibrate,
    fit_temperature,
)
from hemozoin.metrics.classification import compute_metrics
from hemozoin.metrics.predictions import LabelledPredictions


def confident(temperature: float, n: int = 20_000) -> tuple[Bools, Floats]:
    """Draw cells whose log odds are `temperature` times too large."""
    rng = np.random.default_rng(0)
    odds = rng.normal(0, 2.5, n)
    return rng.random(n) < 1 / (1 + np.exp(-odds)), odds * temperature


def loss(truth: Bools, p: Floats) -> float:
    return float(-np.mean(np.where(truth, np.log(p), np.log(1 - p))))


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_is_recovered(temperature: float) -> None:
    truth, logit = confident(temperature)
    assert fit_temperature(truth, logit) == pytest.approx(temperature, rel=0.05)


def test_it_minimizes_the_loss_and_calibrates() -> None:
    truth, logit = confident(3.0)
    best = fit_temperature(truth, logit)
    around = [loss(truth, calibrate(logit, best * factor)) for factor in (0.9, 1.0, 1.1)]
    assert around[1] == min(around)
    before, after = (
        compute_metrics(LabelledPredictions(truth, calibrate(logit, t)), 0.5) for t in (1.0, best)
    )
    assert after["calibration_error"] < 0.3 * before["calibration_error"]
    assert after["roc_auc"] == pytest.approx(before["roc_auc"])


def test_perfectly_separated_classes_keep_it_above_its_minimum() -> None:
    logit = np.linspace(-4, 4, 200)
    temperature = fit_temperature(logit > 0, logit)
    assert MIN_TEMPERATURE < temperature < 1
    assert (
        compute_metrics(LabelledPredictions(logit > 0, calibrate(logit, temperature)), 0.5)[
            "accuracy"
        ]
        == 1
    )


def test_both_classes_are_treated_alike() -> None:
    logit = np.linspace(-4, 2, 300)
    mirrored = fit_temperature(logit < 0, -logit)
    assert fit_temperature(logit > 0, logit) == pytest.approx(mirrored)


def test_swapped_classes_give_the_maximum() -> None:
    truth, logit = confident(1.0)
    assert fit_temperature(~truth, logit) == pytest.approx(MAX_TEMPERATURE)


def test_every_patient_has_the_same_weight() -> None:
    truth, logit = confident(3.0, n=4000)
    other_truth, other_logit = confident(0.5, n=400)
    truth, logit = np.append(truth, other_truth), np.append(logit, other_logit)
    # 4,000 cells of one patient against 40 patients of 10.
    patient = np.append(np.zeros(4000, int), 1 + np.arange(400) // 10).astype(np.str_)
    assert fit_temperature(truth, logit) > 2
    assert fit_temperature(truth, logit, patient) < 0.8


def test_calibrate() -> None:
    extreme = calibrate(np.array([-1e6, 0.0, 1e6], np.float32), 0.5)
    assert extreme.tolist() == [0.0, 0.5, 1.0]
    assert calibrate(np.array([2.0]), 2.0)[0] == pytest.approx(1 / (1 + np.exp(-1)))
