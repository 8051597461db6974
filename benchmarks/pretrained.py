"""The pretrained networks, fold by fold: each cell tested by a network not trained on its patient.

    hemozoin crossval cell_images.zip --out runs/nano --final --preset best --orientations 1 \
        --specificity 0.965 --labels corrections.csv --on-correction keep --extra healthy_cells
    hemozoin crossval cell_images.zip --out runs/best --final --preset best --specificity 0.965 \
        --labels corrections.csv --on-correction keep --extra healthy_cells
    python benchmarks/pretrained.py cell_images.zip --labels corrections.csv runs/nano runs/best

One row per fold goes to benchmarks/results/pretrained.csv; folds that have a row are not repeated.
Each fold has its own threshold, chosen on its validation patients.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import markdown_tables as md
import rows
from hemozoin.data.options import CellOptions
from hemozoin.evaluation.evaluate import evaluate
from hemozoin.model.predictor import Predictor

FILE = "pretrained.csv"


def main() -> None:
    """Test the folds that are missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("networks", type=Path, nargs="+")
    given = parser.parse_args()
    done = rows.measured(FILE, "network", "fold")
    for network in given.networks:
        for fold in sorted(network.glob("fold*/")):
            if (network.name, fold.name) not in done:
                row: rows.Row = {"network": network.name, "fold": fold.name}
                rows.append(FILE, row | _measure(fold, given.data, given.labels))


def _measure(fold: Path, data: Path, labels: Path) -> rows.Row:
    predictor = Predictor.load(fold / "model")
    report = evaluate(data, CellOptions(labels=labels), predictor, split=fold / "split.csv")
    return rows.metrics(report.evaluation) | rows.conditions()


def table() -> str:
    """Return the results in Markdown: a line per network, and one for each of its folds."""
    found = rows.read(FILE)
    lines = []
    for (network,), folds in md.groups(found, "network").items():
        lines.append(_line(f"**`{network}`** ({len(folds)} folds)", folds))
        lines += [_line(row["fold"].replace("fold", "fold "), [row]) for row in folds]
    columns = (
        *("network", "accuracy", "AUC", "AUC, corrected labels"),
        *("accuracy where both labels agree", "calibration error"),
    )
    return md.table(columns, lines, md.splits_and_machine(found))


def _line(name: str, runs: md.Rows) -> list[str]:
    metrics = md.spreads(runs, ("accuracy", "auc", "auc_corrected", "accuracy_agreed"))
    return [name, *metrics, *md.spreads(runs, ["calibration_error"], 3)]


if __name__ == "__main__":
    main()
