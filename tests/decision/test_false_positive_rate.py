"""The false-positive rate: by patient, without the sampling error of the cells."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemozoin.arrays import Floats
from hemozoin.decision.conformal import ReviewBand
from hemozoin.decision.false_positive_rate import fit_false_positive_rate
from hemozoin.decision.patient_rate import MIN_PATIENTS, Moments, beta_moments
from hemozoin.decision.temperature import calibrate
from hemozoin.decision.threshold import OperatingPoint
from hemozoin.errors import ModelError
from hemozoin.metrics.predictions import LabelledPredictions
from hemozoin.model.bundle import CONFIG, load_bundle, save_bundle
from hemozoin.model.checksums import SUMS, write_folder
from hemozoin.training.packaging import fit_decision
from tests.support.bundles import some_bundle, some_classifier
from tests.support.tables import labelled_cells, without_patients

BAND = ReviewBand(0.3, 0.7, 0.04)


def predictions(
    false_positives: list[int], cells: list[int], infected: int = 3
) -> LabelledPredictions:
    """Return patients with these false positives among their uninfected cells."""
    p, truth, patient = [], [], []
    for k, (called, total) in enumerate(zip(false_positives, cells, strict=True)):
        p += [0.9] * called + [0.1] * (total - called) + [0.95] * infected
        truth += [False] * total + [True] * infected
        patient += [f"C{k}"] * (total + infected)
    return LabelledPredictions(np.array(truth), np.array(p), np.array(patient))


def fitted(false_positives: list[int], cells: list[int]) -> Moments:
    found = fit_false_positive_rate(predictions(false_positives, cells), BAND)
    assert found is not None
    return found


def test_by_hand() -> None:
    """Two patients with 10 cells each, 1 and 3 false positives: the weights are equal.

    m = .2, variance of the shares .02, v = (.09 + .21) / 9 / 2 = .01666…: sd² = .00333….
    """
    rate, sd = beta_moments(np.array([1.0, 3.0]), np.array([10.0, 10.0]))
    assert rate == pytest.approx(0.2)
    assert sd**2 == pytest.approx(0.02 - 0.3 / 9 / 2)


def test_weights_by_hand() -> None:
    """A third patient has one cell, a false positive: sd² is still .00333… from the other two.

    Their weights are 10 / (m (1 - m) + 10 sd²) each, that of the third 1 / (m (1 - m) + sd²).
    """
    rate, sd = beta_moments(np.array([1.0, 3.0, 1.0]), np.array([10.0, 10.0, 1.0]))
    assert sd**2 == pytest.approx(0.01 / 3)
    noise = rate * (1 - rate)
    many, one = 10 / (noise + 0.1 / 3), 1 / (noise + 0.01 / 3)
    assert rate == pytest.approx((0.1 * many + 0.3 * many + one) / (2 * many + one), abs=1e-9)


def test_only_uninfected_cells_outside_the_review_band_count() -> None:
    found = fitted([0, 1, 2, 3, 4], [100] * 5)
    assert (found.patients, found.cells) == (5, 500)
    assert found.rate == pytest.approx(0.02)
    cells = predictions([0, 1, 2, 3, 4], [100] * 5)
    uncertain = np.where(cells.p == 0.9, 0.7, cells.p)
    reviewed = fit_false_positive_rate(
        LabelledPredictions(cells.truth, uncertain, cells.patient), BAND
    )
    assert reviewed == Moments(0.0, 0.0, 5, 500)


def test_equal_patients_differ_by_sampling_error_only() -> None:
    rng = np.random.default_rng(1)
    cells = np.full(400, 100.0)
    rate, sd = beta_moments(rng.binomial(100, 0.03, 400).astype(float), cells)
    assert rate == pytest.approx(0.03, abs=0.002)
    assert sd < 0.004  # the standard deviation of the shares is .017


@pytest.mark.parametrize(("rate", "sd"), [(0.03, 0.02), (0.03, 0.05), (0.2, 0.1)])
def test_it_recovers_the_simulated_rate_and_deviation(rate: float, sd: float) -> None:
    """Their numbers of cells differ from 1 to 400."""
    rng = np.random.default_rng(0)
    size = rate * (1 - rate) / sd**2 - 1
    rates = rng.beta(rate * size, (1 - rate) * size, 3000)
    cells = np.exp(rng.uniform(0, math.log(400), 3000)).round()
    found = beta_moments(rng.binomial(cells.astype(int), rates).astype(float), cells)
    assert found == pytest.approx((rate, sd), rel=0.1)


def test_a_patient_with_one_cell_changes_it_little() -> None:
    """An unweighted mean would rise from .02 to .18, its deviation to .40."""
    before = fitted([2, 3, 1, 2, 2], [100] * 5)
    after = fitted([2, 3, 1, 2, 2, 1], [100] * 5 + [1])
    assert before.rate == pytest.approx(0.02)
    assert after.rate < 0.03
    assert after.sd < 0.03


def test_patients_with_many_cells_have_equal_weight() -> None:
    """The rate of all cells pooled is .1."""
    found = fitted([0, 0, 0, 0, 5000], [9000, 9000, 9000, 9000, 14000])
    assert found.rate == pytest.approx(5000 / 14000 / 5, rel=0.01)
    assert found.sd == pytest.approx(np.std([0, 0, 0, 0, 5000 / 14000], ddof=1), rel=0.01)


def test_few_or_unknown_patients_give_no_rate() -> None:
    few = predictions([1] * (MIN_PATIENTS - 1), [50] * (MIN_PATIENTS - 1))
    assert fit_false_positive_rate(few, BAND) is None
    assert fit_false_positive_rate(LabelledPredictions(few.truth, few.p), BAND) is None
    infected = LabelledPredictions(
        np.ones(9, np.bool_), np.full(9, 0.5), np.array(list("abcdefghi"))
    )
    assert fit_false_positive_rate(infected, BAND) is None


def counts() -> st.SearchStrategy[list[tuple[int, int]]]:
    pair = st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
    return st.lists(pair, min_size=MIN_PATIENTS, max_size=30)


@pytest.mark.slow
@given(counts())
def test_it_is_in_range_for_any_patients(pairs: list[tuple[int, int]]) -> None:
    called, cells = (np.array(column, np.float64) for column in zip(*pairs, strict=True))
    rate, sd = beta_moments(called, cells)
    share: Floats = called / cells
    assert share.min() - 1e-12 <= rate <= share.max() + 1e-12
    assert 0 <= sd <= 0.5 + 1e-12
    order = np.random.default_rng(0).permutation(len(cells))
    assert beta_moments(called[order], cells[order]) == pytest.approx((rate, sd), abs=1e-6)


@pytest.mark.parametrize(
    "values",
    [
        {"rate": -0.1},
        {"rate": math.nan},
        {"sd": 1.5},
        {"sd": math.nan},
        {"patients": 0},
        {"cells": 4},
    ],
)
def test_ranges(values: dict[str, float]) -> None:
    good = {"rate": 0.03, "sd": 0.02, "patients": 5, "cells": 500}
    assert Moments.from_dict(good).to_dict() == good
    with pytest.raises(ValueError, match="need"):
        Moments.from_dict(good | values)


def test_a_bundle_saves_it_and_older_folders_have_none(tmp_path: Path) -> None:
    found = Moments(0.03, 0.02, 16, 2000)
    bundle = replace(some_bundle(some_classifier()), false_positive_rate=found)
    save_bundle(bundle, tmp_path / "new")
    assert load_bundle(tmp_path / "new").false_positive_rate == found
    save_bundle(replace(bundle, false_positive_rate=None), tmp_path / "old")
    assert "false_positives" not in json.loads((tmp_path / "old" / CONFIG).read_text())
    assert load_bundle(tmp_path / "old").false_positive_rate is None


@pytest.mark.parametrize("value", [[], {}, {"rate": 2, "sd": 0, "patients": 5, "cells": 9}, 0.03])
def test_a_damaged_rate_is_refused(value: object, tmp_path: Path) -> None:
    save_bundle(some_bundle(some_classifier()), tmp_path)
    files = {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.name != SUMS}
    config = json.loads(files[CONFIG]) | {"false_positives": value}
    write_folder(tmp_path, files | {CONFIG: json.dumps(config).encode()})
    with pytest.raises(ModelError, match="damaged"):
        load_bundle(tmp_path)


def test_training_fits_it_with_the_band_it_decides_by() -> None:
    rng = np.random.default_rng(0)
    infected = rng.random(600) < 0.5
    logit = rng.normal(np.where(infected, 2.0, -2.0), 1.5)
    labels = np.where(infected, "parasitized", "uninfected")
    cells = labelled_cells(labels.tolist(), (f"C{k % 12}" for k in range(600)))
    decided = fit_decision(cells, logit, OperatingPoint())
    p = calibrate(logit, decided.temperature)
    again = fit_false_positive_rate(LabelledPredictions.from_cells(cells, p), decided.review_band)
    assert decided.false_positive_rate == again
    assert again is not None
    assert 0 < again.rate < 0.1
    unknown = without_patients(cells)
    assert fit_decision(unknown, logit, OperatingPoint()).false_positive_rate is None
