"""The sweep: train and test every network of the grid on the same patients, seed by seed.

OUT/
  sweep.json           everything that the rows depend on
  sweep.csv            one row for each run, written when the run ends
  runs/NAME/           the run folders, as `hemozoin train` writes them
  tables.md            Tables 4 to 7 in the paper's form
  mult_adds.svg        accuracy over mult-adds (Figure 4 of the paper)
  parameters.svg       accuracy over parameters (Figure 5 of the paper)
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path

from hemozoin.csv_files import csv_table
from hemozoin.data.dataset import find_cells
from hemozoin.errors import RunError, require_whole_number
from hemozoin.files import is_free, read_regular_file, remove_leftovers, replace_file
from hemozoin.paper.sweep.grid import TABLES, Grid, SweepNetwork
from hemozoin.paper.sweep.measurement import measure_run
from hemozoin.paper.sweep.plots import COSTS, draw
from hemozoin.paper.sweep.rows import SweepRow, read_rows, write_rows
from hemozoin.paper.sweep.tables import markdown
from hemozoin.progress import print_status
from hemozoin.training.recipe import Recipe
from hemozoin.training.runs import start
from hemozoin.training.runs.config import RunConfig
from hemozoin.training.runs.folder import RunFolder


@dataclass(frozen=True)
class Sweep:
    """A sweep: every run has `config`, except for the network's α, size and body and the seed.

    The seeds are 0 to `seeds` − 1. Raises HemozoinError unless there are 1 to 1000 of them, and
    where a network of the grid isn't allowed.
    """

    config: RunConfig
    grid: Grid
    tables: tuple[int, ...] = tuple(TABLES)
    seeds: int = 3

    def __post_init__(self) -> None:
        """Raise HemozoinError before the first run where a later one could not start."""
        require_whole_number("seeds", self.seeds, 1, 1000)
        for network in self.grid.networks(tuple(TABLES)):
            self.recipe(network, seed=0)

    def recipe(self, network: SweepNetwork, seed: int) -> Recipe:
        """Return the recipe of one run; raises HemozoinError where it can't be trained."""
        return replace(
            self.config.recipe,
            alpha=network.alpha,
            size=network.size,
            body=network.body,
            seed=seed,
        )

    def runs(self) -> list[tuple[SweepNetwork, int]]:
        """Return network and seed of each run, seed by seed: so every stop is balanced."""
        networks = self.grid.networks(self.tables)
        return [(network, seed) for seed in range(self.seeds) for network in networks]


def run_sweep(sweep: Sweep, out: Path, device: str = "auto") -> str:
    """Run what is left of a sweep and return its tables as Markdown.

    Runs with a row in OUT/sweep.csv are not repeated; an interrupted run is resumed. Raises
    RunError where `out` contains anything other than a part of the same sweep (with fewer seeds or
    tables), and where several processes were started, since each would run every network.
    """
    if "WORLD_SIZE" in os.environ:
        raise RunError("sweep runs in one process; start it without torchrun")
    rows = _open_folder(sweep, out)
    runs = sweep.runs()
    for number, (network, seed) in enumerate(runs, 1):
        if (network.name, seed) not in {row.key for row in rows}:
            print_status(f"run {number} of {len(runs)}: {network.name}, seed {seed}")
            rows.append(_run(sweep, network, seed, out / "runs", device))
            write_rows(out / "sweep.csv", rows)
    return _write_results(rows, out)


def _open_folder(sweep: Sweep, out: Path) -> list[SweepRow]:
    """Write sweep.json or check that it is the same, and return the rows that are already there."""
    _, cells = find_cells(sweep.config.data, sweep.config.cells)
    digest = hashlib.sha256(csv_table(cells.columns()).encode()).hexdigest()
    plan = {"digest": digest, "grid": sweep.grid.to_dict(), **sweep.config.to_dict()}
    text, record = json.dumps(plan, indent=2), out / "sweep.json"
    if not record.exists() and not is_free(out):
        raise RunError(f"{out}: not an empty folder; give another --out")
    if record.exists() and read_regular_file(record) != text.encode():
        raise RunError(
            f"{out}: has a sweep of other cells or options, or sweep.json is damaged;"
            " give another --out"
        )
    out.mkdir(parents=True, exist_ok=True)
    remove_leftovers(out)
    replace_file(record, text)
    return read_rows(out / "sweep.csv")


def _run(sweep: Sweep, network: SweepNetwork, seed: int, runs: Path, device: str) -> SweepRow:
    """Train and test one network, or resume it, and return its row."""
    recipe = sweep.recipe(network, seed)
    folder = RunFolder(runs / f"{network.name.replace(' ', '-')}-seed{seed}")
    with redirect_stdout(sys.stderr):  # standard output is for the sweep's own result
        if folder.config.exists() and not folder.finished:
            start.resume(folder.path, device)
        elif not folder.finished:
            start.new(replace(sweep.config, recipe=recipe), folder.path, device=device)
    try:
        return measure_run(folder, network, recipe, sweep.grid.tables_of(network))
    except (LookupError, TypeError, ValueError) as error:
        raise RunError(
            f"{folder.path}: metrics.json or results.csv is damaged; make them again with"
            f" hemozoin train --resume {folder.path}"
        ) from error


def _write_results(rows: list[SweepRow], out: Path) -> str:
    """Write the tables and the plots of all rows, and return the tables."""
    tables = markdown(rows)
    replace_file(out / "tables.md", tables + "\n")
    for name in COSTS:
        replace_file(out / f"{name}.svg", draw(rows, name))
    return tables
