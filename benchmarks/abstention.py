"""Abstention: how many cells the review band leaves to a person, and how good the other calls are.

    python benchmarks/abstention.py cell_images.zip --labels corrections.csv RUN...

For each finished run, temperature, threshold and review band are fitted on its validation
patients, as `hemozoin train` does without and with --labels, and the out-of-distribution detector
on these and the training patients. All are tested on its test patients. A RUN may also be a
cross-validation with --labels and --final: there, the decision and the detector are fitted on all
patients but a part of them, and tested on that part (held_out.py). One row per run or part goes to
benchmarks/results/abstention.csv, which is overwritten.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

import markdown_tables as md
import rows
from held_out import CrossValidation
from hemozoin.arrays import Floats, Pixels
from hemozoin.data.cells import LabelledCells
from hemozoin.decision.ood import fit_ood_detector
from hemozoin.decision.temperature import calibrate, log_odds
from hemozoin.decision.threshold import OperatingPoint
from hemozoin.evaluation.evaluation import evaluate_predictions
from hemozoin.model.predictor import Predictor
from hemozoin.training.packaging import DecisionParameters, fit_decision
from hemozoin.training.runs.run import fit_detector
from split_cells import split_data_of

FILE = "abstention.csv"

#: The labels that the band is fitted by: as given, or of the cells on which both labels agree.
GIVEN, BOTH = "as given", "corrected"

#: Parts of the patients of a cross-validation. With a tenth of them held out, enough are left (100
#: with infected cells) for the lower error rate that the band of the whole is fitted for.
_PARTS = 10


def main() -> None:
    """Measure every run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--labels", type=Path, required=True)
    given = parser.parse_args()
    rows.remove(FILE)
    for run in given.runs:
        if (run / "final").is_dir():
            measured = _measure_parts(run)
        else:
            measured = _measure(run, given.data, given.labels)
        for part, row in enumerate(measured, 1):
            rows.append(FILE, {"run": run.name, "part": part, **row, **rows.conditions()})


def _measure(run: Path, data: Path, labels: Path) -> Iterator[rows.Row]:
    """Yield the metrics of its test patients, fitted by the labels as given and by both."""
    predictor = Predictor.load(run)
    split_data = split_data_of(run, data, predictor.bundle.preprocessing, labels)
    cells, pixels = split_data.part("validation")
    logit = _uncalibrated(predictor, pixels)
    tested, pixels = split_data.part("test")
    tested_logit = _uncalibrated(predictor, pixels)
    outside = fit_detector(split_data).is_out_of_distribution(pixels).mean()
    for fitted_by, labelled in ((GIVEN, replace(cells, corrected=None)), (BOTH, cells)):
        decisions = fit_decision(labelled, logit, OperatingPoint())
        metrics = _selective_metrics(decisions, tested, tested_logit)
        yield {"labels": fitted_by, **metrics, "out_of_distribution": round(float(outside), 4)}


def _measure_parts(run: Path) -> Iterator[rows.Row]:
    """Yield the metrics of each part of the patients of a cross-validation."""
    data = CrossValidation.load(run)
    for own, decisions in data.parts(_PARTS, deals=1):
        detector = fit_ood_detector(data.pixels[~own])
        metrics = _selective_metrics(decisions, data.cells.select(own), data.logit[own])
        outside = detector.is_out_of_distribution(data.pixels[own]).mean()
        yield {"labels": BOTH, **metrics, "out_of_distribution": round(float(outside), 4)}


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
    lines = [
        (name, *md.spreads(measured, (*columns, "out_of_distribution"), 3))
        for name, measured in _named(found)
    ]
    titles = (
        *("run", "for review", "without review: missed", "false alarms", "accuracy"),
        *("accuracy where both labels agree", "out of distribution"),
    )
    return md.table(titles, lines, md.splits_and_machine(found))


def _named(found: md.Rows) -> Iterator[tuple[str, md.Rows]]:
    """Yield what has a line, with its rows: each run, all of them, each cross-validation."""
    single = {row["run"] for row in found if row["labels"] == GIVEN}
    of_runs = [row for row in found if row["run"] in single]
    for (labels,), measured in md.groups(of_runs, "labels").items():
        yield from ((f"{row['run']}, labels {labels}", [row]) for row in measured)
        yield f"all (n = {len(measured)}), labels {labels}", measured
    for (name,), measured in md.groups(found, "run").items():
        if name not in single:
            yield f"`{name}`, held-out parts (n = {len(measured)})", measured


if __name__ == "__main__":
    main()
