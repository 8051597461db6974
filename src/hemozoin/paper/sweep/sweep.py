"""The sweep: every network of the grid, on the same patients, seed by seed.

OUT/
  sweep.json           everything that decides the rows
  sweep.csv            a row a run, written as each ends
  runs/NAME/           the runs, as `hemozoin train` leaves them
  tables.md            Tables 4 to 7 in the paper's form
  mult_adds.svg        accuracy over mult-adds (the paper's figure 4)
  parameters.svg       accuracy over parameters (figure 5)
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path

from hemozoin.data.dataset import find_cells
from hemozoin.errors import HemozoinError, RunError
from hemozoin.files import is_free, replace_file
from hemozoin.paper.sweep.grid import TABLES, Grid, SweepNetwork
from hemozoin.paper.sweep.measurement import measure_run
from hemozoin.paper.sweep.plots import COSTS, draw
from hemozoin.paper.sweep.rows import SweepRow, read_rows, write_rows
from hemozoin.paper.sweep.tables import markdown
from hemozoin.progress import say
from hemozoin.training.runs import start
from hemozoin.training.runs.config import RunConfig
from hemozoin.training.runs.folder import RunFolder


@dataclass(frozen=True)
class Sweep:
    """What is to be done: `config` for every network but for its α, size, body and seed.

    Seeds are 0 up to, without it, `seeds`. Raises HemozoinError where there are none, or where
    a network of the grid can't be.
    """

    config: RunConfig
    grid: Grid
    tables: tuple[int, ...] = tuple(TABLES)
    seeds: int = 3

    def __post_init__(self) -> None:
        """Refuse what can't be run, before anything has been."""
        if self.seeds < 1:
            raise HemozoinError(f"seeds is {self.seeds}; give 1 or more")
        self.grid.networks(tuple(TABLES))

    def runs(self) -> list[tuple[SweepNetwork, int]]:
        """Return what is to be run: seed by seed, so that a sweep cut short is balanced."""
        networks = self.grid.networks(self.tables)
        return [(network, seed) for seed in range(self.seeds) for network in networks]


def run_sweep(sweep: Sweep, out: Path, device: str = "auto") -> str:
    """Do what is left of a sweep and return its tables as Markdown.

    Rows that are in OUT/sweep.csv are not run again, a run that was stopped is gone on with.
    Raises RunError where `out` holds anything but the beginning of the same sweep (more seeds or
    tables are welcome), and where several processes were started: each would run every network.
    """
    if "WORLD_SIZE" in os.environ:
        raise RunError("sweep runs in one process; start it without torchrun")
    rows = _begin(sweep, out)
    runs = sweep.runs()
    for number, (network, seed) in enumerate(runs, 1):
        if (network.name, seed) not in {row.key for row in rows}:
            say(f"run {number} of {len(runs)}: {network.name}, seed {seed}")
            rows.append(_run(sweep, network, seed, out / "runs", device))
            write_rows(out / "sweep.csv", rows)
    return _conclude(rows, out)


def _begin(sweep: Sweep, out: Path) -> list[SweepRow]:
    """Write down what decides the rows, or see that it stands there; return what rows there are."""
    _, cells = find_cells(sweep.config.data, sweep.config.cells)
    digest = hashlib.sha256(cells.write_csv().encode()).hexdigest()
    plan = {"digest": digest, "grid": sweep.grid.to_dict(), **sweep.config.to_dict()}
    text, record = json.dumps(plan, indent=2), out / "sweep.json"
    if not record.exists() and not is_free(out):
        raise RunError(f"{out}: not an empty folder; give another --out")
    if record.exists() and record.read_text() != text:
        raise RunError(f"{out}: has a sweep of other cells or options; give another --out")
    out.mkdir(parents=True, exist_ok=True)
    replace_file(record, text)
    return read_rows(out / "sweep.csv")


def _run(sweep: Sweep, network: SweepNetwork, seed: int, runs: Path, device: str) -> SweepRow:
    """Train and judge one network, or what is left of it."""
    recipe = replace(
        sweep.config.recipe,
        alpha=network.alpha,
        size=network.size,
        body=network.body,
        seed=seed,
    )
    folder = RunFolder(runs / f"{network.name.replace(' ', '-')}-seed{seed}")
    with redirect_stdout(sys.stderr):  # where a run tells of itself, the sweep's result is not
        if folder.config.exists() and not folder.finished:
            start.resume(folder.path, device)
        elif not folder.finished:
            folder.sweep()  # killed while it wrote its first file, it would be in the way
            start.new(replace(sweep.config, recipe=recipe), folder.path, device=device)
    return measure_run(folder, network, recipe, sweep.grid.tables_of(network))


def _conclude(rows: list[SweepRow], out: Path) -> str:
    """Write the tables and the drawings of all rows, and return the tables."""
    tables = markdown(rows)
    replace_file(out / "tables.md", tables + "\n")
    for name in COSTS:
        replace_file(out / f"{name}.svg", draw(rows, name))
    return tables
