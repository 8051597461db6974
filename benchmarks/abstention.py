"""Abstention: how many cells the review band leaves to a person, and how good the other calls are.

    python benchmarks/abstention.py cell_images.zip --labels corrections.csv RUN...

For each finished run, temperature, threshold and review band are fitted on its validation
patients, and the out-of-distribution detector on these and the training patients, as `hemozoin
train --labels` does. All are tested on its test patients. One row per run goes to
benchmarks/results/abstention.csv, which is overwritten.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

import numpy as np

import markdown_tables as md
import rows
from hemozoin.arrays import Floats, Pixels
from hemozoin.data.cells import LabelledCells
from hemozoin.decision.temperature import calibrate, log_odds
from hemozoin.decision.threshold import OperatingPoint
from hemozoin.evaluation.evaluation import evaluate_predictions
from hemozoin.model.predictor import Predictor
from hemozoin.training.packaging import DecisionParameters, fit_decision
from hemozoin.training.runs.run import fit_detector
from split_cells import split_data_of

FILE = "abstention.csv"


def main() -> None:
    """Measure every run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--labels", type=Path, required=True)
    given = parser.parse_args()
    rows.remove(FILE)
    for run in given.runs:
        row: rows.Row = {"run": run.name, **_measure(run, given.data, given.labels)}
        rows.append(FILE, row | rows.conditions())


def _measure(run: Path, data: Path, labels: Path) -> rows.Row:
    """Fit as `hemozoin train --labels` does and return the metrics of its test patients."""
    predictor = Predictor.load(run)
    split_data = split_data_of(run, data, predictor.bundle.preprocessing, labels)
    cells, pixels = split_data.part("validation")
    decisions = fit_decision(cells, _uncalibrated(predictor, pixels), OperatingPoint())
    detector = fit_detector(split_data)
    cells, pixels = split_data.part("test")
    metrics = _selective_metrics(decisions, cells, _uncalibrated(predictor, pixels))
    outside = detector.is_out_of_distribution(pixels).mean()
    return metrics | {"out_of_distribution": round(float(outside), 4)}


def _uncalibrated(predictor: Predictor, pixels: Pixels) -> Floats:
    """Return the log odds before the temperature was applied, `[N]`."""
    return log_odds(predictor(pixels).astype(np.float64)) * predictor.bundle.temperature


def _selective_metrics(
    decisions: DecisionParameters, cells: LabelledCells, logit: Floats
) -> rows.Row:
    """Return the metrics of the cells outside of the review band, for each set of labels."""
    p = calibrate(logit, decisions.temperature)
    evaluation = evaluate_predictions(
        cells, p, decisions.threshold, review_band=decisions.review_band
    )
    found: rows.Row = {"cells": len(p), "patients": evaluation.intervals.units}
    found |= asdict(decisions.review_band) | {"temperature": decisions.temperature}
    for labels, suffix in zip(evaluation.label_sets, ("", "_corrected", "_agreed"), strict=True):
        error = labels.intervals.metrics["calibration_error"].value
        metrics = (
            {**asdict(labels.selective), "calibration_error": error} if labels.selective else {}
        )
        found |= {name + suffix: value for name, value in metrics.items()}
    return {k: round(v, 5) if isinstance(v, float) else v for k, v in found.items()}


def table() -> str:
    """Return the results in Markdown: a line per run, and their mean."""
    found = rows.read(FILE)
    columns = ("review", "missed", "false_alarms", "accuracy", "accuracy_agreed")
    named = [(row["run"], [row]) for row in found] + [(f"all (n = {len(found)})", found)]
    lines = [
        (name, *md.spreads(runs, (*columns, "out_of_distribution"), 3)) for name, runs in named
    ]
    titles = (
        *("run", "for review", "without review: missed", "false alarms", "accuracy"),
        *("accuracy where both labels agree", "out of distribution"),
    )
    return md.table(titles, lines, md.splits_and_machine(found))


if __name__ == "__main__":
    main()
