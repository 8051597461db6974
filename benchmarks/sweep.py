"""The paper's experiments on cells: the rows of a sweep, kept here and drawn for the docs.

    hemozoin sweep cell_images.zip --out runs/sweep --epochs 3
    hemozoin sweep cell_images.zip --out runs/longer --epochs 12 --tables 7 --sizes 32
    python benchmarks/sweep.py runs/sweep runs/longer --labels corrections.csv
    python benchmarks/readme.py

The third command copies the rows of the first sweep to benchmarks/results/sweep.csv, draws
docs/sweep_*.svg from them, and judges all runs once more where NLM's labels and the corrections
agree: sweep_agreed.csv. The fourth writes the tables into docs/paper-on-malaria.md.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl

import rows
from hemozoin.data.labels import with_corrections
from hemozoin.files import replace_file
from hemozoin.metrics.classification import LabelledPredictions, compute_metrics
from hemozoin.paper.sweep.plots import COSTS, draw
from hemozoin.paper.sweep.rows import read_rows, write_rows
from hemozoin.training.runs.folder import RunFolder

DOCS = Path(__file__).parents[1] / "docs"


def main() -> None:
    """Copy, draw, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sweeps", type=Path, nargs="+", help="folders of --out, the first is drawn")
    parser.add_argument("--labels", type=Path, required=True)
    given = parser.parse_args()
    found = read_rows(given.sweeps[0] / "sweep.csv")
    write_rows(rows.RESULTS / "sweep.csv", found)
    for cost in COSTS:
        replace_file(DOCS / f"sweep_{cost}.svg", draw(found, cost))
    agreed = [row for sweep in given.sweeps for row in where_labels_agree(sweep, given.labels)]
    replace_file(rows.RESULTS / "sweep_agreed.csv", pl.DataFrame(agreed).write_csv())


def where_labels_agree(sweep: Path, labels: Path) -> Iterator[rows.Row]:
    """Yield the figures of each run on the test cells whose label nobody doubts."""
    for row in read_rows(sweep / "sweep.csv"):
        run = RunFolder(sweep / "runs" / f"{row.network.replace(' ', '-')}-seed{row.seed}")
        table = pl.read_csv(run.predictions, schema_overrides={"patient": pl.String})
        cells = with_corrections(table.with_columns(file="cell"), labels).filter(
            pl.col("corrected") == pl.col("label")
        )
        threshold = json.loads(run.metrics.read_text())["threshold"]["value"]
        predictions = LabelledPredictions.from_cells(cells, cells["p_parasitized"].to_numpy())
        figures = compute_metrics(predictions, threshold)
        yield {
            "network": row.network,
            "epochs": row.epochs,
            "seed": row.seed,
            "accuracy": row.accuracy,
            "auc": row.auc,
            "accuracy_agreed": round(figures["accuracy"], 5),
            "auc_agreed": round(figures["roc_auc"], 5),
            "cells_agreed": len(cells),
        }


if __name__ == "__main__":
    main()
