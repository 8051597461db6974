"""The results files: one CSV per benchmark in results/, one row per measurement."""

from __future__ import annotations

import csv
import os
import platform
from pathlib import Path

import torch

from hemozoin.about import VERSION
from hemozoin.evaluation.evaluation import Evaluation

RESULTS = Path(__file__).with_name("results")

Row = dict[str, object]


def metrics(evaluation: Evaluation) -> Row:
    """Return the metrics on the labels as given, as corrected, and where both agree."""
    given, corrected, agreed = (labels.intervals.metrics for labels in evaluation.label_sets)
    shown = {
        "accuracy": given["accuracy"],
        "auc": given["roc_auc"],
        "accuracy_corrected": corrected["accuracy"],
        "auc_corrected": corrected["roc_auc"],
        "accuracy_agreed": agreed["accuracy"],
        "auc_agreed": agreed["roc_auc"],
    }
    return {
        "cells": len(evaluation.predictions),
        "patients": evaluation.intervals.units,
        **{name: round(estimate.value, 5) for name, estimate in shown.items()},
        "calibration_error": round(given["calibration_error"].value, 5),
        "threshold": round(evaluation.threshold.value, 3),
    }


def conditions() -> Row:
    """Return the machine, the number of threads and the versions that a row was measured with."""
    return {
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "torch": torch.__version__,
        "hemozoin": VERSION,
    }


def read(name: str) -> list[dict[str, str]]:
    """Return the rows of a results file; none if there is no such file."""
    path = RESULTS / name
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def measured(name: str, *columns: str) -> set[tuple[str, ...]]:
    """Return the values of these columns in all rows of a results file: what need not run again."""
    return {tuple(row[column] for column in columns) for row in read(name)}


def append(name: str, row: Row) -> None:
    """Add a row to a results file."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / name
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row), lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)


def remove(name: str) -> None:
    """Delete a results file before it is measured again."""
    (RESULTS / name).unlink(missing_ok=True)
