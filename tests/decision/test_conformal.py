from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest

from hemozoin.decision.conformal import ReviewBand, fit_review_band, selective_metrics, units_needed
from hemozoin.errors import DataError
from hemozoin.metrics.predictions import LabelledPredictions


def simulated(
    rng: np.random.Generator, patients: int, cells: int, spread: float
) -> LabelledPredictions:
    """Draw cells of two overlapping classes; each patient's are shifted by `spread`."""
    shift = np.repeat(rng.normal(0, spread, patients), cells)
    truth = rng.random(len(shift)) < 0.5
    odds = rng.normal(np.where(truth, 2.0, -2.0)) + shift
    patient = np.repeat(np.arange(patients).astype(str), cells)
    return LabelledPredictions(truth, 1 / (1 + np.exp(-odds)), patient)


def without_patients(predictions: LabelledPredictions) -> LabelledPredictions:
    return LabelledPredictions(predictions.truth, predictions.p)


@pytest.mark.parametrize("patients", [16, 60])
@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_the_error_rate_holds_for_new_patients(patients: int, spread: float) -> None:
    rng = np.random.default_rng(0)
    errors = []
    for _ in range(40):
        band = fit_review_band(simulated(rng, patients, 100, spread), 0.5, 0.03)
        decided = selective_metrics(simulated(rng, 200, 10, spread), band)
        errors.append((decided.missed, decided.false_alarms))
    mean = np.mean(errors, axis=0)
    assert (mean <= 0.033).all()
    # A band that sends every cell to review would hold any rate.
    assert (mean >= 0.012).all()


def test_without_patients_the_error_rate_is_exceeded() -> None:
    # Few patients with many cells: the cells alone say little about the next patient.
    rng = np.random.default_rng(1)
    missed: dict[str, list[float]] = {"patients": [], "cells": []}
    for _ in range(40):
        calibration, new = simulated(rng, 12, 300, 1.5), simulated(rng, 200, 10, 1.5)
        for name, fitted in (
            ("patients", calibration),
            ("cells", without_patients(calibration)),
        ):
            missed[name].append(selective_metrics(new, fit_review_band(fitted, 0.5, 0.03)).missed)
    patients, cells = (float(np.mean(rates)) for rates in missed.values())
    # 12 patients who differ this much do not yet include the worst kind.
    assert patients < 0.045 < cells


def test_every_patient_has_the_same_weight() -> None:
    p = np.concatenate([np.linspace(0.1, 0.9, 5000), np.tile(np.linspace(0.6, 0.9, 20), 40)])
    patient = np.repeat(np.arange(41), [5000] + [20] * 40).astype(str)
    truth = np.ones(len(p), dtype=bool)
    uninfected = LabelledPredictions(~truth, 1 - p, patient)
    both = LabelledPredictions(
        np.concatenate([truth, uninfected.truth]),
        np.concatenate([p, uninfected.p]),
        np.concatenate([patient, patient]),
    )
    band = fit_review_band(both, 0.5, 0.05)
    assert band.low > 0.45
    assert band.high == pytest.approx(1 - band.low)
    assert fit_review_band(without_patients(both), 0.5, 0.05).low < 0.2


def test_the_limit_has_the_rank_of_split_conformal_prediction() -> None:
    # 99 cells, of which the fifth is at .23, and a rate of .05: (4 missed + 1 new) / 100.
    p = 0.2 + 0.6 * np.arange(1, 100) / 100
    predictions = LabelledPredictions(np.repeat([True, False], 99), np.concatenate([p, 1 - p]))
    band = fit_review_band(predictions, 0.5, 0.0501)
    assert (band.low, band.high) == pytest.approx((0.23, 0.77))
    assert band.error_rate == 0.0501


def test_a_good_network_reviews_nothing_and_decisions_match_labels() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(4000) < 0.5
    predictions = LabelledPredictions(
        truth, np.where(truth, rng.uniform(0.8, 1, 4000), rng.uniform(0, 0.2, 4000))
    )
    assert fit_review_band(predictions, 0.37, 0.03) == ReviewBand(0.37, 0.37, 0.03)
    overlapping = without_patients(simulated(rng, 40, 100, 0))
    for threshold in (0.01, 0.5, 0.99):
        band = fit_review_band(overlapping, threshold, 0.03)
        assert band.low <= threshold <= band.high


@pytest.mark.parametrize("mirrored", [False, True])
def test_wrong_labels_do_not_send_all_cells_to_review(mirrored: bool) -> None:
    """One in ten parasitized cells is an uninfected one with a wrong label."""
    rng = np.random.default_rng(0)
    truth, patient = np.repeat([True, False], 1000), np.tile(np.arange(20), 100).astype(str)
    wrong = truth & (rng.random(2000) < 0.1)
    p = np.where(truth & ~wrong, rng.uniform(0.8, 1, 2000), rng.uniform(0, 0.1, 2000))
    p[:40], p[-40:] = 0.3, 0.3  # cells that can't be told
    if mirrored:
        truth, p = ~truth, 1 - p
    predictions = LabelledPredictions(truth, p, patient)
    band = fit_review_band(predictions, 0.5, 0.04)
    expected = (0.5, 0.85) if mirrored else (0.15, 0.5)
    assert (band.low, band.high) == pytest.approx(expected)
    metrics = selective_metrics(predictions, band)
    assert metrics.review == 80 / 2000
    share = max(metrics.missed, metrics.false_alarms)
    assert 0.08 < share <= band.error_rate < 0.13
    assert fit_review_band(predictions, 0.5, band.error_rate).error_rate == band.error_rate


def test_a_lower_rate_reviews_more() -> None:
    predictions = simulated(np.random.default_rng(0), 60, 100, 0.5)
    bands = [fit_review_band(predictions, 0.5, rate) for rate in (0.005, 0.01, 0.02)]
    assert bands[0].low < bands[1].low < bands[2].low
    assert bands[0].high > bands[1].high > bands[2].high


def test_too_few_cells_for_the_rate_give_review_only() -> None:
    predictions = LabelledPredictions(
        np.array([True, True, False, False]), np.array([0.9, 0.8, 0.1, 0.2])
    )
    assert fit_review_band(predictions, 0.5, 0.01) == ReviewBand(0, 1, 0.01)
    assert set(fit_review_band(predictions, 0.5, 0.01).decide_all(np.array([0.0, 0.5, 1.0]))) == {
        "review"
    }


def test_all_p_equal_is_all_review() -> None:
    predictions = LabelledPredictions(np.arange(200) % 2 == 0, np.full(200, 0.5))
    assert fit_review_band(predictions, 0.5, 0.05).decide(0.5) == "review"


@pytest.mark.parametrize("truth", [True, False])
def test_one_class_is_refused(truth: bool) -> None:
    with pytest.raises(DataError, match="both"):
        fit_review_band(LabelledPredictions(np.full(5, truth), np.full(5, 0.5)), 0.5)


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, math.nan])
def test_an_invalid_error_rate_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="error rate"):
        fit_review_band(simulated(np.random.default_rng(0), 3, 10, 0), 0.5, rate)
    with pytest.raises(ValueError, match="error rate"):
        ReviewBand(0.2, 0.8, rate)


@pytest.mark.parametrize("limits", [(0.8, 0.2), (-0.1, 0.5), (0.5, 1.1), (math.nan, 0.5)])
def test_an_invalid_band_is_refused(limits: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="low"):
        ReviewBand(*limits, 0.05)


def test_decisions_at_the_limits() -> None:
    band = ReviewBand(0.25, 0.75, 0.05)
    p: npt.NDArray[np.float64] = np.array([0, 0.249, 0.25, 0.5, 0.75, 0.751, 1, math.nan])
    expected = ["uninfected"] * 2 + ["review"] * 3 + ["parasitized"] * 2 + ["review"]
    assert band.decide_all(p).tolist() == expected
    assert [band.decide(float(value)) for value in p] == expected
    assert band.decide_all(np.array([])).tolist() == []


def test_a_review_band_converts_to_a_dict_and_back() -> None:
    band = ReviewBand(0.2, 0.8, 0.03)
    assert ReviewBand.from_dict(band.to_dict()) == band
    for damaged in ({}, {"low": 0.2, "high": 0.8}, {**band.to_dict(), "low": "x"}):
        with pytest.raises((KeyError, ValueError)):
            ReviewBand.from_dict(damaged)


def test_selective_metrics() -> None:
    truth = np.array([True, True, True, True, False, False, False, False, False, False])
    p = np.array([0.9, 0.8, 0.5, 0.1, 0.9, 0.5, 0.1, 0.1, 0.2, 0.0])
    decided = selective_metrics(LabelledPredictions(truth, p), ReviewBand(0.3, 0.7, 0.03))
    assert decided.review == pytest.approx(2 / 10)
    assert (decided.missed, decided.false_alarms) == pytest.approx((1 / 4, 1 / 6))
    assert (decided.sensitivity, decided.specificity) == pytest.approx((2 / 3, 4 / 5))
    assert decided.accuracy == pytest.approx(6 / 8)
    nothing = selective_metrics(LabelledPredictions(truth, p), ReviewBand(0, 1, 0.03))
    assert nothing.review == 1
    assert math.isnan(nothing.accuracy)
    assert nothing.missed == 0


@pytest.mark.parametrize(("rate", "units"), [(0.04, 24), (0.05, 19), (0.1, 9), (0.03, 33)])
def test_the_patients_that_a_guarantee_needs(rate: float, units: int) -> None:
    """The smallest n for which the quantile ceil((n + 1)(1 - rate)) / n is at most 1."""
    assert units_needed(rate) == units
    exact = Fraction(str(rate))
    assert math.ceil((units + 1) * (1 - exact)) <= units
    assert math.ceil(units * (1 - exact)) > units - 1
