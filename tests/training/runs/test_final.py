"""The network trained on every patient, decided by what the folds said of strangers."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.support.commands import QUICK, hemozoin, succeed
from tests.conftest import make_cells
from hemozoin.decision.temperature import calibrate
from hemozoin.decision.threshold import OperatingPoint
from hemozoin.model.bundle import load_bundle
from hemozoin.training.runs.config import RunConfig
from hemozoin.training.runs.final import _all_of, out_of_fold
from hemozoin.training.runs.run import load_split_data
from hemozoin.training.runs.folder import RunFolder
from hemozoin.training.packaging import decide
from hemozoin.training.runs.start import read_config

OPTIONS = ("--folds", 3, "--final", *QUICK)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished cross-validation with its final network; its data are `cells.zip` beside it."""
    folder = tmp_path_factory.mktemp("final")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEMOZOIN_CACHE", str(folder / "cache"))
        data = make_cells(folder / "cells.zip", patients=9)
        succeed("crossval", data, "--out", folder / "out", *OPTIONS)
    return folder / "out"


def folds(out: Path) -> list[RunFolder]:
    return [RunFolder(out / f"fold{k}") for k in (1, 2, 3)]


def test_it_learns_from_every_cell(out: Path) -> None:
    config: RunConfig = read_config(out / "final" / "config.json")
    training_data = _all_of(load_split_data(config, out / "split1.csv"), config)
    assert sorted(training_data.train) == list(range(72))
    weights = [load_bundle(run / "model").weights for run in sorted(out.glob("f*[l123]"))]
    first = [one["network.head.weight"].tobytes() for one in weights]
    assert len(set(first)) == 4


def test_each_cell_is_decided_by_the_fold_that_had_not_seen_its_patient(out: Path) -> None:
    cells, logit = out_of_fold(folds(out))
    assert cells["cell"].n_unique() == len(logit) == 72
    for fold in folds(out):
        said = pl.read_csv(fold.predictions)
        mine = cells["cell"].is_in(said["cell"].implode()).to_numpy()
        p = calibrate(logit[mine], load_bundle(fold.model).temperature)
        assert np.abs(p - said["p_parasitized"].to_numpy()).max() < 2e-6


def test_its_decisions_and_figures_are_of_those_answers(out: Path) -> None:
    bundle = load_bundle(out / "final" / "model")
    decisions = decide(*out_of_fold(folds(out)), OperatingPoint())
    assert bundle.threshold == decisions.threshold
    assert bundle.band == decisions.band
    assert bundle.false_positive_rate == decisions.false_positive_rate is not None
    assert bundle.temperature == pytest.approx(decisions.temperature)
    assert bundle.about["figures"]["labels_as_given"]["cells"] == 72
    assert [fold["roc_auc"] for fold in bundle.about["folds"]] == [
        fold.figures()["roc_auc"] for fold in folds(out)
    ]


def test_it_predicts(out: Path) -> None:
    cells = out.parent / "cells.zip"
    table = succeed("predict", cells, "--model", out / "final")
    assert len(table.splitlines()) == 73


def test_given_again_it_trains_only_what_is_missing(out: Path, tmp_path: Path) -> None:
    shutil.copytree(out, tmp_path / "out")
    before = load_bundle(out / "final" / "model").weights
    shutil.rmtree(tmp_path / "out" / "final")
    cells = out.parent / "cells.zip"
    ended = hemozoin("crossval", cells, "--out", tmp_path / "out", *OPTIONS)
    assert ended.code == 0
    assert "all patients" in ended.err
    again = load_bundle(tmp_path / "out" / "final" / "model").weights
    assert all(np.array_equal(before[name], again[name]) for name in before)
