"""The folder of a run: its files, their content, and the same files from the same run."""

from __future__ import annotations

import json
import math
import re
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics

from hemozoin.arrays import Pixels
from hemozoin.classes import CLASSES
from hemozoin.decision.ood import OutOfDistributionDetector, fit_ood_detector
from hemozoin.model.bundle import load_bundle
from hemozoin.training.recipe import Recipe
from hemozoin.training.runs import run as run_module
from hemozoin.training.runs import start
from hemozoin.training.runs.config import RunConfig
from hemozoin.training.runs.run import fit_detector, load_split_data, make_training_data
from hemozoin.training.runs.start import read_config
from hemozoin.training.trainer import Trainer
from tests.conftest import draw_cell, make_cells, make_zip
from tests.support.commands import LEARN, QUICK, hemozoin, succeed
from tests.support.tables import read_columns_of, read_rows_of


def weights(run: Path) -> bytes:
    return (run / "model" / "model.safetensors").read_bytes()


def repacked(data: Path, out: Path, change: dict[str, str]) -> Path:
    """Copy a zip with parts of the names replaced."""
    with zipfile.ZipFile(data) as archive:
        files = {info.filename: archive.read(info) for info in archive.infolist()}
    for old, new in change.items():
        files = {name.replace(old, new): content for name, content in files.items()}
    return make_zip(out, files)


# ---- files and columns -------------------------------------------------------------------------


def test_the_files_of_a_run(finished_run: Path) -> None:
    files = {str(path.relative_to(finished_run)) for path in finished_run.rglob("*")}
    plots = [
        *("roc", "precision_recall", "reliability", "histogram"),
        *("loss", "validation_metrics", "learning_rate"),
    ]
    assert files == {
        "plots",
        *(f"plots/{name}.{kind}" for name in plots for kind in ("png", "pdf", "svg")),
        "config.json",
        "split.csv",
        "results.csv",
        "metrics.json",
        "predictions.csv",
        "report.html",
        "checkpoint.safetensors",
        "model",
        "model/SHA256SUMS",
        "model/config.json",
        "model/guard.safetensors",
        "model/model.onnx",
        "model/model.safetensors",
    }


def test_columns(finished_run: Path) -> None:
    first = {
        name: (finished_run / name).read_text().splitlines()[0]
        for name in ("split.csv", "predictions.csv", "results.csv")
    }
    assert first == {
        "split.csv": "cell,patient,label,split",
        "predictions.csv": "cell,patient,label,p_parasitized",
        "results.csv": "epoch,train_loss,val_loss,val_accuracy,val_auc,learning_rate,seconds",
    }


def test_no_patient_in_two_parts_and_no_cell_twice(finished_run: Path) -> None:
    split = read_rows_of(finished_run / "split.csv")
    assert len(split) == len({row["cell"] for row in split}) == 72
    assert {row["split"] for row in split} == {"train", "validation", "test"}
    assert len({(row["patient"], row["split"]) for row in split}) == 9
    # Patient and label agree with the name: infected cells have numbers from 5.
    for row in split:
        assert row["cell"].startswith(f"{row['patient']}P")
        assert (int(row["cell"].rpartition("_")[2]) > 4) == (row["label"] == "parasitized")


def test_predictions_are_of_the_test_cells(finished_run: Path) -> None:
    split = read_rows_of(finished_run / "split.csv")
    tested = [row for row in split if row.pop("split") == "test"]
    found = read_rows_of(finished_run / "predictions.csv")
    assert [row for row in found if row.pop("p_parasitized")] == tested


@pytest.mark.slow
def test_metrics_agree_with_scikit_learn(learned_run: Path) -> None:
    """Computed only from predictions.csv and the threshold."""
    table = read_columns_of(learned_run / "predictions.csv")
    truth = np.array(table["label"]) == "parasitized"
    p = np.array(table["p_parasitized"], float)
    found = json.loads((learned_run / "metrics.json").read_text())
    is_positive = p >= found["threshold"]["value"]
    sensitivity = metrics.recall_score(truth, is_positive)
    specificity = metrics.recall_score(~truth, ~is_positive)
    expected = {
        "accuracy": metrics.accuracy_score(truth, is_positive),
        "sensitivity": sensitivity,
        "specificity": specificity,
        "f1": metrics.f1_score(truth, is_positive),
        "mcc": metrics.matthews_corrcoef(truth, is_positive),
        "roc_auc": metrics.roc_auc_score(truth, p),
        "average_precision": metrics.average_precision_score(truth, p),
        "brier": metrics.brier_score_loss(truth, p),
    }
    given = found["labels_as_given"]
    for name, value in expected.items():
        assert given[name]["value"] == pytest.approx(value, abs=1e-4), name
    assert given["cells"] == len(truth)
    assert given["parasitized"] == truth.sum()
    assert found["prevalence"] == 0.01


@pytest.mark.slow
def test_results_and_printed_lines(tmp_path: Path, cells_zip: Path) -> None:
    options = (*QUICK, "--epochs", 3)
    outcome = hemozoin("train", cells_zip, "--out", tmp_path / "run", *options[:4], *options[6:])
    results = read_rows_of(tmp_path / "run" / "results.csv")
    assert [row["epoch"] for row in results] == ["1", "2", "3"]
    lines = [line for line in outcome.err.splitlines() if line.startswith("epoch ")]
    assert len(lines) == 3
    for line, row in zip(lines, results, strict=True):
        assert f"{float(row['train_loss']):.4f}" in line
        assert f"{float(row['val_auc']):.4f}" in line


def test_the_report_needs_no_other_file(finished_run: Path) -> None:
    page = (finished_run / "report.html").read_text()
    assert not re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', page)
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", page)
    assert 'name="viewport"' in page
    for patient in set(read_columns_of(finished_run / "predictions.csv")["patient"]):
        assert patient in page


# ---- repeated runs -----------------------------------------------------------------------------


@pytest.mark.slow
def test_the_seed_decides_every_bit(tmp_path: Path, finished_run: Path) -> None:
    data = finished_run.parent / "cells.zip"
    succeed("train", data, "--out", tmp_path / "same", *QUICK, "--seed", 0)
    assert weights(tmp_path / "same") == weights(finished_run)
    for name in ("split.csv", "predictions.csv", "metrics.json"):
        assert (tmp_path / "same" / name).read_bytes() == (finished_run / name).read_bytes()
    succeed("train", data, "--out", tmp_path / "other", *QUICK, "--seed", 1)
    assert weights(tmp_path / "other") != weights(finished_run)


@pytest.mark.slow
def test_config_json_repeats_the_run(
    tmp_path: Path, finished_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where relative paths would not be found
    succeed("train", "--config", finished_run / "config.json", "--out", "again")
    assert weights(Path("again")) == weights(finished_run)
    assert Path("again/config.json").read_bytes() == (finished_run / "config.json").read_bytes()


@pytest.mark.slow
def test_every_option_is_in_config_json(tmp_path: Path) -> None:
    data = repacked(
        make_cells(tmp_path / "a.zip"), tmp_path / "b.zip", {"Para": "z_para", "Un": "a_un"}
    )
    (tmp_path / "patients.csv").write_text("cell,who\nC1P1ThinF_IMG_20150918_144104_cell_1,C1\n")
    (tmp_path / "labels.csv").write_text(
        "cell,corrected_label\nC1P1ThinF_IMG_20150918_144104_cell_1,parasitized\n"
    )
    options = (
        *("--parasitized", "z_parasitized", "--uninfected", "a_uninfected", "--seed", 3),
        *("--patients", tmp_path / "patients.csv", "--patient-column", "who"),
        *("--labels", tmp_path / "labels.csv", "--on-correction", "leave-out"),
        *("--learning-rate", 0.002, "--sensitivity", 0.8, "--prevalence", 0.05),
        "--allow-unreadable",
    )
    succeed("train", data, "--out", tmp_path / "run", *QUICK, *options)
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    recipe = config.pop("recipe")
    assert {name: recipe[name] for name in ("size", "alpha", "epochs", "batch", "seed")} == {
        "size": 32,
        "alpha": 0.25,
        "epochs": 1,
        "batch": 16,
        "seed": 3,
    }
    assert recipe["learning_rate"] == 0.002
    assert config == {
        "data": str(data),
        "cells": {
            "parasitized": "z_parasitized",
            "uninfected": "a_uninfected",
            "patients": [str(tmp_path / "patients.csv")],
            "patient_column": "who",
            "labels": str(tmp_path / "labels.csv"),
            "allow_unreadable": True,
        },
        "split": None,
        "on_correction": "leave-out",
        "aim": {"kind": "sensitivity", "at_least": 0.8},
        "prevalence": 0.05,
    }
    found = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert found["threshold"]["aim"] == "sensitivity at least 0.8"
    assert {"labels_as_given", "corrected_labels", "where_both_agree"} <= set(found)
    succeed("train", "--config", tmp_path / "run" / "config.json", "--out", tmp_path / "again")
    assert weights(tmp_path / "again") == weights(tmp_path / "run")


@pytest.mark.slow
def test_extra_cells_are_trained_on_and_never_tested_on(tmp_path: Path, finished_run: Path) -> None:
    healthy = tmp_path / "healthy" / "Uninfected"
    healthy.mkdir(parents=True)
    for number in range(5):
        picture = draw_cell(np.random.default_rng(number), infected=False)
        picture.save(healthy / f"other_{number}.png")
    config = replace(read_config(finished_run / "config.json"), extra=healthy.parent)
    split_data = load_split_data(config, finished_run / "split.csv")
    plain = make_training_data(replace(split_data, extra=None), config)
    training_data = make_training_data(split_data, config)
    added = training_data.train[len(plain.train) :]
    assert (training_data.train[: len(plain.train)] == plain.train).all()
    assert (training_data.validation == plain.validation).all()
    assert added.tolist() == [*range(len(plain.pixels), len(plain.pixels) + 5)]
    assert {CLASSES[target] for target in training_data.targets[added]} == {"uninfected"}
    data, run = finished_run.parent / "cells.zip", tmp_path / "run"
    found = hemozoin("train", data, *QUICK, "--extra", healthy.parent, "--out", run)
    assert found.code == 0, found.err
    assert "5 extra cells" in found.err
    assert "other_" not in (run / "split.csv").read_text()
    assert read_config(run / "config.json").extra == healthy.parent


@pytest.mark.slow
def test_extra_cells_without_a_class_folder(tmp_path: Path, cells_zip: Path) -> None:
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "a.png").write_bytes(b"")
    found = hemozoin("train", cells_zip, "--extra", tmp_path / "none", "--out", tmp_path / "run")
    assert found.code == 2
    assert "needs the folders Parasitized or Uninfected" in found.err
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_split_from_another_run(tmp_path: Path, finished_run: Path) -> None:
    data, split = finished_run.parent / "cells.zip", finished_run / "split.csv"
    succeed("train", data, "--out", tmp_path / "run", *QUICK, "--seed", 7, "--split", split)
    assert (tmp_path / "run" / "split.csv").read_text() == split.read_text()


@pytest.mark.slow
def test_training_that_diverges(
    tmp_path: Path, cells_zip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = Trainer._loss
    monkeypatch.setattr(Trainer, "_loss", lambda *of: loss(*of) * math.inf)
    options = ("--size", 32, "--epochs", 2, "--batch", 16, "--learning-rate", 0.5)
    outcome = hemozoin("train", cells_zip, "--out", tmp_path / "run", *options)
    assert outcome.code == 2
    assert "learning rate below 0.5" in outcome.err.splitlines()[-1]
    assert not (tmp_path / "run" / "model").exists()


# ---- names decide, not their order -------------------------------------------------------------


def split_of(run: Path) -> list[dict[str, str]]:
    """Return the rows of split.csv in the order of the cells' names."""
    return sorted(read_rows_of(run / "split.csv"), key=lambda row: row["cell"])


@pytest.mark.slow
def test_classes_are_identified_by_name_not_by_alphabet(tmp_path: Path, finished_run: Path) -> None:
    """Healthy cells first or last in the alphabet: the same labels and the same split."""
    data = finished_run.parent / "cells.zip"
    change = {"Uninfected": "a_healthy", "Parasitized": "z_sick"}
    renamed = repacked(data, tmp_path / "renamed.zip", change)
    names = ("--parasitized", "z_sick", "--uninfected", "a_healthy")
    succeed("train", renamed, "--out", tmp_path / "run", *QUICK, *names)
    assert split_of(tmp_path / "run") == split_of(finished_run)


@pytest.mark.slow
def test_the_positive_class_is_the_one_with_parasites(tmp_path: Path, learned_run: Path) -> None:
    """It learns in the right direction, whatever the class folders are called."""
    change = {"Uninfected": "a_healthy", "Parasitized": "z_sick"}
    renamed = repacked(learned_run.parent / "cells.zip", tmp_path / "renamed.zip", change)
    names = ("--parasitized", "z_sick", "--uninfected", "a_healthy")
    succeed("train", renamed, "--out", tmp_path / "run", *LEARN, *names)
    for run in (learned_run, tmp_path / "run"):
        table = read_columns_of(run / "predictions.csv")
        p, label = np.array(table["p_parasitized"], float), np.array(table["label"])
        assert p[label == "parasitized"].mean() > p[label == "uninfected"].mean() + 0.2
        assert (
            json.loads((run / "metrics.json").read_text())["labels_as_given"]["roc_auc"]["value"]
            > 0.9
        )


@pytest.mark.slow
def test_folders_and_zips_give_the_same_network(tmp_path: Path, finished_run: Path) -> None:
    with zipfile.ZipFile(finished_run.parent / "cells.zip") as archive:
        archive.extractall(tmp_path / "cells")
    succeed("train", tmp_path / "cells", "--out", tmp_path / "run", *QUICK)
    assert weights(tmp_path / "run") == weights(finished_run)


# ---- patients ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_unknown_patients_give_a_warning(tmp_path: Path, finished_run: Path) -> None:
    data = repacked(finished_run.parent / "cells.zip", tmp_path / "anonymous.zip", {"/C": "/cell"})
    outcome = hemozoin("train", data, "--out", tmp_path / "run", *QUICK)
    assert outcome.code == 0
    assert "too good" in outcome.out
    first = outcome.err.splitlines()[0]
    assert first.startswith("WARNING")
    assert "too good" in first
    assert "too good" in (tmp_path / "run" / "report.html").read_text()
    assert read_columns_of(tmp_path / "run" / "split.csv")["patient"] == [""] * 72
    found = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert found["labels_as_given"]["patients"] is None
    predictions = succeed("evaluate", data, "--model", tmp_path / "run" / "model")
    assert "too good" in predictions


@pytest.mark.slow
def test_patients_from_a_csv(tmp_path: Path, finished_run: Path) -> None:
    """They give the same split as those in the names."""
    change = {"/C": "/cell"}
    data = repacked(finished_run.parent / "cells.zip", tmp_path / "anonymous.zip", change)
    renamed = [row | {"cell": "cell" + row["cell"][1:]} for row in split_of(finished_run)]
    lines = ["cell,patient", *(f"{row['cell']},{row['patient']}" for row in renamed)]
    (tmp_path / "patients.csv").write_text("\n".join(lines))
    outcome = hemozoin(
        *("train", data, "--out", tmp_path / "run", *QUICK),
        *("--patients", tmp_path / "patients.csv"),
    )
    assert outcome.code == 0
    assert "WARNING" not in outcome.err
    assert split_of(tmp_path / "run") == renamed


def test_only_some_cells_have_a_patient(tmp_path: Path, cells_folder: Path) -> None:
    folder = cells_folder / "cell_images" / "Uninfected"
    shutil.copy(min(folder.glob("*.png")), folder / "nobody.png")
    outcome = hemozoin("train", cells_folder, "--out", tmp_path / "run", *QUICK)
    assert outcome.code == 2
    assert "nobody" in outcome.err


# ---- the model ---------------------------------------------------------------------------------


def test_the_model_describes_itself(finished_run: Path) -> None:
    config = json.loads((finished_run / "model" / "config.json").read_text())
    assert sorted(config["classes"]) == ["parasitized", "uninfected"]
    assert config["preprocessing"]["size"] == 32
    bundle = load_bundle(finished_run / "model")
    found = json.loads((finished_run / "metrics.json").read_text())
    assert bundle.threshold.value == found["threshold"]["value"]
    assert 0 < bundle.threshold.value < 1
    assert bundle.about["run"]["recipe"]["seed"] == 0
    assert bundle.about["figures"] == found
    assert all(np.isfinite(array).all() for array in bundle.weights.values())


def test_few_cells_get_more_epochs(tmp_path: Path, cells_zip: Path) -> None:
    recipe = Recipe(size=32, epochs=1, batch=16, fewest_steps=8)
    folder = start.new(RunConfig(cells_zip, recipe=recipe), tmp_path / "run")
    trained_on = [row for row in read_rows_of(folder.split) if row["split"] == "train"]
    steps = math.ceil(len(trained_on) / 16)
    epochs = len(read_rows_of(folder.results))
    assert (epochs - 1) * steps < 8 <= epochs * steps
    assert start.read_config(folder.config).recipe.epochs == epochs


# ---- the out-of-distribution detector ----------------------------------------------------------


def test_the_detector_is_fitted_on_all_patients_but_those_tested(cells_zip: Path) -> None:
    split_data = load_split_data(RunConfig(cells_zip, recipe=Recipe(size=32)), None)
    tested = split_data.cells.split == "test"
    known = split_data.pixels[split_data.cells.row[~tested]]
    found, expected = fit_detector(split_data), fit_ood_detector(known)
    assert (found.low.tolist(), found.high.tolist()) == (
        expected.low.tolist(),
        expected.high.tolist(),
    )


def test_the_detector_is_fitted_on_some_of_many_cells(
    cells_zip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are spread over the training and validation cells, and no copy of all is made."""
    measured = []

    def fit(pixels: Pixels) -> OutOfDistributionDetector:
        measured.append(len(pixels))
        return fit_ood_detector(pixels)

    monkeypatch.setattr(run_module, "fit_ood_detector", fit)
    monkeypatch.setattr(run_module, "_MEASURED", 20)
    fit_detector(load_split_data(RunConfig(cells_zip, recipe=Recipe(size=32)), None))
    assert 10 < measured[0] <= 20
