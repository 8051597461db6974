"""Cross-validation by patient: one run per fold, each patient tested once.

OUT/
  crossval.json       everything that decides it
  split1.csv ...      who is tested in which fold
  fold1/ ...          the runs
  folds.csv           mean and spread of every figure
  final/ ...          the network trained on all patients, if it was asked for
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import polars as pl

from hemozoin.data.dataset import decode_cells
from hemozoin.data.preprocess import Preprocessing
from hemozoin.data.split import split_in_folds, write_split
from hemozoin.errors import RunError
from hemozoin.files import is_free, replace_file
from hemozoin.evaluation.folds import spread_over_folds, folds_text
from hemozoin.progress import say
from hemozoin.training.runs import start
from hemozoin.training.runs.config import RunConfig
from hemozoin.training.runs.final import train_final
from hemozoin.training.runs.folder import RunFolder


def cross_validate(
    config: RunConfig, out: Path, folds: int, device: str = "auto", final: bool = False
) -> str:
    """Train once per fold and return the spread of every figure as text.

    With `final` a network is then trained on all patients (see `training.final`). Finished folds
    are kept and a stopped one is gone on with, so the same command, given again, does what is
    left. Raises RunError where `out` holds anything but the beginning of the same
    cross-validation, and where several processes were started: each would run every fold.
    """
    if "WORLD_SIZE" in os.environ:
        raise RunError("crossval runs in one process; start it without torchrun")
    cells = decode_cells(config.data, config.cells, Preprocessing(config.recipe.size)).cells
    splits = split_in_folds(cells, folds, config.recipe.seed)
    _begin(out, config, splits)
    runs = []
    for number in range(1, folds + 1):
        say(f"fold {number} of {folds}")
        split = replace(config, split=out / f"split{number}.csv")
        runs.append(_run_fold(split, RunFolder(out / f"fold{number}"), device))
    if final:
        train_final(config, runs, RunFolder(out / "final"), device)
    found = [run.figures() for run in runs]
    replace_file(out / "folds.csv", spread_over_folds(found).write_csv())
    return folds_text(found)


def _begin(out: Path, config: RunConfig, splits: list[pl.DataFrame]) -> None:
    """Write down what decides the folds, or see that it is what stands there already."""
    tested = pl.concat([split.select("cell", "patient", "label", "split") for split in splits])
    split_data = hashlib.sha256(tested.write_csv().encode()).hexdigest()
    plan = json.dumps({"folds": len(splits), "dealt": split_data, **config.to_dict()}, indent=2)
    record = out / "crossval.json"
    if not record.exists() and not is_free(out):
        raise RunError(f"{out}: not an empty folder; give another --out")
    if record.exists() and record.read_text() != plan:
        raise RunError(f"{out}: has folds of other cells or options; give another --out")
    out.mkdir(parents=True, exist_ok=True)
    replace_file(record, plan)
    for number, split in enumerate(splits, 1):
        write_split(split, out / f"split{number}.csv")


def _run_fold(config: RunConfig, folder: RunFolder, device: str) -> RunFolder:
    if folder.finished:
        return folder
    if folder.config.exists():
        return start.resume(folder.path, device)
    return start.new(config, folder.path, device=device)
