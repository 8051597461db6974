"""The paper's experiments on cells: keep the rows of a sweep here and draw its plots for the docs.

    hemozoin sweep cell_images.zip --out runs/sweep --epochs 3
    hemozoin sweep cell_images.zip --out runs/longer --epochs 12 --tables 7 --sizes 32
    python benchmarks/sweep.py runs/sweep runs/longer --labels corrections.csv
    python benchmarks/readme.py

The third command copies the rows of the first sweep to benchmarks/results/sweep.csv and draws
docs/sweep_*.svg from them. It also tests all runs on the cells on which NLM's labels and the
corrections agree: sweep_agreed.csv. The fourth writes the tables into docs/paper-on-malaria.md.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import markdown_tables as md
import rows
from hemozoin.arrays import Bools
from hemozoin.csv_files import csv_table
from hemozoin.data.cells import Cells
from hemozoin.data.labels import with_corrections
from hemozoin.files import replace_file
from hemozoin.metrics.classification import compute_metrics
from hemozoin.metrics.predictions import LabelledPredictions
from hemozoin.paper.sweep.plots import COSTS, draw
from hemozoin.paper.sweep.rows import read_rows, write_rows
from hemozoin.paper.sweep.tables import markdown
from hemozoin.training.runs.final import read_predictions
from hemozoin.training.runs.folder import RunFolder

FILE, AGREED_FILE = "sweep.csv", "sweep_agreed.csv"

DOCS = Path(__file__).parents[1] / "docs"


def main() -> None:
    """Copy the rows, draw the plots, and test where both labels agree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sweeps", type=Path, nargs="+", help="folders of --out; the first is drawn")
    parser.add_argument("--labels", type=Path, required=True)
    given = parser.parse_args()
    found = read_rows(given.sweeps[0] / "sweep.csv")
    write_rows(rows.RESULTS / FILE, found)
    for cost in COSTS:
        replace_file(DOCS / f"sweep_{cost}.svg", draw(found, cost))
    agreed = [row for sweep in given.sweeps for row in where_labels_agree(sweep, given.labels)]
    columns = {name: [row[name] for row in agreed] for name in agreed[0]}
    replace_file(rows.RESULTS / AGREED_FILE, csv_table(columns))


def where_labels_agree(sweep: Path, labels: Path) -> Iterator[rows.Row]:
    """Yield the metrics of each run on the test cells on which both labels agree."""
    for row in read_rows(sweep / "sweep.csv"):
        run = RunFolder(sweep / "runs" / f"{row.network.replace(' ', '-')}-seed{row.seed}")
        cells, p = read_predictions(run)
        none = np.zeros(len(cells), np.int64)
        named = Cells(**cells.columns(), file=cells.cell, size=none, stamp=none)
        corrected = with_corrections(named, labels).corrected
        assert corrected is not None
        agreed: Bools = corrected == cells.label
        threshold = json.loads(run.metrics_file.read_text())["threshold"]["value"]
        predictions = LabelledPredictions.from_cells(cells.select(agreed), p[agreed])
        metrics = compute_metrics(predictions, threshold)
        yield {
            "network": row.network,
            "epochs": row.epochs,
            "seed": row.seed,
            "accuracy": row.accuracy,
            "auc": row.auc,
            "accuracy_agreed": round(metrics["accuracy"], 5),
            "auc_agreed": round(metrics["roc_auc"], 5),
            "cells_agreed": len(predictions),
        }


def table() -> str:
    """Return the results in Markdown: Tables 4 to 7 of the paper, on cells."""
    found = rows.read(FILE)
    tables = markdown(read_rows(rows.RESULTS / FILE))
    return f"{tables}\n\n{found[0]['epochs']} epochs each. {md.splits_and_machine(found)}"


def agreed_table() -> str:
    """Return the results where both labels agree: a line per network and number of epochs."""
    found = rows.read(AGREED_FILE)
    metrics = ("accuracy", "auc", "accuracy_agreed", "auc_agreed")
    lines = [
        (*network, len(runs), *md.spreads(runs, metrics))
        for network, runs in md.groups(found, "network", "epochs").items()
    ]
    cells = [int(row["cells_agreed"]) for row in found]
    note = f"{min(cells):,} to {max(cells):,} test cells on which both labels agree."
    columns = (
        *("network", "epochs", "n", "accuracy", "AUC"),
        *("accuracy where both labels agree", "AUC where both labels agree"),
    )
    return md.table(columns, lines, note)


if __name__ == "__main__":
    main()
