"""Fine-tuning: what a network gains or loses that goes on from another, on few cells.

    python benchmarks/fine_tuning.py cell_images.zip --labels corrections.csv \
            --fields fields/iml fields/world/bbbc041 --runs runs --seeds 0 1 2

Two questions. "same microscope": a default run is trained; of its test patients, whom it has not
seen, one half is fine-tuned on and the other half tested. "another microscope": `nano` is
fine-tuned on the marked cells of one half of a folder's fields (read as fields.py does) and tested
on those of the other half. For each learning rate and seed a row goes to
benchmarks/results/fine_tuning.csv, beside the rows of the first network as it is and of
random initial weights. A quarter of the cells to tune on are for
validation. A tuned network normalizes with the statistics of the batch, as a new one does, or with
the running statistics of the network that it goes on from.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import markdown_tables as md
import rows
from hemozoin.classes import PARASITIZED
from hemozoin.csv_files import csv_table
from hemozoin.data.options import CellOptions
from hemozoin.evaluation.evaluate import evaluate
from hemozoin.model.predictor import Predictor
from hemozoin.training.initial_weights import InitialWeights
from hemozoin.training.recipe import PRESETS, Recipe
from hemozoin.training.runs import start
from hemozoin.training.runs.config import RunConfig
from microscope import marked_cells

FILE = "fine_tuning.csv"

#: The learning rates, each with what batch norm normalizes with while it is tuned.
TUNED = (
    *(("batch statistics", rate) for rate in (0.02, 0.0006)),
    *(("running statistics", rate) for rate in (0.006, 0.002, 0.0006, 0.0002)),
)

METRICS = ("roc_auc", "sensitivity", "specificity", "calibration_error")


@dataclass(frozen=True)
class Task:
    """Cells to tune and test on, and the network to start from."""

    data: Path
    cells: CellOptions
    split: Path
    init: Path
    seed: int

    def variants(self) -> Iterator[tuple[rows.Row, Recipe]]:
        """Yield the recipes, each with the columns that name it."""
        scratch = replace(PRESETS["default"], seed=self.seed)
        yield {"start": "random weights", "learning_rate": scratch.learning_rate}, scratch
        init = InitialWeights.find(self.init)
        for statistics, rate in TUNED:
            frozen = statistics == "running statistics"
            tuned = replace(scratch, init=init, learning_rate=rate, fewest_steps=0)
            columns = {"start": statistics, "learning_rate": rate}
            yield columns, replace(tuned, freeze_batch_norm=frozen, progressive=not frozen)


def main() -> None:
    """Measure every recipe for every seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--fields", type=Path, nargs="*", default=[])
    parser.add_argument("--runs", type=Path, required=True, help="folder of the default runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    given = parser.parse_args()
    rows.remove(FILE)
    for seed in given.seeds:
        first = given.runs / f"default{seed}"
        if not first.exists():
            recipe = replace(PRESETS["default"], seed=seed)
            start.new(RunConfig(given.data, CellOptions(labels=given.labels), recipe), first)
        with tempfile.TemporaryDirectory() as folder:
            compare("nlm", unseen_patients(given.data, given.labels, first, seed, Path(folder)))
        for fields in given.fields:
            with tempfile.TemporaryDirectory() as folder:
                compare(fields.name, halved_fields(fields, seed, Path(folder)))


def compare(name: str, task: Task) -> None:
    """Measure the first network, then each recipe, on the test cells of a task."""
    first = Predictor.load(str(task.init))
    _add(name, task, {"start": "not tuned", "learning_rate": ""}, first)
    for columns, recipe in task.variants():
        with tempfile.TemporaryDirectory() as folder:
            config = RunConfig(task.data, task.cells, recipe, split=task.split)
            run = start.new(config, Path(folder) / "run")
            _add(name, task, columns, Predictor.load(str(run.model)))


def _add(name: str, task: Task, columns: rows.Row, predictor: Predictor) -> None:
    evaluation = evaluate(task.data, task.cells, predictor, split=task.split).evaluation
    agreed = evaluation.label_sets[-1].intervals
    row: rows.Row = {"data": name, "seed": task.seed, **columns}
    tested = {"cells": len(evaluation.predictions), "patients": agreed.units}
    metrics = {metric: round(agreed.metrics[metric].value, 5) for metric in METRICS}
    rows.append(FILE, row | tested | metrics | rows.conditions())


def unseen_patients(data: Path, labels: Path, first: Path, seed: int, folder: Path) -> Task:
    """Return the task to tune a default run on half of its test patients."""
    with (first / "split.csv").open(newline="", encoding="utf-8") as file:
        tested = [row for row in csv.DictReader(file) if row["split"] == "test"]
    split = write_split(
        [(row["cell"], row["label"], row["patient"]) for row in tested], seed, folder
    )
    return Task(data, CellOptions(labels=labels), split, first / "model", seed)


def halved_fields(fields: Path, seed: int, folder: Path) -> Task:
    """Write the marked cells of a folder of fields; return the task to tune `nano` on half."""
    cells = []
    for number, (crop, label, field) in enumerate(marked_cells(fields)):
        path = folder / "cells" / label.capitalize() / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        crop.save(path)
        cells.append((path.stem, label, field))
    names, _, patients = zip(*cells, strict=True)
    table = folder / "patients.csv"
    table.write_text(csv_table({"cell": names, "patient": patients}), encoding="utf-8")
    split = write_split(cells, seed, folder)
    return Task(folder / "cells", CellOptions(patients=(table,)), split, Path("nano"), seed)


def write_split(cells: list[tuple[str, str, str]], seed: int, folder: Path) -> Path:
    """Write a split.csv of cells, given by name, label and patient or field."""
    infected = {group for _, label, group in cells if label == PARASITIZED}
    part = halves(sorted({group for _, _, group in cells}), infected, seed)
    columns = {
        "cell": [name for name, _, _ in cells],
        "split": [part[group] for _, _, group in cells],
    }
    path = folder / "split.csv"
    path.write_text(csv_table(columns), encoding="utf-8")
    return path


def halves(groups: list[str], infected: set[str], seed: int) -> dict[str, str]:
    """Return the part of each patient or field: half are for testing, an eighth for validation.

    Those with infected cells are dealt out first, so that each part has some.
    """
    order = np.random.default_rng(seed).permutation(groups).tolist()
    order.sort(key=lambda group: group not in infected)
    parts = ("test", "train", "test", "validation", "test", "train", "test", "train")
    return {group: parts[number % len(parts)] for number, group in enumerate(order)}


def table() -> str:
    """Return the results in Markdown: a line per set of cells and recipe."""
    found = rows.read(FILE)
    lines = [
        (*variant, len(runs), *md.spreads(runs, METRICS, 3))
        for variant, runs in md.groups(found, "data", "start", "learning_rate").items()
    ]
    columns = (
        *("cells", "start, or batch norm of the tuned network", "learning rate", "n", "AUC"),
        *("sensitivity", "specificity", "calibration error"),
    )
    return md.table(columns, lines, md.splits_and_machine(found))


if __name__ == "__main__":
    main()
