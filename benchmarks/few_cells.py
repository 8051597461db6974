"""Few cells: how many steps a network of 12 or 40 patients needs.

    python benchmarks/few_cells.py cell_images.zip --labels corrections.csv --patients 12 40

For each seed, patients are drawn at random and split as `hemozoin train` splits them; the network
is trained on their training part with the default recipe and this number of epochs, and tested on
3,000 cells of the other patients. One row per run goes to benchmarks/results/few_cells.csv; runs
that have a row are not repeated.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import markdown_tables as md
import rows
from hemozoin.classes import PARASITIZED
from hemozoin.data.cells import is_known
from hemozoin.data.dataset import decode_cells
from hemozoin.data.options import CellOptions
from hemozoin.data.preprocess import Preprocessing
from hemozoin.data.split import split_by_patient
from hemozoin.data.store import Store
from hemozoin.decision.temperature import sigmoid
from hemozoin.errors import DataError
from hemozoin.metrics.classification import compute_metrics
from hemozoin.metrics.predictions import LabelledPredictions
from hemozoin.training.packaging import pooled_features, uncalibrated_log_odds
from hemozoin.training.recipe import PRESETS
from hemozoin.training.runs.run import class_numbers
from hemozoin.training.trainer import TrainingData, train_classifier

FILE = "few_cells.csv"

#: Cells of other patients that a network is tested on.
TESTED = 3000


def main() -> None:
    """Train and test what has no row yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--patients", type=int, nargs="+", default=[12])
    parser.add_argument("--epochs", type=int, nargs="+", default=[6, 12, 24, 48])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    given = parser.parse_args()
    recipe = PRESETS["default"]
    store = decode_cells(given.data, CellOptions(labels=given.labels), Preprocessing(recipe.size))
    done = rows.measured(FILE, "patients", "seed", "epochs")
    runs = [(p, s, e) for p in given.patients for s in given.seeds for e in given.epochs]
    for run in runs:
        if tuple(map(str, run)) not in done:
            row = dict(zip(("patients", "seed", "epochs"), run, strict=True))
            rows.append(FILE, row | _measure(store, *run) | rows.conditions())


def _measure(store: Store, patients: int, seed: int, epochs: int) -> rows.Row:
    """Train on cells of some patients; return cost, and metrics on cells of the others."""
    training_data, others = _split(store, patients, seed)
    recipe = replace(PRESETS["default"], seed=seed, epochs=epochs, fewest_steps=0)
    started = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        classifier = train_classifier(
            training_data, recipe, torch.device("cpu"), Path(folder) / "c", lambda rows: None
        )
    seconds = time.process_time() - started
    classifier.orientations = recipe.orientations
    features = pooled_features(classifier, store.pixels[others])
    p = sigmoid(uncalibrated_log_odds(classifier, features))
    cells = store.cells.select(others)
    if cells.corrected is None:
        raise SystemExit("--labels has no corrections of these cells")
    known, agreed = is_known(cells.corrected), cells.corrected == cells.label
    truth = cells.corrected == PARASITIZED
    corrected = compute_metrics(LabelledPredictions(truth[known], p[known]), 0.5)
    both = compute_metrics(LabelledPredictions(truth[agreed], p[agreed]), 0.5)
    cells_trained = len(training_data.train)
    return {
        "cells": cells_trained,
        "steps": math.ceil(cells_trained / recipe.batch) * epochs,
        "auc_corrected": round(corrected["roc_auc"], 5),
        "accuracy_agreed": round(both["accuracy"], 5),
        "processor_seconds": round(seconds, 1),
    }


def _split(store: Store, patients: int, seed: int) -> tuple[TrainingData, np.ndarray]:
    """Return training data of patients drawn at random, and rows of cells of the others."""
    rng, patient = np.random.default_rng(seed), store.cells.patient.astype(str)
    while True:
        drawn = np.isin(patient, rng.permutation(np.unique(patient))[:patients])
        own = np.flatnonzero(drawn)
        try:
            split = split_by_patient(store.cells.select(own), seed)
            break
        except DataError:  # a part without one of the classes
            continue
    train, validation = (own[split.part(part).row] for part in ("train", "validation"))
    targets = class_numbers(store.cells)
    others = np.random.default_rng(0).permutation(np.flatnonzero(~drawn))[:TESTED]
    return TrainingData(store.pixels, targets, train, validation), others


def table() -> str:
    """Return the results in Markdown: a line per number of patients and epochs."""
    found = rows.read(FILE)
    found.sort(key=lambda row: (int(row["patients"]), int(row["epochs"])))
    lines = [
        (
            *name,
            len(runs),
            md.median_and_range([int(run["cells"]) for run in runs], 0),
            md.median_and_range([int(run["steps"]) for run in runs], 0),
            *md.spreads(runs, ("auc_corrected", "accuracy_agreed")),
            *md.spreads(runs, ["processor_seconds"], 0),
        )
        for name, runs in md.groups(found, "patients", "epochs").items()
    ]
    columns = (
        *("patients", "epochs", "n", "training cells", "steps"),
        *("AUC, corrected labels", "accuracy where both labels agree, at p = 1/2"),
        "processor seconds of training",
    )
    note = (
        f"n draws of patients; {TESTED:,} cells of other patients. Mean ± standard deviation;"
        f" median (range). {md.machine(found)}"
    )
    return md.table(columns, lines, note)


if __name__ == "__main__":
    main()
