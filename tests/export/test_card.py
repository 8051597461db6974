"""The model card: it has the bundle's metrics, valid YAML front matter and code that runs."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hemozoin.errors import ModelError
from hemozoin.export.card import SHOWN, model_card
from hemozoin.model.bundle import Bundle, load_bundle, save_bundle
from hemozoin.model.cell_graph.graph import with_cell_graph
from hemozoin.training.recipe import Recipe
from hemozoin.training.runs.config import RunConfig
from tests.conftest import draw_cell
from tests.support.bundles import some_bundle, some_classifier
from tests.support.commands import quiet, succeed

yaml = pytest.importorskip("yaml", reason="PyYAML reads the front matter")


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return replace(some_bundle(some_classifier()), about={})


def front_matter(card: str) -> dict[str, Any]:
    opening, matter, _ = card.split("---\n", 2)
    assert opening == ""
    found: dict[str, Any] = yaml.safe_load(matter)
    return found


@pytest.mark.slow
def test_the_card_of_a_run(learned_run: Path) -> None:
    bundle = load_bundle(learned_run / "model")
    given = bundle.about["figures"]["labels_as_given"]
    given["brier"] |= {"low": 0.01, "high": 0.09}
    card = model_card(bundle, {"model.onnx": b"graph"})
    assert f"| Accuracy | {given['accuracy']['value']:.4f} | - |" in card  # of too few patients
    assert f"| Brier score | {given['brier']['value']:.4f} | 0.0100 to 0.0900 |" in card
    assert f"{given['cells']} cells of {given['patients']} patients" in card
    assert f"from p = {bundle.threshold.value:.4f} up" in card
    assert f"from p = {bundle.review_band.low:.4f} to {bundle.review_band.high:.4f}" in card
    assert f"| 5 | `{hashlib.sha256(b'graph').hexdigest()}` |" in card
    assert "Not a medical device" in card
    assert str(learned_run.parent) not in card  # the folders are private
    matter = front_matter(card)
    assert (matter["license"], matter["library_name"]) == ("mit", "hemozoin")
    assert matter["pipeline_tag"] == "image-classification"
    (result,) = matter["model-index"][0]["results"]
    values = {metric["type"]: metric["value"] for metric in result["metrics"]}
    assert values["roc_auc"] == given["roc_auc"]["value"]


def test_folds_notes_and_parity(bundle: Bundle) -> None:
    about = {
        "folds": [{"accuracy": 0.95, "ppv": float("nan")}, {"accuracy": 0.97, "ppv": 0.2}],
        "notes": ["Trained on every patient."],
        "parity": {
            "cells": 3200,
            "patients": 21,
            "torch": {"auc": 0.99, "accuracy": 0.96, "difference": 0.0, "changed": 0},
            "onnx": {"auc": 0.99, "accuracy": 0.96, "difference": 2.1e-05, "changed": 0},
            "int8": None,
        },
    }
    card = model_card(replace(bundle, about=about), {})
    assert "| Accuracy | 0.9500 | 0.9700 | 0.9600 ± 0.0141 |" in card
    assert "| PPV |" not in card  # not known in every fold
    assert "\nTrained on every patient.\n" in card
    assert "3,200 cells of 21 patients" in card
    assert "| model.onnx | 0.9900 | 0.9600 | 2.1e-05 | 0 |" in card
    assert "| model_int8.onnx |" not in card
    assert "U.S. National Library of Medicine" not in card


@pytest.mark.slow
def test_it_says_what_was_trained_on(learned_run: Path) -> None:
    bundle = load_bundle(learned_run / "model")
    card = model_card(bundle, {})
    rows = [line for line in card.splitlines() if re.match(r"\| (train|validation|test) \|", line)]
    assert sum(int(row.split("|")[2]) for row in rows) == 144
    assert sum(int(row.split("|")[5]) for row in rows) == 9
    assert bundle.patients is not None
    seen = len(bundle.patients.training | bundle.patients.validation)
    assert f"a salted hash of each of the {seen} patients" in card
    for warning in bundle.about["figures"]["warnings"]:
        assert f"\n- {warning}\n" in card


@pytest.mark.slow
def test_it_names_the_extra_cells(learned_run: Path) -> None:
    bundle = load_bundle(learned_run / "model")
    run = {**bundle.about["run"], "extra": "/home/me/healthy"}
    card = model_card(replace(bundle, about={**bundle.about, "run": run}), {})
    assert "The cells in `healthy` were trained on too" in card
    assert "trained on too" not in model_card(bundle, {})


@pytest.mark.slow
def test_it_says_what_the_network_learned_from(learned_run: Path) -> None:
    bundle = load_bundle(learned_run / "model")
    recipe = bundle.about["run"]["recipe"]
    run = {**bundle.about["run"], "recipe": {**recipe, "teachers": 4}}
    card = model_card(replace(bundle, about={**bundle.about, "run": run}), {})
    assert "learned the mean of 4 networks, each trained on the labels" in card
    del recipe["teachers"]  # as in the run of an earlier version
    assert "learned the mean of" not in model_card(bundle, {})


@pytest.mark.slow
def test_labels_that_were_kept_and_extra_cells_are_told_as_they_are(learned_run: Path) -> None:
    bundle = load_bundle(learned_run / "model")
    cells = {**bundle.about["run"]["cells"], "labels": "corrections.csv"}
    part = {**bundle.about["splits"][0], "split": "train"}
    for rule, told in (("keep", "without corrected labels"), ("relabel", "with corrected labels")):
        run = {**bundle.about["run"], "cells": cells, "on_correction": rule}
        about = {**bundle.about, "run": run, "splits": [part, {**part, "split": "extra"}]}
        card = model_card(replace(bundle, about=about), {})
        assert told in card
        assert "all of the cells: none were left for a test" in card


@pytest.mark.slow
def test_metrics_on_cells_seen_in_training_are_marked(learned_run: Path) -> None:
    bundle = load_bundle(learned_run / "model")
    figures = {**bundle.about["figures"], "tested_on": "seen in training"}
    card = model_card(replace(bundle, about={**bundle.about, "figures": figures}), {})
    assert "**These metrics are of cells seen in training." in card
    (result,) = front_matter(card)["model-index"][0]["results"]
    assert result["dataset"]["name"].endswith(": cells seen in training")


def test_without_measurements_the_card_claims_nothing(bundle: Bundle) -> None:
    card = model_card(bundle, {})
    assert "Not measured." in card
    assert "model-index" not in front_matter(card)
    assert "metrics" not in front_matter(card)


@pytest.mark.slow
def test_an_unusual_file_name_is_quoted(learned_run: Path) -> None:
    bundle = load_bundle(learned_run / "model")
    run = {**bundle.about["run"], "data": '/home/me/cell_images "b": #1.zip'}
    card = model_card(replace(bundle, about={**bundle.about, "run": run}), {})
    (result,) = front_matter(card)["model-index"][0]["results"]
    assert result["dataset"]["name"] == 'cell_images "b": #1.zip: cells not trained on'
    assert "Courtesy of the U.S. National Library of Medicine" in card


@pytest.mark.slow
def test_its_code_runs(learned_run: Path, tmp_path: Path) -> None:
    bundle = with_cell_graph(load_bundle(learned_run / "model"))
    save_bundle(bundle, tmp_path)
    cell = tmp_path / "cell.png"
    draw_cell(np.random.default_rng(5), infected=True).save(cell)
    expected = float(succeed("predict", cell, "--model", tmp_path).splitlines()[1].split(",")[3])
    blocks = re.findall(r"```python\n(.*?)```", model_card(bundle, {}), re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        done = subprocess.run(
            [sys.executable, "-c", block],
            cwd=tmp_path,
            env=quiet(),
            capture_output=True,
            text=True,
            check=True,
        )
        found = re.search(r"p_parasitized=([\d.e-]+)", done.stdout)
        assert found, done.stdout
        assert float(found[1]) == pytest.approx(expected, abs=2e-6)


NAMES = [
    "a `b` c",
    "``",
    "a | b",
    "<script>alert(1)</script>",
    "a\n\n# Heading\n",
    "a\r\n| b |",
    "a\u2028b\u202ec",
    "--> <!-- -->",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_name_stays_in_its_code(bundle: Bundle, name: str) -> None:
    """And a text stays in its cell, whoever wrote the model folder."""
    run = RunConfig(data=Path("cells"), recipe=Recipe()).to_dict()
    run["recipe"] |= {"optimizer": name, "seed": name, "epochs": name}
    values = {key: {"value": 0.5, "low": 0.4, "high": 0.6} for key in SHOWN}
    label_set = {"cells": 10, "patients": 2, "parasitized": 5, **values}
    figures = {"labels_as_given": label_set, "intervals": name, "prevalence": 0.01}
    about = {"run": run | {"data": name, "extra": name}, "figures": figures, "notes": [name]}
    card = model_card(replace(bundle, about=about), {})
    expected = model_card(replace(bundle, about=_renamed(about, "plain")), {})
    assert len(card.splitlines()) == len(expected.splitlines())
    text = card.split("---\n", 2)[2]
    for sign in ("`", "|", "<", ">", "\n#"):
        assert text.count(sign) == expected.split("---\n", 2)[2].count(sign), sign
    assert all(letter.isprintable() or letter == "\n" for letter in card)
    (result,) = front_matter(card)["model-index"][0]["results"]
    assert result["dataset"]["name"].endswith(": cells not trained on")


def _renamed(about: dict[str, Any], name: str) -> dict[str, Any]:
    recipe = about["run"]["recipe"] | {"optimizer": name, "seed": name, "epochs": name}
    run = about["run"] | {"data": name, "extra": name, "recipe": recipe}
    return {"run": run, "figures": about["figures"] | {"intervals": name}, "notes": [name]}


@pytest.mark.parametrize(
    "about",
    [
        {"figures": 5},
        {"figures": {"labels_as_given": []}},
        {"figures": {"labels_as_given": {"cells": "many"}}},
        {"folds": [{"accuracy": "high"}]},
        {"folds": {"a": 1}},
        {"notes": 5},
        {"parity": {"cells": 1}},
        {"run": {"data": 5}},
        {"run": []},
    ],
    ids=str,
)
def test_metrics_of_another_kind_are_refused(bundle: Bundle, about: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match=r"config\.json: the values in about are damaged"):
        model_card(replace(bundle, about=about), {})


def test_tables_are_complete(bundle: Bundle) -> None:
    """Every row of a table has as many columns as its heading."""
    tables = re.findall(r"(?:^\|.*\n)+", model_card(bundle, {"config.json": b"{}"}), re.MULTILINE)
    assert len(tables) >= 2
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1, table
