"""How training grows: with the cells, the width and the input size of the network, the processes.

    python benchmarks/growth.py --cells 1024 2048 4096 8192 --alphas 0.25 0.5 1 \\
        --sizes 32 64 128 --processes 1 2

Each measurement is one epoch of the default recipe on drawn pixels, 2,048 cells of 64 px unless
varied, on one thread: in a process of its own, or in two that `torchrun` starts, which share each
batch. Time is that of the processors, of all processes together; memory is the peak of the largest
process. One row goes to benchmarks/results/growth.csv; what has a row is not measured again.
`docs/growth.svg` is drawn anew.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from matplotlib.figure import Figure

import markdown_tables as md
import rows
import scale

FILE, FIGURE = "growth.csv", Path(__file__).parents[1] / "docs" / "growth.svg"

#: Trains for an epoch; writes processor seconds and peak memory in MB to a file for each process.
EPOCH = """
import json, os, re, sys, time
from pathlib import Path
import numpy as np, torch
from hemozoin.training import distributed
from hemozoin.training.recipe import Recipe
from hemozoin.training.trainer import TrainingData, train_classifier
cells, size, alpha, folder = *map(int, sys.argv[1:3]), float(sys.argv[3]), Path(sys.argv[4])
rng = np.random.default_rng(0)
pixels = rng.integers(1, 256, (cells + 64, size, size, 3), dtype=np.uint8)
rows = np.arange(cells + 64)
data = TrainingData(pixels, rows % 2, rows[:cells], rows[cells:])
recipe = Recipe(alpha=alpha, size=size, epochs=1)
cpu = torch.device("cpu")
torch.optim.AdamW([torch.zeros(1)])  # the first optimizer imports a part of torch: 1 s
with distributed.process_group(cpu):
    started = time.process_time()
    train_classifier(data, recipe, cpu, folder / "checkpoint", lambda rows: None)
    used, rank = time.process_time() - started, distributed.rank()
peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())
(folder / f"{rank}.json").write_text(json.dumps([used, int(peak[1]) / 1024]))
"""

#: The setting that is not varied.
BASE = {"cells": 2048, "alpha": 0.25, "size": 64, "processes": 1}

#: What is varied, with its label.
VARIED = {
    "cells": "cells",
    "alpha": "width multiplier α",
    "size": "input size in px",
    "processes": "processes",
}

#: What is drawn, with the ticks of its axis.
SHOWN = {"processor's time in s": (1, 2, 5, 10), "peak memory in MB": (300, 500, 1000)}


def main() -> None:
    """Measure what has no row yet, and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, nargs="*", default=[])
    parser.add_argument("--alphas", type=float, nargs="*", default=[])
    parser.add_argument("--sizes", type=int, nargs="*", default=[])
    parser.add_argument("--processes", type=int, nargs="*", default=[])
    given = parser.parse_args()
    values = {
        "cells": given.cells,
        "alpha": given.alphas,
        "size": given.sizes,
        "processes": given.processes,
    }
    for setting in _settings(values):
        done = rows.measured(FILE, "varied", *BASE)
        if tuple(map(str, setting.values())) not in done:
            row = setting | _measure({name: setting[name] for name in BASE})
            rows.append(FILE, row | rows.conditions())
    draw()


def _settings(values: dict[str, list[int] | list[float]]) -> Iterator[rows.Row]:
    for varied, these in values.items():
        for value in these:
            setting: rows.Row = {"varied": varied, **BASE}
            yield setting | {varied: value}


def _measure(setting: rows.Row) -> rows.Row:
    """Return the processor's time in s and the peak memory in MB of an epoch."""
    processes = int(str(setting["processes"]))
    start = [sys.executable]
    if processes > 1:
        start += ["-m", "torch.distributed.run", f"--nproc-per-node={processes}"]
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "epoch.py"
        program.write_text(EPOCH, encoding="utf-8")
        given = [str(setting[name]) for name in ("cells", "size", "alpha")]
        command = [*start, str(program), *given, folder]
        subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
        found = [json.loads(file.read_text()) for file in Path(folder).glob("*.json")]
    seconds, peaks = zip(*found, strict=True)
    return {"processor_seconds": round(sum(seconds), 2), "peak_mb": round(max(peaks))}


def table() -> str:
    """Return the results in Markdown: a line per measurement."""
    found = rows.read(FILE)
    lines = [
        (
            f"{int(row['cells']):,}",
            *(row["alpha"], row["size"], row["processes"]),
            f"{float(row['processor_seconds']):.1f}",
            f"{1e3 * float(row['processor_seconds']) / int(row['cells']):.2f}",
            f"{int(row['peak_mb']):,}",
        )
        for row in found
    ]
    columns = (
        *("cells", "α", "size in px", "processes", "processor's time in s, one epoch"),
        *("in ms for each cell", "peak memory of a process in MB"),
    )
    note = (
        f"One thread per process; the processor's time of all processes, since others used the"
        f" machine. {md.machine(found)}"
    )
    return md.table(columns, lines, note)


def draw() -> None:
    """Draw the processor's time and the memory over each quantity that is varied."""
    figure = Figure(figsize=(8, 4.6), layout="constrained")
    axes = figure.subplots(2, len(VARIED), sharey="row")
    for column, (varied, label) in enumerate(VARIED.items()):
        measured = sorted(
            (float(row[varied]), float(row["processor_seconds"]), float(row["peak_mb"]))
            for row in rows.read(FILE)
            if row["varied"] == varied
        )
        for line, (title, ticks) in enumerate(SHOWN.items()):
            axis = axes[line][column]
            axis.loglog([one[0] for one in measured], [one[line + 1] for one in measured], "o-")
            axis.set_xticks([one[0] for one in measured], [f"{one[0]:g}" for one in measured])
            axis.set_yticks(ticks, [f"{tick:,g}" for tick in ticks])
            axis.minorticks_off()
            axis.set(xlabel=label if line else "", ylabel="" if column else title)
    scale.save(figure, FIGURE)


if __name__ == "__main__":
    main()
