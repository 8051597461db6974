"""The rate of false positives: by patient, without the noise of counting."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemozoin.arrays import Floats
from hemozoin.decision.conformal import ReviewBand
from hemozoin.decision.false_positive_rate import (
    MIN_PATIENTS,
    FalsePositiveRate,
    beta_moments,
    fit_false_positive_rate,
)
from hemozoin.decision.temperature import calibrate
from hemozoin.decision.threshold import OperatingPoint
from hemozoin.errors import ModelError
from hemozoin.metrics.classification import LabelledPredictions
from hemozoin.model.bundle import CONFIG, load_bundle, save_bundle
from hemozoin.model.checksums import SUMS, write_folder
from hemozoin.training.packaging import decide
from tests.support.bundles import some_bundle, some_classifier

BAND = ReviewBand(0.3, 0.7, 0.04)


def predictions(called: list[int], cells: list[int], others: int = 3) -> LabelledPredictions:
    """Return patients with so many of their healthy cells called, and some infected cells."""
    p, truth, patient = [], [], []
    for k, (some, whole) in enumerate(zip(called, cells, strict=True)):
        p += [0.9] * some + [0.1] * (whole - some) + [0.95] * others
        truth += [False] * whole + [True] * others
        patient += [f"C{k}"] * (whole + others)
    return LabelledPredictions(np.array(truth), np.array(p), np.array(patient))


def fitted(called: list[int], cells: list[int]) -> FalsePositiveRate:
    found = fit_false_positive_rate(predictions(called, cells), BAND)
    assert found is not None
    return found


def test_by_hand() -> None:
    """Two patients of 10 cells, 1 and 3 called: the weights are equal.

    m = .2, variance of the shares .02, v = (.09 + .21) / 9 / 2 = .01666…: sd² = .00333….
    """
    rate, sd = beta_moments(np.array([1.0, 3.0]), np.array([10.0, 10.0]))
    assert rate == pytest.approx(0.2)
    assert sd**2 == pytest.approx(0.02 - 0.3 / 9 / 2)


def test_weights_by_hand() -> None:
    """A third patient with one cell that was called: sd² stays .00333… of the other two.

    Those weigh 10 / (m (1 - m) + 10 sd²) each, the third 1 / (m (1 - m) + sd²).
    """
    rate, sd = beta_moments(np.array([1.0, 3.0, 1.0]), np.array([10.0, 10.0, 1.0]))
    assert sd**2 == pytest.approx(0.01 / 3)
    noise = rate * (1 - rate)
    many, one = 10 / (noise + 0.1 / 3), 1 / (noise + 0.01 / 3)
    assert rate == pytest.approx((0.1 * many + 0.3 * many + one) / (2 * many + one), abs=1e-9)


def test_only_healthy_cells_that_are_decided_count() -> None:
    found = fitted([0, 1, 2, 3, 4], [100] * 5)
    assert (found.patients, found.cells) == (5, 500)
    assert found.rate == pytest.approx(0.02)
    cells = predictions([0, 1, 2, 3, 4], [100] * 5)
    unsure = np.where(cells.p == 0.9, 0.7, cells.p)
    left = fit_false_positive_rate(LabelledPredictions(cells.truth, unsure, cells.patient), BAND)
    assert left == FalsePositiveRate(0.0, 0.0, 5, 500)


def test_patients_alike_differ_by_counting_only() -> None:
    rng = np.random.default_rng(1)
    cells = np.full(400, 100.0)
    rate, sd = beta_moments(rng.binomial(100, 0.03, 400).astype(float), cells)
    assert rate == pytest.approx(0.03, abs=0.002)
    assert sd < 0.004  # the shares' own deviation is .017


@pytest.mark.parametrize(("rate", "sd"), [(0.03, 0.02), (0.03, 0.05), (0.2, 0.1)])
def test_it_finds_what_patients_were_drawn_with(rate: float, sd: float) -> None:
    """Their numbers of cells differ from 1 to 400."""
    rng = np.random.default_rng(0)
    size = rate * (1 - rate) / sd**2 - 1
    own = rng.beta(rate * size, (1 - rate) * size, 3000)
    cells = np.exp(rng.uniform(0, math.log(400), 3000)).round()
    found = beta_moments(rng.binomial(cells.astype(int), own).astype(float), cells)
    assert found == pytest.approx((rate, sd), rel=0.1)


def test_a_patient_of_one_cell_does_not_blow_it_up() -> None:
    """A plain mean of shares would go from .02 to .18, its deviation to .40."""
    sure = fitted([2, 3, 1, 2, 2], [100] * 5)
    one_more = fitted([2, 3, 1, 2, 2, 1], [100] * 5 + [1])
    assert sure.rate == pytest.approx(0.02)
    assert one_more.rate < 0.03
    assert one_more.sd < 0.03


def test_patients_with_many_cells_count_alike() -> None:
    """All cells together would have the rate .1."""
    found = fitted([0, 0, 0, 0, 5000], [9000, 9000, 9000, 9000, 14000])
    assert found.rate == pytest.approx(5000 / 14000 / 5, rel=0.01)
    assert found.sd == pytest.approx(np.std([0, 0, 0, 0, 5000 / 14000], ddof=1), rel=0.01)


def test_few_patients_or_none_give_no_rate() -> None:
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


@given(counts())
def test_it_holds_for_any_patients(pairs: list[tuple[int, int]]) -> None:
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
    assert FalsePositiveRate.from_dict(good).to_dict() == good
    with pytest.raises(ValueError, match="need"):
        FalsePositiveRate.from_dict(good | values)


def test_a_bundle_keeps_it_and_older_folders_have_none(tmp_path: Path) -> None:
    found = FalsePositiveRate(0.03, 0.02, 16, 2000)
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
    cells = pl.DataFrame({"label": labels, "patient": [f"C{k % 12}" for k in range(600)]})
    decided = decide(cells, logit, OperatingPoint())
    p = calibrate(logit, decided.temperature)
    again = fit_false_positive_rate(LabelledPredictions.from_cells(cells, p), decided.band)
    assert decided.false_positive_rate == again
    assert again is not None
    assert 0 < again.rate < 0.1
    nobody = cells.with_columns(patient=pl.lit(None, pl.String))
    assert decide(nobody, logit, OperatingPoint()).false_positive_rate is None
