"""Which slides look like those of known patients, and which don't."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hemozoin.arrays import Floats
from hemozoin.decision.patient_rate import PatientRate
from hemozoin.decision.reference_patients import (
    DIMENSIONS,
    Appearance,
    BulkCells,
    ReferencePatients,
    fit_reference_patients,
)
from hemozoin.errors import ModelError
from hemozoin.model.bundle import CONFIG, load_bundle, save_bundle
from hemozoin.model.checksums import SUMS, write_folder
from tests.support.bundles import some_bundle, some_classifier


def some_bulk(patients: int = 80, cells: int = 60, seed: int = 0) -> BulkCells:
    """Return patients that differ in p and in measures; 2 % of their cells are for review."""
    rng = np.random.default_rng(seed)
    names = np.repeat([f"C{number}" for number in range(patients)], cells)
    odds = rng.normal(np.repeat(rng.normal(-4, 0.5, patients), cells), 0.8)
    measures = rng.normal(np.repeat(rng.normal(-3, 0.3, (patients, 8)), cells, axis=0), 0.2)
    review, strange = rng.random((2, patients * cells)) < [[0.02], [0.002]]
    return BulkCells(names, odds, measures, review, strange)


def fitted(bulk: BulkCells | None = None) -> ReferencePatients:
    found = fit_reference_patients(bulk or some_bulk())
    assert found is not None
    return found


def test_unseen_patients_are_like_the_known_ones() -> None:
    reference, others = fitted(), some_bulk(patients=200, seed=1)
    differing = [list(reference.differences(one)) for one in others.patients()]
    assert np.mean([not found for found in differing]) >= 0.93


@pytest.mark.parametrize(
    "change",
    [
        {"log_odds": (-1.0, -0.5, 0.0, 0.5)},
        {"measures": (-3.0, -1.0, *[-3.0] * 6)},
        {"review": 20},
        {"strange": 6},
        {"cells": 0, "log_odds": (), "measures": (), "review": 0, "strange": 0},
    ],
)
def test_a_slide_that_differs_in_one_measure_is_found(change: dict[str, object]) -> None:
    usual = Appearance(60, (-4.5, -4.0, -3.5, -3.0), (-3.0,) * 8, 1, 0)
    reference = fitted()
    assert list(reference.differences(usual)) == []
    assert len(list(reference.differences(replace(usual, **change)))) == 1  # type: ignore[arg-type]


def test_the_measure_and_its_limit_are_named() -> None:
    odd = Appearance(100, (-4.5, -4.0, -3.5, -3.0), (-3.0, 0.0, *[-3.0] * 6), 40, 0)
    reference = fitted()
    look, review = reference.differences(odd)
    assert f"(distance {reference.distance(odd):.1f}, limit {reference.limit:.1f})" in look
    assert review.startswith(
        "40 of 100 red cells not called infected are for review, 40.0%; of the known patients' "
    )


def test_a_slide_of_unknown_measures_is_judged_by_its_shares() -> None:
    unknown = Appearance(60, (5.0,) * 4, (), 1, 0)
    assert list(fitted().differences(unknown)) == []
    assert len(list(fitted().differences(replace(unknown, review=30)))) == 1


def test_the_distance_by_another_formula() -> None:
    reference = fitted()
    slide = Appearance(
        60, (-4.0, -3.9, -3.2, -2.0), (-3.1, -3.0, -2.9, -3.0, -3.2, -3.0, -3.1, -3.0), 0, 0
    )
    difference = np.array([*slide.log_odds, *slide.measures]) - reference.mean
    expected = difference @ np.linalg.inv(reference.covariance) @ difference
    assert reference.distance(slide) ** 2 == pytest.approx(expected)


def test_few_patients_or_cells_give_none() -> None:
    assert fit_reference_patients(some_bulk(patients=39)) is None
    assert fit_reference_patients(some_bulk(cells=9)) is None


def test_a_bundle_saves_it(tmp_path: Path) -> None:
    reference = fitted()
    bundle = replace(some_bundle(some_classifier()), reference_patients=reference)
    save_bundle(bundle, tmp_path)
    loaded = load_bundle(tmp_path).reference_patients
    assert loaded is not None
    assert loaded.to_dict() == reference.to_dict()


def changed(covariance: Floats) -> list[list[float]]:
    found: list[list[float]] = covariance.tolist()
    return found


@pytest.mark.parametrize(
    "change",
    [
        {"mean": [0.0] * (DIMENSIONS - 1)},
        {"mean": [float("nan")] * DIMENSIONS},
        {"mean": None},
        {"covariance": changed(np.zeros((DIMENSIONS, DIMENSIONS)))},
        {"covariance": changed(np.tri(DIMENSIONS))},
        {"limit": 0},
        {"review": {"rate": 2, "sd": 0.1, "patients": 9, "cells": 90}},
        {"strange": None},
        {"more": 1},
    ],
)
def test_damaged_values_are_refused(change: dict[str, object], tmp_path: Path) -> None:
    save_bundle(some_bundle(some_classifier()), tmp_path)
    files = {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.name != SUMS}
    config = json.loads(files[CONFIG]) | {"reference": fitted().to_dict() | change}
    write_folder(tmp_path, files | {CONFIG: json.dumps(config).encode()})
    with pytest.raises(ModelError, match="reference"):
        load_bundle(tmp_path)


def test_rates_are_of_unseen_patients() -> None:
    bulk = some_bulk()
    reference = fitted(bulk)
    assert isinstance(reference.review, PatientRate)
    assert reference.review.rate == pytest.approx(bulk.review.mean(), rel=0.02)
    assert reference.strange.cells == len(bulk.strange)
