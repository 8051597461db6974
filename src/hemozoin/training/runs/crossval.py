"""Cross-validation by patient: one run per fold; each patient is tested once.

OUT/
  crossval.json       everything that decides the cross-validation
  split1.csv ...      who is tested in which fold
  fold1/ ...          the runs
  folds.csv           mean and spread of every metric over the folds
  report.html         the same on one page, with the metrics and curves of all cells together
  plots/              its curves as PNG, PDF and SVG
  final/ ...          the network trained on all patients, with --final
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from hemozoin.csv_files import csv_table
from hemozoin.data.cells import SplitCells
from hemozoin.data.dataset import decode_cells
from hemozoin.data.preprocess import Preprocessing
from hemozoin.data.split import require_folds, split_columns, split_in_folds, write_split
from hemozoin.errors import RunError
from hemozoin.evaluation.evaluate import describe_setup
from hemozoin.evaluation.fold_report import FoldReport, write_fold_report
from hemozoin.evaluation.folds import FoldSpread, FoldTest, folds_text, spread_over_folds
from hemozoin.files import is_free, read_regular_file, remove_leftovers, replace_file
from hemozoin.metrics.predictions import LabelledPredictions
from hemozoin.metrics.seen_patients import overlap_with
from hemozoin.model.bundle import load_bundle
from hemozoin.progress import print_status
from hemozoin.reports.plot_files import PLOTS
from hemozoin.training.runs import start
from hemozoin.training.runs.config import RunConfig
from hemozoin.training.runs.final import read_predictions, train_final
from hemozoin.training.runs.folder import RunFolder
from hemozoin.training.runs.warnings import init_warnings


def cross_validate(
    config: RunConfig, out: Path, folds: int, device: str = "auto", final: bool = False
) -> str:
    """Train once per fold and return mean and spread of every metric as text.

    With `final` a network is then trained on all patients (see `train_final`). Finished folds
    are kept and a stopped one is resumed, so the same command, given again, continues where it
    stopped. Raises RunError where `out` contains anything but a part of the same
    cross-validation, and under torchrun, where each process would run every fold.
    """
    if "WORLD_SIZE" in os.environ:
        raise RunError("crossval runs in one process; start it without torchrun")
    require_folds(folds)
    cells = decode_cells(config.data, config.cells, Preprocessing(config.recipe.size)).cells
    splits = split_in_folds(cells, folds, config.recipe.seed)
    _begin(out, config, splits)
    runs = []
    for number in range(1, folds + 1):
        print_status(f"fold {number} of {folds}")
        fold_config = replace(config, split=out / f"split{number}.csv")
        runs.append(_run_fold(fold_config, RunFolder(out / f"fold{number}"), device))
    metrics = [run.test_metrics() for run in runs]
    if final:
        train_final(config, runs, RunFolder(out / "final"), device)
    replace_file(out / "folds.csv", _folds_table(spread_over_folds(metrics)))
    _write_report(out, config, runs)
    return f"{folds_text(metrics)}\nReport: {out / 'report.html'}"


def _write_report(out: Path, config: RunConfig, runs: list[RunFolder]) -> None:
    tests = [read_predictions(run) for run in runs]
    folds = tuple(
        FoldTest(
            LabelledPredictions.from_cells(cells, p),
            load_bundle(run.model).threshold.value,
            run.test_metrics(),
        )
        for run, (cells, p) in zip(runs, tests, strict=True)
    )
    title = f"Cross-validation: MobileNet α = {config.recipe.alpha:g} at {config.recipe.size} px"
    setup = describe_setup({"Data": str(config.data)})
    init = config.recipe.init
    seen = [overlap_with(init.patients(), cells) for cells, _ in tests] if init else []
    warnings = tuple(init_warnings(seen))
    remove_leftovers(out / PLOTS)
    write_fold_report(out, FoldReport(title, folds, config.prevalence, warnings, setup))


def _folds_table(spreads: list[FoldSpread]) -> str:
    names = [field.name for field in fields(FoldSpread)]
    return csv_table({name: [getattr(one, name) for one in spreads] for name in names})


def _begin(out: Path, config: RunConfig, splits: list[SplitCells]) -> None:
    """Write crossval.json and the splits, or check that `out` has the same ones already."""
    tables = [split_columns(split) for split in splits]
    dealt = {title: np.concatenate([table[title] for table in tables]) for title in tables[0]}
    digest = hashlib.sha256(csv_table(dealt).encode()).hexdigest()
    plan = json.dumps({"folds": len(splits), "dealt": digest, **config.to_dict()}, indent=2)
    record = out / "crossval.json"
    if not record.exists() and not is_free(out):
        raise RunError(f"{out}: not an empty folder; give another --out")
    if record.exists() and read_regular_file(record) != plan.encode():
        raise RunError(
            f"{out}: has folds of other cells or options, or crossval.json is damaged;"
            " give another --out"
        )
    out.mkdir(parents=True, exist_ok=True)
    remove_leftovers(out)
    replace_file(record, plan)
    for number, split in enumerate(splits, 1):
        write_split(split, out / f"split{number}.csv")


def _run_fold(config: RunConfig, folder: RunFolder, device: str) -> RunFolder:
    """Do the run of a fold; return at once if it is finished, resume it if it has begun."""
    if folder.finished:
        return folder
    if folder.config.exists():
        return start.resume(folder.path, device)
    return start.new(config, folder.path, device=device)
