"""Two processes do the same run as one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist

from hemozoin.errors import TrainingError
from hemozoin.training import distributed
from hemozoin.training.trainer import Trainer
from tests.support.commands import LEARN, LEARN_EPOCHS, quiet, succeed
from tests.support.tables import read_columns_of, read_rows_of
from tests.support.two_processes import (
    RECIPE,
    train_one_epoch,
    train_with_a_teacher,
    training_data,
)

SCRIPT = Path(__file__).parents[1] / "support" / "two_processes.py"


def torchrun(*command: object) -> subprocess.CompletedProcess[str]:
    """Run a command in two processes on a free port."""
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return subprocess.run(
        [*start, *map(str, command)],
        env=quiet(),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, learned_run: Path) -> Path:
    """The run of `learned_run`, done by two processes."""
    folder = tmp_path_factory.mktemp("two")
    train = ("train", learned_run.parent / "cells.zip", "--out", folder / "run", *LEARN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEMOZOIN_CACHE", str(folder / "cache"))
        done = torchrun(SCRIPT, "train", folder, *train)
    assert done.returncode == 0, done.stderr
    (folder / "out.txt").write_text(done.stdout)
    (folder / "err.txt").write_text(done.stderr)
    return folder / "run"


@pytest.fixture(scope="module")
def pair(run: Path) -> Any:
    """The results that both processes of two_processes.py wrote before the run."""
    return [json.loads((run.parent / f"{rank}.json").read_text()) for rank in (0, 1)]


@pytest.fixture(scope="module")
def alone() -> Any:
    """The same results in one process."""
    return json.loads(json.dumps(train_one_epoch()))


@pytest.mark.slow
def test_each_cell_once_per_epoch_in_the_same_batches(pair: Any, alone: Any) -> None:
    first, second = (found["batches"] for found in pair)
    for (rows0, count0), (rows1, count1), (whole, size) in zip(
        first, second, alone["batches"], strict=True
    ):
        assert count0 == count1 == size == len(whole)
        assert sorted(rows0 + rows1) == sorted(whole)
        assert abs(len(rows0) - len(rows1)) <= 1
    rows = [row for batches in (first, second) for rows, _ in batches for row in rows]
    assert sorted(rows) == list(range(51))


@pytest.mark.slow
def test_validation_is_counted_once(pair: Any, alone: Any) -> None:
    """With the initial weights, each cell has the same p as in one process."""
    for found in pair:
        assert found["world"] == 2
        assert found["p"] == pytest.approx(alone["p"], abs=1e-6)
    assert len(alone["p"]) == len(training_data().validation) == 24


@pytest.mark.slow
def test_both_end_with_the_same_network_and_metrics(pair: Any) -> None:
    """This includes batch norm; each process predicts half of the validation cells."""
    first, second = pair
    assert first["state"] == second["state"]
    assert first["metrics"] == second["metrics"]
    assert first["loss"] == second["loss"]


@pytest.mark.slow
def test_one_process_with_two_threads_ends_with_the_same_network(pair: Any, alone: Any) -> None:
    """Each process, or each thread, has half of every batch."""
    assert pair[0]["loss"] == pytest.approx(alone["loss"], rel=1e-5)
    assert pair[0]["state"] == pytest.approx(alone["state"], rel=1e-4, abs=1e-4)


@pytest.mark.slow
def test_a_network_with_a_teacher_is_the_same_in_both_and_in_one(pair: Any, tmp_path: Path) -> None:
    first, second = (found["taught"] for found in pair)
    assert first == second == pytest.approx(train_with_a_teacher(tmp_path), rel=1e-4, abs=1e-4)
    assert first != pair[0]["state"]


@pytest.mark.slow
def test_if_the_first_process_fails_all_do(pair: Any) -> None:
    first, second = (found["failed"] for found in pair)
    assert first == "RunError: mine"
    assert second == "TrainingError: the first process has stopped; its message says why"


@pytest.mark.slow
def test_the_run_equals_that_of_one_process(run: Path, learned_run: Path) -> None:
    """The same files, the same split, a network as good; only one process writes."""
    files = {str(path.relative_to(run)) for path in run.rglob("*")}
    assert files == {str(path.relative_to(learned_run)) for path in learned_run.rglob("*")}
    for name in ("split.csv", "config.json"):
        assert (run / name).read_bytes() == (learned_run / name).read_bytes()
    epochs = read_columns_of(run / "results.csv")["epoch"]
    assert epochs == [str(epoch) for epoch in range(1, LEARN_EPOCHS + 1)]
    found = json.loads((run / "metrics.json").read_text())["labels_as_given"]
    assert found["roc_auc"]["value"] > 0.9
    assert found["cells"] == len(read_rows_of(learned_run / "predictions.csv"))


@pytest.mark.slow
def test_only_one_process_prints(run: Path) -> None:
    assert (run.parent / "out.txt").read_text().count("Report:") == 1
    errors = (run.parent / "err.txt").read_text()
    epochs = [line.split(":")[0] for line in errors.splitlines() if line.startswith("epoch")]
    assert epochs == [f"epoch {k}" for k in range(1, LEARN_EPOCHS + 1)]
    assert "Warning" not in errors


@pytest.mark.slow
def test_a_full_disk_ends_both_processes_and_the_run_can_be_resumed(
    tmp_path: Path, learned_run: Path
) -> None:
    data, run = learned_run.parent / "cells.zip", tmp_path / "run"
    failed = torchrun(SCRIPT, "fail", "train", data, "--out", run, *LEARN)
    assert failed.returncode == 1
    assert "hemozoin: disk full; free some space" in failed.stderr
    assert (
        "hemozoin/training" not in failed.stderr
    )  # torchrun prints a traceback, hemozoin does not
    begun = (run / "results.csv").read_text().splitlines()
    assert len(begun) == 1 + 2
    succeed("train", "--resume", run)  # one process gives what two would
    assert (run / "results.csv").read_text().splitlines()[:3] == begun
    found = json.loads((run / "metrics.json").read_text())["labels_as_given"]
    assert found["roc_auc"]["value"] > 0.9


def test_a_lost_process_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_: object) -> None:
        raise RuntimeError("[gloo] Connection closed by peer [127.0.0.1]:1234")

    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(dist, "all_reduce", gone)
    with pytest.raises(TrainingError, match="another process"):
        distributed.all_reduce_sum(torch.zeros(1))


def test_batches_too_small_for_the_number_of_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """51 cells in 4 steps: 12 or 13 a step, which 6 processes can share, not 7."""
    monkeypatch.setattr(distributed, "world_size", lambda: 7)
    with pytest.raises(TrainingError, match="larger --batch"):
        Trainer(training_data(), RECIPE, torch.device("cpu"))


def test_one_process_needs_no_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with distributed.process_group(torch.device("cpu")):
        assert not dist.is_initialized()
        assert (distributed.rank(), distributed.world_size()) == (0, 1)
        with distributed.first_process_first() as first:
            assert first
        assert distributed.all_reduce_sum(torch.tensor([3.0])).item() == 3
    assert "WORLD_SIZE" not in os.environ
