"""The networks that ship, fold by fold: each cell judged by a network that never saw its patient.

    hemozoin crossval cell_images.zip --out runs/nano --final --epochs 16 --specificity 0.965
    hemozoin crossval cell_images.zip --out runs/best --final --preset best --specificity 0.965
    python benchmarks/shipped.py cell_images.zip --labels corrections.csv runs/nano runs/best

A row a fold goes to benchmarks/results/shipped.csv; rows that are there are not made again. The
threshold of a fold is its own, chosen on its validation patients.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import rows
from hemozoin.data.options import CellOptions
from hemozoin.evaluation.evaluate import evaluate
from hemozoin.model.predictor import Predictor

FILE = "shipped.csv"


def main() -> None:
    """Judge the folds that are missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("networks", type=Path, nargs="+")
    given = parser.parse_args()
    done = {(row["network"], row["fold"]) for row in rows.read(FILE)}
    for network in given.networks:
        for fold in sorted(network.glob("fold*/")):
            if (network.name, fold.name) not in done:
                row: rows.Row = {"network": network.name, "fold": fold.name}
                rows.append(FILE, row | _measure(fold, given.data, given.labels))


def _measure(fold: Path, data: Path, labels: Path) -> rows.Row:
    predictor = Predictor.load(fold / "model")
    report = evaluate(data, CellOptions(labels=labels), predictor, split=fold / "split.csv")
    return rows.figures(report.evaluation) | rows.conditions()


if __name__ == "__main__":
    main()
