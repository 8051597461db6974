"""What a run says about itself: patients seen before, a small validation part, a poor fit."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hemozoin.arrays import texts
from hemozoin.data.cells import SplitCells
from hemozoin.decision.conformal import ReviewBand
from hemozoin.evaluation.report import unreadable_warning
from hemozoin.metrics.seen_patients import TrainingOverlap, overlap_with
from hemozoin.model.bundle import load_bundle, save_bundle
from hemozoin.training.initial_weights import InitialWeights
from hemozoin.training.recipe import PRESETS, Recipe
from hemozoin.training.runs.config import RunConfig
from hemozoin.training.runs.warnings import (
    duplicate_warning,
    poor_fit_warning,
    review_band_warning,
    seen_patients,
)
from tests.support.commands import hemozoin
from tests.support.tables import cells_of, labelled_cells, read_rows_of
from tests.support.third_party import saved, timm_arrays

DEFAULT = PRESETS["default"]
SHORT = ("--size", 32, "--epochs", 1, "--batch", 16)


@pytest.mark.slow
def test_a_run_knows_its_patients(finished_run: Path) -> None:
    seen = load_bundle(finished_run / "model").patients
    assert seen is not None
    patients = defaultdict[str, set[str]](set)
    for row in read_rows_of(finished_run / "split.csv"):
        patients[row["split"]].add(row["patient"])
    for part, hashes in (("train", seen.training), ("validation", seen.validation)):
        assert seen.among(patients[part]) == patients[part]
        assert len(hashes) == len(patients[part])
    assert not seen.among(patients["test"])


@pytest.mark.slow
def test_starting_from_a_network_that_has_seen_the_test_patients(
    tmp_path: Path, finished_run: Path
) -> None:
    data, run = finished_run.parent / "cells.zip", tmp_path / "run"
    command = ("train", data, "--out", run, "--init", finished_run, "--seed", 3, *SHORT)
    outcome = hemozoin(*command)
    assert outcome.code == 0, outcome.err
    assert "WARNING: SEEN IN TRAINING" in outcome.err
    assert "of --init was trained on" in outcome.err
    assert "SEEN IN TRAINING: " in outcome.out
    assert '"tested_on": "seen in training"' in (run / "metrics.json").read_text()
    before, after = (load_bundle(path / "model").patients for path in (finished_run, run))
    assert before is not None
    assert after is not None
    assert after.training > before.training
    assert after.salt == before.salt


def two_patients() -> SplitCells:
    cells = cells_of([("a", "uninfected", "C1"), ("b", "uninfected", "C2")])
    return SplitCells(**cells.columns(), split=texts(["train", "validation"]), row=np.arange(2))


def config_from(path: Path) -> RunConfig:
    init = InitialWeights.find(path)
    return RunConfig(Path(), recipe=Recipe(alpha=init.architecture.alpha, init=init))


def test_of_an_older_network_the_patients_are_not_known(tmp_path: Path, finished_run: Path) -> None:
    bundle = load_bundle(finished_run / "model")
    save_bundle(replace(bundle, patients=None), tmp_path / "old")
    cells = two_patients()
    assert seen_patients(config_from(tmp_path / "old"), cells) is None
    assert seen_patients(config_from(finished_run), cells) is not None


def test_a_file_of_timm_has_seen_no_patient(tmp_path: Path) -> None:
    file = saved(tmp_path / "t.safetensors", timm_arrays(alpha=0.5, classes=5))
    cells = two_patients()
    assert seen_patients(config_from(file), cells) == seen_patients(RunConfig(Path()), cells)


@pytest.mark.parametrize(("patients", "is_warned"), [(2, True), (23, True), (24, False)])
def test_a_review_band_from_few_patients(patients: int, is_warned: bool) -> None:
    labels = ["parasitized"] * patients + ["uninfected"] * 40
    validation = labelled_cells(labels, [f"C{k}" for k in (*range(patients), *range(40))])
    found = [*review_band_warning(validation, ReviewBand(0.1, 0.9, 0.04))]
    assert bool(found) == is_warned
    assert all(f"{patients} in validation" in sentence and "24" in sentence for sentence in found)


def test_a_poor_fit_says_what_to_try() -> None:
    (found,) = poor_fit_warning(replace(DEFAULT, epochs=3), 0.83)
    assert "AUC 0.830 on the validation cells" in found
    assert "--init nano" in found
    assert "--epochs 60 (now 3)" in found
    (wide,) = poor_fit_warning(replace(DEFAULT, alpha=0.5, epochs=60), 0.83)
    assert "--init" not in wide
    assert "--epochs" not in wide
    assert "more patients" in wide
    assert [*poor_fit_warning(DEFAULT, 0.98)] == []
    assert [*poor_fit_warning(DEFAULT, float("nan"))] == []


def test_unreadable_pictures_are_counted() -> None:
    assert [*unreadable_warning(0)] == []
    assert "1,234 pictures" in next(unreadable_warning(1234))


def test_the_patients_of_extra_cells_are_seen() -> None:
    """Also those whom the test part has too: this is told as seen in training."""
    config, cells = RunConfig(Path()), two_patients()
    extra = cells_of([("c", "uninfected", "C3")])
    seen = seen_patients(config, cells, extra)
    assert seen is not None
    assert seen.among(["C1", "C2", "C3", "C4"]) == {"C1", "C2", "C3"}
    assert overlap_with(seen, extra) == TrainingOverlap(cells=1, patients=1)
    unnamed = seen_patients(config, cells, cells_of([("c", "uninfected", None)]))
    assert unnamed is not None
    assert unnamed.among(["C1", "C2", "C3"]) == {"C1", "C2"}


def test_the_same_picture_in_two_parts_is_told() -> None:
    cells = two_patients()
    pixels = np.zeros((2, 4, 4, 3), np.uint8)
    (found,) = duplicate_warning(cells, pixels)
    assert "1 validation or test cells have the same pixels as a training cell" in found
    pixels[1, 0, 0, 0] = 1
    assert [*duplicate_warning(cells, pixels)] == []
    both_trained = replace(cells, split=texts(["train", "train"]))
    assert [*duplicate_warning(both_trained, np.zeros_like(pixels))] == []
