"""The final network: trained on all patients, its decision fitted on out-of-fold predictions."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hemozoin.decision.temperature import calibrate
from hemozoin.decision.threshold import OperatingPoint
from hemozoin.model.bundle import load_bundle, save_bundle
from hemozoin.training.packaging import fit_decision
from hemozoin.training.runs.config import RunConfig
from hemozoin.training.runs.final import _all_cells, out_of_fold_log_odds
from hemozoin.training.runs.folder import RunFolder
from hemozoin.training.runs.run import load_split_data
from hemozoin.training.runs.start import read_config
from tests.conftest import make_cells
from tests.support.commands import QUICK, hemozoin, succeed
from tests.support.tables import read_columns_of

OPTIONS = ("--folds", 3, "--final", *QUICK)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished cross-validation with a final network; its data are in `cells.zip` next to it."""
    folder = tmp_path_factory.mktemp("final")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEMOZOIN_CACHE", str(folder / "cache"))
        data = make_cells(folder / "cells.zip", patients=9)
        succeed("crossval", data, "--out", folder / "out", *OPTIONS)
    return folder / "out"


def folds(out: Path) -> list[RunFolder]:
    return [RunFolder(out / f"fold{k}") for k in (1, 2, 3)]


@pytest.mark.slow
def test_it_is_trained_on_every_cell(out: Path) -> None:
    config: RunConfig = read_config(out / "final" / "config.json")
    training_data = _all_cells(load_split_data(config, out / "split1.csv"), config)
    assert sorted(training_data.train) == list(range(72))
    weights = [load_bundle(run / "model").weights for run in sorted(out.glob("f*[l123]"))]
    first = [one["network.head.weight"].tobytes() for one in weights]
    assert len(set(first)) == 4


@pytest.mark.slow
def test_each_cell_is_predicted_by_the_fold_that_tested_its_patient(out: Path) -> None:
    cells, logit = out_of_fold_log_odds(folds(out))
    assert len({*cells.cell}) == len(logit) == 72
    for fold in folds(out):
        predictions = read_columns_of(fold.predictions)
        of_fold = np.isin(cells.cell, predictions["cell"])
        p = calibrate(logit[of_fold], load_bundle(fold.model).temperature)
        assert np.abs(p - np.array(predictions["p_parasitized"], float)).max() < 2e-6


@pytest.mark.slow
def test_its_decision_and_metrics_are_of_the_out_of_fold_predictions(out: Path) -> None:
    bundle = load_bundle(out / "final" / "model")
    decision = fit_decision(*out_of_fold_log_odds(folds(out)), OperatingPoint())
    assert bundle.threshold == decision.threshold
    assert bundle.review_band == decision.review_band
    assert bundle.false_positive_rate == decision.false_positive_rate is not None
    assert bundle.counting_point == decision.counting_point
    assert bundle.reference_patients is None  # of so few patients
    assert bundle.temperature == pytest.approx(decision.temperature)
    assert bundle.about["figures"]["labels_as_given"]["cells"] == 72
    assert [fold["roc_auc"] for fold in bundle.about["folds"]] == [
        fold.test_metrics()["roc_auc"] for fold in folds(out)
    ]


@pytest.mark.slow
def test_it_predicts(out: Path) -> None:
    cells = out.parent / "cells.zip"
    table = succeed("predict", cells, "--model", out / "final")
    assert len(table.splitlines()) == 73


@pytest.mark.slow
def test_a_repeated_command_trains_only_the_missing_network(out: Path, tmp_path: Path) -> None:
    shutil.copytree(out, tmp_path / "out")
    before = load_bundle(out / "final" / "model").weights
    shutil.rmtree(tmp_path / "out" / "final")
    cells = out.parent / "cells.zip"
    ended = hemozoin("crossval", cells, "--out", tmp_path / "out", *OPTIONS)
    assert ended.code == 0
    assert "all patients" in ended.err
    again = load_bundle(tmp_path / "out" / "final" / "model").weights
    assert all(np.array_equal(before[name], again[name]) for name in before)


@pytest.mark.slow
def test_a_repeated_command_packages_the_finished_network_again(out: Path, tmp_path: Path) -> None:
    shutil.copytree(out, tmp_path / "out")
    model = tmp_path / "out" / "final" / "model"
    before = load_bundle(model)
    save_bundle(replace(before, false_positive_rate=None, counting_point=None), model)
    succeed("crossval", out.parent / "cells.zip", "--out", tmp_path / "out", *OPTIONS)
    again = load_bundle(model)
    assert again.false_positive_rate == before.false_positive_rate is not None
    assert again.counting_point == before.counting_point
    assert all(np.array_equal(again.weights[name], before.weights[name]) for name in again.weights)


@pytest.mark.slow
def test_it_has_seen_all_patients_and_says_so(out: Path) -> None:
    bundle = load_bundle(out / "final" / "model")
    assert bundle.patients is not None
    assert len(bundle.patients.training) == 9
    assert bundle.about["figures"]["tested_on"] == "test"  # by the networks of the folds
    assert [(part["split"], part["patients"]) for part in bundle.about["splits"]] == [("train", 9)]
    data = out.parent / "cells.zip"
    outcome = hemozoin("evaluate", data, "--model", out / "final")
    assert "SEEN IN TRAINING: 72 of these 72 cells are of 9 patients (of 9)" in outcome.err


@pytest.mark.slow
def test_progress_on_training_cells_is_not_called_validation(tmp_path: Path) -> None:
    data = make_cells(tmp_path / "cells.zip", patients=9)
    outcome = hemozoin("crossval", data, "--out", tmp_path / "out", *OPTIONS)
    folds_lines, final_lines = outcome.err.split("all patients\n")
    assert "on validation patients" in folds_lines
    assert "on training cells" in final_lines
    assert "validation patients" not in final_lines
