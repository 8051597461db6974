"""A training step with each operation spread over the cores, and with half of the batch per core.

    python benchmarks/replicas.py

The default recipe is trained for an epoch of ten steps of drawn pixels, alternately in one part,
whose operations torch spreads over its threads, and in two parts, each on a thread of its own
(`training/replicas.py`). Milliseconds per step, of the clock and of the processors, which also
count the waiting of torch's threads for each other. One row per repeat goes to
benchmarks/results/replicas.csv, which is overwritten.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

import markdown_tables as md
import rows
from hemozoin.training.device import keep_freed_memory
from hemozoin.training.recipe import Recipe
from hemozoin.training.trainer import Trainer, TrainingData

FILE = "replicas.csv"

STEPS, SIZES, PARTS = 10, (48, 64), (1, 2)

#: The name of each number of parts in the table.
NAMES = {"1": "each operation on both cores", "2": "half of the batch per core"}


def main() -> None:
    """Measure all combinations in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    keep_freed_memory()
    trainers = {(size, parts): _trainer(size, parts) for size in SIZES for parts in PARTS}
    for trainer in trainers.values():
        trainer.train_epoch(0)
    rows.remove(FILE)
    for repeat in range(given.repeats):
        for (size, parts), trainer in trainers.items():
            row: rows.Row = {"size": size, "parts": parts, "repeat": repeat}
            rows.append(FILE, row | _measure(trainer) | rows.conditions())


def _trainer(size: int, parts: int) -> Trainer:
    """Return a trainer on drawn pixels, at one size throughout."""
    recipe = Recipe(size=size, epochs=1, progressive=False)
    row = np.arange(STEPS * recipe.batch)
    pixels = np.random.default_rng(0).integers(1, 256, (len(row), size, size, 3), dtype=np.uint8)
    trainer = Trainer(TrainingData(pixels, row % 2, row, row[:2]), recipe, torch.device("cpu"))
    trainer._parts = parts
    return trainer


def _measure(trainer: Trainer) -> rows.Row:
    """Return the milliseconds per step of an epoch."""
    started, used = time.monotonic(), time.process_time()
    trainer.train_epoch(0)
    seconds, used = time.monotonic() - started, time.process_time() - used
    per_step = 1000 / STEPS
    return {"ms": round(seconds * per_step, 1), "processor_ms": round(used * per_step, 1)}


def table() -> str:
    """Return the results in Markdown: a line per size and way to share the work."""
    if not (found := rows.read(FILE)):
        return "Not measured on a quiet machine yet."
    lines = [
        (f"{size} px", NAMES[parts], len(runs), *md.spreads(runs, ("ms", "processor_ms"), 0))
        for (size, parts), runs in md.groups(found, "size", "parts").items()
    ]
    columns = ("size", "two cores share", "n", "ms per step", "processor's ms per step")
    note = f"Mean ± standard deviation over n repeats in turn, in one process. {md.machine(found)}"
    return md.table(columns, lines, note)


if __name__ == "__main__":
    main()
