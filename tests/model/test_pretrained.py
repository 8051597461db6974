"""The pretrained networks: complete, small, described, and as good as their cards say."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hemozoin
import microscope
from hemozoin.data.dataset import find_cells
from hemozoin.data.options import CellOptions
from hemozoin.data.store import decode_all
from hemozoin.errors import DataError
from hemozoin.metrics.classification import compute_metrics
from hemozoin.metrics.predictions import LabelledPredictions
from hemozoin.model.bundle import load_bundle
from hemozoin.model.predictor import Predictor
from hemozoin.model.registry import pretrained_folder, pretrained_names
from hemozoin.synthetic.cell import draw_cell, draw_patient
from tests.support.commands import hemozoin as hemozoin_command
from tests.support.commands import refused, succeed

MEGABYTES = {"nano": 1, "best": 4}


def test_there_are_two() -> None:
    assert pretrained_names() == ["best", "nano"]


@pytest.mark.parametrize("name", MEGABYTES)
def test_it_is_complete_and_small(name: str) -> None:
    bundle = load_bundle(pretrained_folder(name))
    for graph in bundle.graphs.values():
        assert len(graph) <= MEGABYTES[name] * 1_000_000
    assert len(bundle.graphs["model_int8.onnx"]) < 0.4 * len(bundle.graphs["model.onnx"])
    assert bundle.about["figures"]["labels_as_given"]["patients"] == 160
    assert len(bundle.about["folds"]) == 5
    assert bundle.patients is not None
    assert len(bundle.patients.training) == 160
    assert bundle.patients.among(["C1", "C9999"]) == {"C1"}


@pytest.mark.parametrize("name", MEGABYTES)
def test_its_card_has_its_metrics_and_no_absolute_path(name: str) -> None:
    card = (pretrained_folder(name) / "README.md").read_text(encoding="utf-8")
    metrics = load_bundle(pretrained_folder(name)).about["figures"]["labels_as_given"]
    for metric in ("accuracy", "roc_auc"):
        assert f"{metrics[metric]['value']:.4f}" in card
    for file in ("README.md", "config.json"):
        text = (pretrained_folder(name) / file).read_text(encoding="utf-8")
        assert not re.search(r'["`](/|[A-Z]:)[^"`]*/', text)


def test_predict_has_a_default_model(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    Image.fromarray(draw_cell(rng, draw_patient(rng), infected=True)).save(tmp_path / "cell.png")
    (row,) = csv.DictReader(succeed("predict", tmp_path / "cell.png").splitlines())
    assert 0 <= float(row["p_parasitized"]) <= 1
    assert row["decision"] in {"parasitized", "uninfected", "review"}


def test_an_unknown_name_lists_the_names(tmp_path: Path) -> None:
    line = refused("predict", tmp_path, "--model", "mega")
    assert "best, nano" in line


def test_a_picture_without_a_cell_is_for_review() -> None:
    network = hemozoin.load("nano")
    noise = np.random.default_rng(0).integers(0, 256, (90, 90, 3), dtype=np.uint8)
    for picture in (noise, np.full((90, 90, 3), 200, np.uint8), np.zeros((90, 90, 3), np.uint8)):
        found = network.predict(picture)
        assert (found.decision, found.reason) == ("review", "not like the training cells")
        assert network.predict(picture, review=False).decision == found.label


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.parametrize("name", MEGABYTES)
def test_it_fits_its_training_cells(name: str, real_zip: Path) -> None:
    predictor = Predictor.load(name)
    source, cells = find_cells(real_zip, CellOptions())
    some = cells.select(np.arange(0, len(cells), 10))
    decoded = decode_all(((source, file) for file in some.file), predictor.bundle.preprocessing)
    p = predictor(np.stack([cell for cell in decoded if not isinstance(cell, DataError)]))
    predictions = LabelledPredictions.from_cells(some, p.astype(np.float64))
    metrics = compute_metrics(predictions, predictor.bundle.threshold.value)
    # Higher than for unseen patients (.96), and lower than for memorized labels.
    assert 0.95 < metrics["accuracy"] < 0.995


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.parametrize(("name", "sensitivity"), [("nano", 0.85), ("best", 0.85)])
def test_it_works_with_another_microscope(name: str, sensitivity: float, real_fields: Path) -> None:
    found = microscope.measure(name, list(microscope.marked_cells(real_fields / "iml")))
    assert float(str(found["roc_auc"])) >= 0.98
    assert float(str(found["sensitivity"])) >= sensitivity
    assert float(str(found["specificity"])) >= 0.965
    assert json.dumps(found)  # a row: plain values only


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.parametrize(("place", "warned"), [("iml", False), ("world/bbbc041", True)])
def test_predict_says_that_another_microscope_makes_cells_look_infected(
    place: str, warned: bool, real_fields: Path, tmp_path: Path
) -> None:
    for number, (cell, _, _) in enumerate([*microscope.marked_cells(real_fields / place)][::4]):
        cell.save(tmp_path / f"{number}.png", compress_level=1)
    done = hemozoin_command("predict", tmp_path, "--out", tmp_path / "cells.csv")
    assert done.code == 0
    assert ("look more infected than those of known patients" in done.err) == warned
