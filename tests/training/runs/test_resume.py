"""A run that was stopped and resumed, at any moment, ends like one that was not stopped."""

from __future__ import annotations

import os
import shutil
import signal
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hemozoin.training.runs import folder
from tests.conftest import make_cells, make_zip
from tests.support.commands import (
    QUICK,
    FullDisk,
    hemozoin,
    leftover_of,
    refused,
    start,
    succeed,
    tree,
)

#: Files of a run that are identical in every repetition.
SAME = ("config.json", "split.csv", "predictions.csv", "metrics.json", "model/model.safetensors")

LARGER = ("--size", 32, "--epochs", 1, "--batch", 16, "--alpha", 0.3)

THREE_EPOCHS = ("--size", 32, "--epochs", 3, "--batch", 16)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Use one thread, as `start` does: sums depend on the number of threads."""
    import torch  # noqa: PLC0415

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def kept(run: Path) -> dict[str, bytes]:
    return {name: (run / name).read_bytes() for name in SAME if (run / name).exists()}


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_stopped_after_an_epoch(
    how: signal.Signals, tmp_path: Path, cells_zip: Path, one_thread: None
) -> None:
    run = tmp_path / "stopped"
    with start("train", cells_zip, "--out", run, *THREE_EPOCHS) as process:
        assert process.stderr
        assert process.stderr.readline().startswith("epoch 1:")
        process.send_signal(how)
        errors = process.stderr.read()
    assert process.returncode == (130 if how == signal.SIGINT else -how)
    if how == signal.SIGINT:
        last = errors.splitlines()[-1]
        assert last.startswith("hemozoin: stopped; finished epochs are saved; resume with")
        assert "Traceback" not in errors
    assert not (run / "report.html").exists()
    first = (run / "results.csv").read_text().splitlines()[1]
    succeed("train", "--resume", run)
    assert (run / "results.csv").read_text().splitlines()[1] == first  # including the seconds
    succeed("train", cells_zip, "--out", tmp_path / "whole", *THREE_EPOCHS)
    assert kept(run) == kept(tmp_path / "whole")
    assert len(kept(run)) == len(SAME)


#: Plots of a run: seven, each as PNG, PDF and SVG.
PLOTS = 21

#: Files in the order in which a run of one epoch writes them; the first two are the cache.
_WRITES = (
    "KEY.json",
    "KEY.npy",
    "config.json",
    "split.csv",
    "checkpoint.safetensors",
    "results.csv",
    *(f"plot {number}" for number in range(1, PLOTS + 1)),
    "predictions.csv",
    "metrics.json",
    "report.html",
    "config.json of the model",
    "model.safetensors",
    "guard.safetensors",
    "model.onnx",
    "SHA256SUMS",
)

#: Of the plots the first and the last are enough.
TESTED = [
    (number, name)
    for number, name in enumerate(_WRITES, 1)
    if not name.startswith("plot") or name in ("plot 1", f"plot {PLOTS}")
]


@pytest.mark.slow
@pytest.mark.parametrize("nth", [n for n, _ in TESTED], ids=[name for _, name in TESTED])
def test_the_disk_is_full_at_every_write(
    nth: int, tmp_path: Path, cache: Path, finished_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, data = tmp_path / "run", finished_run.parent / "cells.zip"
    command = ("train", data, "--out", run, *QUICK)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", FullDisk(nth).fsync)
        outcome = hemozoin(*command)
    assert outcome.code == 2
    *before, line = outcome.err.splitlines()
    assert line.startswith("hemozoin: ")
    assert "disk full" in line or "No space left" in line
    assert all(errors.startswith("epoch ") for errors in before)

    whole = kept(finished_run)
    assert kept(run).items() <= whole.items()
    assert not [path for path in tree(run, cache) if path.endswith(".partial")]
    assert not (run / "model" / "SHA256SUMS").exists()
    begun = (run / "config.json").exists()
    assert begun == (nth > 3)
    succeed(*(("train", "--resume", run) if begun else command))
    assert kept(run) == whole


@pytest.mark.slow
def test_a_run_writes_no_other_file(
    tmp_path: Path, cells_zip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FullDisk(1000)
    monkeypatch.setattr(os, "fsync", disk.fsync)
    succeed("train", cells_zip, "--out", tmp_path / "run", *QUICK)
    assert 1000 - disk.remaining == len(_WRITES)


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["evaluate", "crossval"])
def test_the_disk_is_full_for_other_verbs(
    verb: str, tmp_path: Path, finished_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cells are in the cache; the disk is full at evaluate's 2nd file, crossval's first."""
    monkeypatch.setenv("HEMOZOIN_CACHE", str(finished_run.parent / "cache"))
    out, data = tmp_path / "out", finished_run.parent / "cells.zip"
    options = {
        "evaluate": ("--model", finished_run / "model"),
        "crossval": ("--folds", 3, *QUICK),
    }[verb]
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", FullDisk({"evaluate": 2, "crossval": 1}[verb]).fsync)
        outcome = hemozoin(verb, data, "--out", out, *options)
    assert outcome.code == 2
    assert "disk full" in outcome.err.splitlines()[-1]
    assert not [*out.rglob("*.json"), *out.rglob("*.partial")]


@pytest.mark.slow
def test_partial_files_of_a_killed_run_are_removed(tmp_path: Path, finished_run: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    for name in ("checkpoint.safetensors", "model/config.json"):
        leftover_of(run / name).write_bytes(b"half")
    (run / "mine.partial").write_bytes(b"not the run's")
    succeed("train", "--resume", run)
    assert [path for path in tree(run) if path.endswith(".partial")] == [str(run / "mine.partial")]


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--overwrite",)], ids=str)
def test_killed_before_config_json_was_complete(
    options: tuple[str, ...], tmp_path: Path, finished_run: Path
) -> None:
    """The folder has only a partial file: it is as good as new."""
    run, data = tmp_path / "run", finished_run.parent / "cells.zip"
    run.mkdir()
    leftover_of(run / "config.json").write_text("{")
    succeed("train", data, "--out", run, *QUICK, *options)
    assert kept(run) == kept(finished_run)
    assert tree(run).keys() == {
        path.replace(str(finished_run), str(run)) for path in tree(finished_run)
    }


@pytest.mark.slow
def test_killed_while_an_earlier_run_was_replaced(
    tmp_path: Path, finished_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is still a run, so --overwrite can be given again."""
    run = shutil.copytree(finished_run, tmp_path / "run")
    (run / "mine.txt").write_text("mine")
    command = ("train", finished_run.parent / "cells.zip", "--out", run, *QUICK, "--overwrite")
    for name in ("remove_leftovers", "replace_file"):

        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(folder, name, interrupt)
            assert hemozoin(*command).code == 130
        assert (run / "config.json").exists()
        assert not (run / "checkpoint.safetensors").exists()
    succeed(*command)
    assert kept(run) == kept(finished_run)
    assert (run / "mine.txt").read_text() == "mine"


@pytest.mark.slow
def test_a_finished_run_is_not_trained_again(tmp_path: Path, finished_run: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    shutil.rmtree(run / "model")
    outcome = hemozoin("train", "--resume", run)
    assert outcome.code == 0
    assert outcome.err.splitlines() == [outcome.err.strip()]  # prints the last epoch
    assert kept(run) == kept(finished_run)
    checkpoint, results = run / "checkpoint.safetensors", run / "results.csv"
    assert checkpoint.stat().st_mtime_ns == (finished_run / checkpoint.name).stat().st_mtime_ns
    assert results.read_bytes() == (finished_run / "results.csv").read_bytes()


# ---- the data have changed ---------------------------------------------------------------------


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """A run that has trained its epoch, but has no model yet; its data are `cells` next to it."""
    data = make_cells(tmp_path / "cells")
    run = tmp_path / "run"
    succeed("train", data, "--out", run, *QUICK)
    shutil.move(run / "model", tmp_path / "model")
    return run


@pytest.mark.slow
def test_all_data_are_missing(stopped: Path) -> None:
    shutil.rmtree(stopped.parent / "cells")
    before = tree(stopped)
    assert "cells: No such file" in refused("train", "--resume", stopped)
    assert tree(stopped) == before


@pytest.mark.slow
def test_a_cell_is_missing(stopped: Path) -> None:
    min((stopped.parent / "cells").rglob("*.png")).unlink()
    before = tree(stopped)
    line = hemozoin("train", "--resume", stopped).err.splitlines()[-1]
    assert line.startswith("hemozoin: ")
    assert "1 cell" in line
    assert "cells" in line
    assert tree(stopped) == before


@pytest.mark.slow
def test_more_cells_change_nothing(stopped: Path) -> None:
    """The run resumes with the cells that it began with."""
    data = stopped.parent / "cells" / "cell_images" / "Uninfected"
    shutil.copy(min(data.glob("*.png")), data / "C1P1ThinF_IMG_20150918_144104_cell_0.png")
    shutil.copy(min(data.glob("*.png")), data / "C99P9ThinF_IMG_20150918_144104_cell_1.png")
    split = (stopped / "split.csv").read_bytes()
    succeed("train", "--resume", stopped)
    assert (stopped / "split.csv").read_bytes() == split
    weights = [
        folder / "model.safetensors" for folder in (stopped / "model", stopped.parent / "model")
    ]
    assert weights[0].read_bytes() == weights[1].read_bytes()


@pytest.mark.slow
def test_a_damaged_checkpoint(stopped: Path, tmp_path: Path, cells_zip: Path) -> None:
    """Cut short, empty, or of another network."""
    checkpoint = stopped / "checkpoint.safetensors"
    whole = checkpoint.read_bytes()
    succeed("train", cells_zip, "--out", tmp_path / "other", *LARGER)
    for content in (whole[:-100], b"", (tmp_path / "other" / checkpoint.name).read_bytes()):
        checkpoint.write_bytes(content)
        assert "checkpoint.safetensors: damaged" in refused("train", "--resume", stopped)


@pytest.mark.slow
def test_a_split_csv_that_was_edited(stopped: Path) -> None:
    (stopped / "split.csv").write_text("cell,split\n")
    assert "split.csv" in refused("train", "--resume", stopped)


@pytest.mark.slow
def test_resume_after_files_were_moved_within_the_zip(tmp_path: Path, cells_zip: Path) -> None:
    """Folders inside may change: cells are identified by their names."""
    run = tmp_path / "run"
    succeed("train", cells_zip, "--out", run, *QUICK)
    before = kept(run)
    shutil.rmtree(run / "model")
    with zipfile.ZipFile(cells_zip) as archive:
        files = {f"deeper/{info.filename}": archive.read(info) for info in archive.infolist()}
    make_zip(cells_zip, files)
    succeed("train", "--resume", run)
    assert kept(run) == before
