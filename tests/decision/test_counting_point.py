"""The operating point for counting: chosen for the limit of detection, stored with its rates."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from hemozoin.decision.conformal import ReviewBand
from hemozoin.decision.counting_point import CountingPoint, fit_counting_point
from hemozoin.decision.false_positive_rate import fit_false_positive_rate
from hemozoin.decision.patient_rate import MIN_PATIENTS, Moments, PatientRate
from hemozoin.errors import ModelError
from hemozoin.metrics.predictions import LabelledPredictions
from hemozoin.model.bundle import CONFIG, load_bundle, save_bundle
from hemozoin.model.checksums import SUMS, write_folder
from tests.support.bundles import some_bundle, some_classifier

BAND = ReviewBand(0.3, 0.6, 0.01)
POINT = CountingPoint(0.95, PatientRate(0.002, 0.001, 60, 6000), PatientRate(0.82, 0.05, 50, 5000))


def some_predictions(patients: int = 40, cells: int = 100) -> LabelledPredictions:
    """Return patients with as many uninfected as infected cells, told apart by a d' of 4."""
    rng = np.random.default_rng(0)
    truth = np.tile(np.arange(cells) % 2 == 0, patients)
    z = rng.normal(np.where(truth, 2, -2), 1)
    names = np.repeat([f"C{number}" for number in range(patients)], cells)
    return LabelledPredictions(truth, 1 / (1 + np.exp(-2 * z)), names)


def fitted(predictions: LabelledPredictions) -> CountingPoint:
    found = fit_counting_point(predictions, BAND)
    assert found is not None
    assert found.threshold is not None
    assert found.sensitivity is not None
    return found


def test_it_is_stricter_than_the_decision_and_finds_fewer_parasites() -> None:
    predictions = some_predictions()
    decided = fit_false_positive_rate(predictions, BAND)
    assert decided is not None
    point = fitted(predictions)
    by_decision = CountingPoint(None, decided.of_unseen_patient())
    assert (point.threshold or 0) > BAND.high
    limits = [one.limit_of_detection(5000) or 1 for one in (point, by_decision)]
    assert limits[0] < limits[1] / 2


def exponential_predictions(seed: int) -> LabelledPredictions:
    """Return 100 patients with 100 cells of each class; the log odds of both are exponential.

    1 % of the uninfected cells are called infected. The mean excess of both is 1.
    """
    rng = np.random.default_rng(seed)
    truth = np.tile(np.arange(200) % 2 == 0, 100)
    start = np.log(BAND.high / (1 - BAND.high))
    excess = rng.exponential(1, len(truth)) + np.where(truth, 1, np.log(0.01))
    names = np.repeat([f"C{number}" for number in range(100)], 200)
    return LabelledPredictions(truth, 1 / (1 + np.exp(-start - excess)), names)


@pytest.mark.slow
def test_the_rates_are_the_true_ones() -> None:
    """Over many data sets, the error of the false-positive rate is what it is taken for."""
    errors = []
    for seed in range(20):
        point = fitted(exponential_predictions(seed))
        rate, threshold = point.false_positives, np.array(point.threshold)
        excess = np.log(threshold / (1 - threshold)) - np.log(BAND.high / (1 - BAND.high))
        assert rate.rate * rate.cells >= 5 * 0.999
        assert point.sensitivity is not None
        assert point.sensitivity.rate == pytest.approx(min(np.exp(1 - excess), 1), abs=0.03)
        true = 0.01 * np.exp(-excess)
        errors.append((rate.rate / true - 1) / np.sqrt((1 + excess**2) / 100))
    assert abs(np.mean(errors)) < 0.7
    assert 0.6 < np.std(errors) < 1.6


def test_the_deviation_by_hand() -> None:
    """Differences between patients as a share of the rate, and the error of the rate itself."""
    predictions = exponential_predictions(0)
    point, decided = fitted(predictions), fit_false_positive_rate(predictions, BAND)
    assert decided is not None
    share = point.false_positives.rate / decided.rate
    count = int(np.sum(predictions.p[~predictions.truth] > BAND.high))
    relative_error = (1 + np.log(share) ** 2) / count
    variance = decided.spread**2 * 1.01 + decided.mean**2 * relative_error
    assert point.false_positives.sd == pytest.approx(share * np.sqrt(variance))


@pytest.mark.parametrize("false_positives", [0, 1, 5])
def test_with_few_false_positives_it_is_that_of_the_decisions(false_positives: int) -> None:
    predictions = some_predictions()
    uninfected = np.flatnonzero(~predictions.truth)
    p = predictions.p.copy()
    p[uninfected] = np.minimum(p[uninfected], 0.5)
    p[uninfected[:false_positives]] = 0.99
    point = fitted(LabelledPredictions(predictions.truth, p, predictions.patient))
    assert point.threshold == pytest.approx(BAND.high)
    assert point.false_positives.rate == pytest.approx(false_positives / len(uninfected), rel=0.1)


def test_few_or_unknown_patients_give_none() -> None:
    few = some_predictions(patients=MIN_PATIENTS - 1)
    assert fit_counting_point(few, BAND) is None
    assert fit_counting_point(LabelledPredictions(few.truth, few.p), BAND) is None


def test_no_cell_above_the_band_gives_none() -> None:
    predictions = some_predictions()
    low = LabelledPredictions(predictions.truth, predictions.p / 2, predictions.patient)
    assert fit_counting_point(low, BAND) is None


def test_the_share_by_hand() -> None:
    """At f = .002 and s = .82, 10 % infected cells give .1 · .82 + .9 · .002 = .0838 counted."""
    assert POINT.infected_share(0.0838) == pytest.approx(0.1)
    assert POINT.infected_share(0.001) == 0
    assert POINT.infected_share(0.99) == 1


def test_the_limits_by_another_calculation() -> None:
    """With hardly any spread between patients both limits are those of two binomials."""
    point = CountingPoint(
        0.9, PatientRate(0.001, 1e-6, 100, 10**9), PatientRate(0.8, 1e-4, 100, 10**9)
    )
    count = point.reportable_count(5000)
    assert count is not None
    assert stats.binom.sf(count - 1, 5000, 0.001) <= 0.025 < stats.binom.sf(count - 2, 5000, 0.001)
    share = point.limit_of_detection(5000)
    assert share is not None
    found = stats.binom.sf(count - 1, 5000, 0.8 * share + 0.001 * (1 - share))
    assert found == pytest.approx(0.95, abs=1e-3)


def test_a_limit_that_cannot_be_reached_is_none() -> None:
    blind = CountingPoint(0.9, PatientRate(0.2, 0.15, 9, 90), PatientRate(0.3, 0.2, 9, 90))
    assert blind.limit_of_detection(1000) is None
    assert blind.reportable_count(1) is None


def test_only_called_cells_above_the_threshold_count() -> None:
    assert POINT.is_counted("parasitized", 0.95)
    assert not POINT.is_counted("parasitized", 0.94)
    assert not POINT.is_counted("review", 0.99)
    assert replace(POINT, threshold=None).is_counted("parasitized", 0.6)


def test_a_bundle_saves_it_and_older_folders_count_by_the_decisions(tmp_path: Path) -> None:
    rate = Moments(0.02, 0.01, 40, 8000)
    bundle = replace(some_bundle(some_classifier()), false_positive_rate=rate)
    save_bundle(replace(bundle, counting_point=POINT), tmp_path / "new")
    loaded = load_bundle(tmp_path / "new")
    assert loaded.counting_point == loaded.counting == POINT
    save_bundle(bundle, tmp_path / "old")
    old = load_bundle(tmp_path / "old")
    assert old.counting_point is None
    assert old.counting == CountingPoint(None, rate.of_unseen_patient())
    assert replace(old, false_positive_rate=None).counting is None


@pytest.mark.parametrize(
    "change",
    [
        {"threshold": 1},
        {"threshold": None},
        {"sensitivity": None},
        {"sensitivity": {"rate": 0.001, "sd": 0.1, "patients": 9, "cells": 90}},
        {"false_positives": {"rate": 0.001, "sd": 0.0, "patients": 9, "cells": 90}},
        {"false_positives": {"rate": 0.001, "sd": 0.1, "patients": 99, "cells": 90}},
        {"more": 1},
    ],
)
def test_damaged_values_are_refused(change: dict[str, object], tmp_path: Path) -> None:
    save_bundle(some_bundle(some_classifier()), tmp_path)
    files = {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.name != SUMS}
    config = json.loads(files[CONFIG]) | {"counting": POINT.to_dict() | change}
    write_folder(tmp_path, files | {CONFIG: json.dumps(config).encode()})
    with pytest.raises(ModelError, match="counting"):
        load_bundle(tmp_path)


def test_a_point_without_sensitivity_is_read_as_it_was_written() -> None:
    point = CountingPoint(None, PatientRate(0.01, 0.005, 20, 2000))
    assert CountingPoint.from_dict(point.to_dict()) == point
