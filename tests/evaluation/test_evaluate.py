"""`hemozoin evaluate` reproduces the metrics of the run."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hemozoin.data.options import CellOptions
from hemozoin.errors import HemozoinError
from hemozoin.evaluation.evaluate import evaluate
from hemozoin.model.bundle import load_bundle, save_bundle
from hemozoin.model.predictor import Predictor
from tests.conftest import make_zip
from tests.support.commands import hemozoin, refused, succeed
from tests.support.tables import read_rows_of

FILES = {"predictions.csv", "metrics.json", "report.html", "plots"}
PLOTS = {"roc", "precision_recall", "reliability", "histogram"}


def metrics_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    return found


def without_warnings(metrics: dict[str, Any]) -> dict[str, Any]:
    """Return metrics without the warnings: a run has more to warn of than an evaluation."""
    return {key: value for key, value in metrics.items() if key != "warnings"}


@pytest.mark.slow
def test_the_metrics_of_the_run_are_reproduced(tmp_path: Path, learned_run: Path) -> None:
    data, out = learned_run.parent / "cells.zip", tmp_path / "deep" / "out"
    split = ("--split", learned_run / "split.csv")
    shown = succeed("evaluate", data, "--model", learned_run / "model", *split, "--out", out)
    assert {file.name for file in out.iterdir()} == FILES
    plots = {path.name for path in (out / "plots").iterdir()}
    assert plots == {f"{name}.{kind}" for name in PLOTS for kind in ("png", "pdf", "svg")}
    for name in plots:
        assert (out / "plots" / name).read_bytes() == (learned_run / "plots" / name).read_bytes()
    assert (out / "predictions.csv").read_text() == (learned_run / "predictions.csv").read_text()
    found = metrics_of(out)
    assert without_warnings(found) == without_warnings(metrics_of(learned_run))
    assert f"Accuracy     {found['labels_as_given']['accuracy']['value']:.2f}" in shown  # 24 cells


@pytest.mark.slow
@pytest.mark.usefixtures("plots_with_pictures")
def test_its_plots_are_pictures(tmp_path: Path, learned_run: Path) -> None:
    data, split = learned_run.parent / "cells.zip", ("--split", learned_run / "split.csv")
    succeed("evaluate", data, "--model", learned_run / "model", *split, "--out", tmp_path / "out")
    beginnings = {".png": b"\x89PNG", ".pdf": b"%PDF", ".svg": b"<?xml"}
    plots = [*(tmp_path / "out" / "plots").iterdir()]
    assert len(plots) == len(PLOTS) * len(beginnings)
    for path in plots:
        assert path.read_bytes().startswith(beginnings[path.suffix])


@pytest.mark.slow
def test_all_cells_without_a_split(tmp_path: Path, learned_run: Path) -> None:
    data, out = learned_run.parent / "cells.zip", tmp_path / "out"
    succeed("evaluate", data, "--model", learned_run / "model", "--out", out)
    everything = read_rows_of(out / "predictions.csv")
    tested = read_rows_of(learned_run / "predictions.csv")
    assert len(everything) == 144
    names = {row["cell"] for row in tested}
    assert [row for row in everything if row["cell"] in names] == tested


@pytest.mark.slow
def test_prevalence_moves_predictive_values_only(finished_run: Path) -> None:
    data, model = finished_run.parent / "cells.zip", finished_run / "model"
    rare, common = (
        json.loads(succeed("evaluate", data, "--model", model, "--json", "--prevalence", share))
        for share in (0.001, 0.5)
    )
    assert (rare["prevalence"], common["prevalence"]) == (0.001, 0.5)
    given = "labels_as_given"
    for found in (rare, common):
        metrics, share = found[given], found["prevalence"]
        true_positives = metrics["sensitivity"]["value"] * share
        false_positives = (1 - metrics["specificity"]["value"]) * (1 - share)
        expected = true_positives / (true_positives + false_positives)
        assert metrics["ppv"]["value"] == pytest.approx(expected)
    assert rare[given]["roc_auc"] == common[given]["roc_auc"]


@pytest.mark.slow
def test_corrections_give_three_sets_of_labels(tmp_path: Path, learned_run: Path) -> None:
    data, model = learned_run.parent / "cells.zip", learned_run / "model"
    split = read_rows_of(learned_run / "split.csv")
    wrong = [row["cell"] for row in split if row["label"] == "uninfected"][:5]
    lines = ["cell,corrected_label", *(f"{cell},parasitized" for cell in wrong)]
    (tmp_path / "fix.csv").write_text("\n".join(lines))
    found = json.loads(
        succeed("evaluate", data, "--model", model, "--json", "--labels", tmp_path / "fix.csv")
    )
    cells = {name: found[name]["cells"] for name in found if "label" in name or "agree" in name}
    assert cells == {"labels_as_given": 144, "corrected_labels": 144, "where_both_agree": 139}
    given, corrected = found["labels_as_given"], found["corrected_labels"]
    assert corrected["parasitized"] == given["parasitized"] + 5


@pytest.mark.slow
def test_nothing_is_written_without_out(tmp_path: Path, learned_run: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(learned_run.parent, folder)
    before = sorted(folder.rglob("*"))
    succeed("evaluate", folder / "cells.zip", "--model", folder / "run" / "model")
    assert sorted(folder.rglob("*")) == before


@pytest.mark.slow
def test_a_split_without_test_cells(tmp_path: Path, learned_run: Path) -> None:
    split = tmp_path / "split.csv"
    split.write_text((learned_run / "split.csv").read_text().replace(",test", ",validation"))
    data, model = learned_run.parent / "cells.zip", learned_run / "model"
    assert "test" in refused("evaluate", data, "--model", model, "--split", split)


@pytest.mark.slow
def test_bad_pictures_are_listed(tmp_path: Path, learned_run: Path, cells_folder: Path) -> None:
    bad = min(cells_folder.rglob("*.png"))
    bad.write_bytes(b"bad")
    command = ("evaluate", cells_folder, "--model", learned_run / "model")
    refused(*command)
    outcome = hemozoin(*command, "--allow-unreadable")
    assert outcome.code == 0
    assert bad.name in outcome.err
    assert "SEEN IN TRAINING, 47 cells" in outcome.out


@pytest.mark.slow
def test_from_python(learned_run: Path) -> None:
    predictor = Predictor.load(learned_run / "model")
    data, split = learned_run.parent / "cells.zip", learned_run / "split.csv"
    report = evaluate(data, CellOptions(), predictor, split=split)
    assert report.evaluation.to_dict() == without_warnings(metrics_of(learned_run))
    with pytest.raises(HemozoinError, match="prevalence"):
        evaluate(data, CellOptions(), predictor, prevalence=1.5)


# ---- patients that the network has seen ---------------------------------------------------------


def renamed(data: Path, out: Path) -> Path:
    """Copy a zip of cells, with the names of other patients."""
    with zipfile.ZipFile(data) as archive:
        names = archive.namelist()
        return make_zip(out, {n.replace("/C", "/C90"): archive.read(n) for n in names})


@pytest.mark.slow
def test_cells_seen_in_training_are_no_test(tmp_path: Path, finished_run: Path) -> None:
    data, model = finished_run.parent / "cells.zip", finished_run / "model"
    outcome = hemozoin("evaluate", data, "--model", model, "--out", tmp_path / "out")
    split = [row for row in read_rows_of(finished_run / "split.csv") if row["split"] != "test"]
    patients = len({row["patient"] for row in split})
    warning = f"SEEN IN TRAINING: {len(split)} of these 72 cells are of {patients} patients (of 9)"
    assert f"WARNING: {warning}" in outcome.err
    assert warning in outcome.out
    found = metrics_of(tmp_path / "out")
    assert found["tested_on"] == "seen in training"
    assert found["seen_in_training"] == {"cells": len(split), "patients": patients}
    assert warning in found["warnings"][0]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "SEEN IN TRAINING, 72 cells" in page
    assert "<th>validation</th><th>seen in training</th>" in page
    assert ">test<" not in page


@pytest.mark.slow
def test_other_patients_are_a_test(tmp_path: Path, finished_run: Path) -> None:
    others = renamed(finished_run.parent / "cells.zip", tmp_path / "others.zip")
    outcome = hemozoin("evaluate", others, "--model", finished_run / "model", "--json")
    assert "WARNING" not in outcome.err
    assert json.loads(outcome.out)["tested_on"] == "test"


@pytest.mark.slow
def test_an_older_folder_can_not_tell(tmp_path: Path, finished_run: Path) -> None:
    bundle = load_bundle(finished_run / "model")
    save_bundle(replace(bundle, patients=None), tmp_path / "old")
    data = finished_run.parent / "cells.zip"
    outcome = hemozoin("evaluate", data, "--model", tmp_path / "old", "--json")
    assert "WARNING: It can't be told whether these cells were seen in training" in outcome.err
    assert json.loads(outcome.out)["tested_on"] == "perhaps seen in training"


@pytest.mark.slow
def test_what_is_too_few_is_said(tmp_path: Path, learned_run: Path) -> None:
    """Four cells of two patients: no interval, one decimal, and a warning."""
    with zipfile.ZipFile(learned_run.parent / "cells.zip") as archive:
        names = [n for n in archive.namelist() if re.search("C[12]P.*cell_(1|16).png", n)]
        data = make_zip(tmp_path / "four.zip", {n: archive.read(n) for n in names})
    outcome = hemozoin("evaluate", data, "--model", learned_run / "model", "--out", tmp_path / "o")
    assert re.search(r"Accuracy +\d\.\d  -\n", outcome.out)
    assert "95 % intervals: none, because 2 patients are too few" in outcome.out
    found = metrics_of(tmp_path / "o")
    assert found["labels_as_given"]["accuracy"]["low"] is None
    for sentence in ("Only 2 patients were tested", "Only 2 parasitized and 2 uninfected cells"):
        assert sentence in outcome.out
        assert any(sentence in warning for warning in found["warnings"])
        assert sentence in (tmp_path / "o" / "report.html").read_text()
