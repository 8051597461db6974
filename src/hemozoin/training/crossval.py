"""Cross-validation by patient: one run per fold, each patient tested once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from hemozoin.cells.dataset import find_cells
from hemozoin.cells.split import split_in_folds, write_split
from hemozoin.files import replace_file
from hemozoin.judging.folds import spread, spread_text
from hemozoin.judging.judgement import AS_GIVEN
from hemozoin.progress import say
from hemozoin.training import start
from hemozoin.training.config import RunConfig
from hemozoin.training.runfolder import RunFolder


def cross_validate(config: RunConfig, out: Path, folds: int, device: str) -> str:
    """Train once per fold and return the spread of every figure as text.

    The runs lie in OUT/fold1 and so on, with folds.csv beside them. Finished folds are kept and
    a stopped one is gone on with, so the same command, given again, does what is left.
    """
    _, cells = find_cells(config.data, config.cells)
    out.mkdir(parents=True, exist_ok=True)
    found = []
    for number, split in enumerate(split_in_folds(cells, folds, config.recipe.seed), 1):
        say(f"fold {number} of {folds}")
        path = out / f"split{number}.csv"
        write_split(split, path)
        folder = _run_fold(replace(config, split=path), out / f"fold{number}", device)
        found.append(_figures(folder))
    replace_file(out / "folds.csv", spread(found).write_csv())
    return spread_text(found)


def _run_fold(config: RunConfig, path: Path, device: str) -> RunFolder:
    folder = RunFolder(path)
    if folder.metrics.exists() and folder.model.exists():
        return folder
    if folder.config.exists():
        return start.resume(path, device)
    return start.new(config, path, device=device)


def _figures(folder: RunFolder) -> dict[str, float]:
    """Return the figures of a finished fold, on the labels as given."""
    figures = json.loads(folder.metrics.read_text())[AS_GIVEN.replace(" ", "_")]
    return {
        name: float("nan") if estimate["value"] is None else estimate["value"]
        for name, estimate in figures.items()
        if isinstance(estimate, dict)
    }
