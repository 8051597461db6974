"""The epochs of a run as TensorBoard event files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from hemozoin.cli import extras
from hemozoin.training.checkpoint import EpochRow
from hemozoin.training.runs.tensorboard import TensorBoardLog
from tests.support.commands import QUICK, hemozoin, succeed
from tests.support.tables import read_columns_of


def scalars(folder: Path) -> Any:
    """Return step and value of all events, by name."""
    events = EventAccumulator(str(folder))
    events.Reload()
    return {
        name: [(event.step, event.value) for event in events.Scalars(name)]
        for name in events.Tags()["scalars"]
    }


def epochs(count: int) -> list[EpochRow]:
    return [{"epoch": number, "val_auc": 0.5 + number / 10} for number in range(1, count + 1)]


def test_each_epoch_is_there_once(tmp_path: Path) -> None:
    log = TensorBoardLog(tmp_path)
    for count in (1, 2, 3):
        log.write(epochs(count))
    expected = [(1, pytest.approx(0.6)), (2, pytest.approx(0.7)), (3, pytest.approx(0.8))]
    assert scalars(tmp_path) == {"val_auc": expected}


def test_a_resumed_run_writes_its_log_anew(tmp_path: Path) -> None:
    TensorBoardLog(tmp_path).write(epochs(2))
    (tmp_path / "notes.txt").write_text("mine")
    resumed = TensorBoardLog(tmp_path)
    resumed.write(epochs(2))
    resumed.write(epochs(3))
    assert [step for step, _ in scalars(tmp_path)["val_auc"]] == [1, 2, 3]
    assert (tmp_path / "notes.txt").exists()


@pytest.mark.slow
def test_a_run_with_and_without_it(tmp_path: Path, finished_run: Path) -> None:
    data, run = finished_run.parent / "cells.zip", tmp_path / "run"
    succeed("train", data, *QUICK, "--tensorboard", "--out", run)
    results = read_columns_of(run / "results.csv")
    expected = [(1, pytest.approx(float(results["val_loss"][0]), rel=1e-5))]
    assert scalars(run / "tensorboard")["val_loss"] == expected
    weights = (run / "model" / "model.safetensors").read_bytes()
    assert weights == (finished_run / "model" / "model.safetensors").read_bytes()
    succeed("train", data, *QUICK, "--overwrite", "--out", run)
    assert not (run / "tensorboard").exists()


def test_without_the_extra_one_line_says_so(
    tmp_path: Path, cells_zip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    outcome = hemozoin("train", cells_zip, "--tensorboard", "--out", tmp_path / "run")
    assert outcome.code == 2
    assert "pip install 'hemozoin[tensorboard]'" in outcome.err
    assert not (tmp_path / "run").exists()
