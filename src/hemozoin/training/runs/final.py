"""The network to use: trained on every patient, decided by what the folds said of strangers.

    folds ── log odds of each cell from the network that never saw its patient
                 │                                              │
                 │ temperature, threshold, band, false alarms   │ figures
    all cells ── fit ── weights ──────────────────────────────── model/

A network that has seen every patient has none left to be judged by. So its figures are those of
the folds' networks, which learned from fewer patients: it should be no worse.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from hemozoin.decision.temperature import calibrate, log_odds
from hemozoin.evaluation.evaluation import evaluate_predictions
from hemozoin.arrays import Floats
from hemozoin.model.bundle import Bundle, load_bundle, save_bundle
from hemozoin.decision.ood import fit_ood_detector
from hemozoin.progress import say
from hemozoin.training.classifier import Classifier
from hemozoin.training.runs.config import RunConfig
from hemozoin.training.device import choose_device, insist_on_same_results
from hemozoin.training.trainer import TrainingData, fit
from hemozoin.training.runs.run import SplitData, load_split_data, make_training_data, results_writer
from hemozoin.training.runs.folder import RunFolder
from hemozoin.training.packaging import decide, make_bundle


def train_final(
    config: RunConfig, folds: list[RunFolder], folder: RunFolder, device: str = "auto"
) -> None:
    """Train on all cells of `folds`, or go on with it, and write the model to `folder`."""
    if folder.finished:
        return
    insist_on_same_results()
    split_data = load_split_data(config, folds[0].split)
    if not folder.config.exists():
        folder.begin(config.to_dict())
    say("all patients")
    classifier = fit(
        _all_of(split_data, config),
        config.recipe,
        choose_device(device),
        folder.checkpoint,
        results_writer(folder),
    )
    save_bundle(_seal(classifier.cpu(), config, split_data, folds), folder.model)


def _all_of(split_data: SplitData, config: RunConfig) -> TrainingData:
    """Learn from every cell; a twentieth of them is watched, and says nothing of others."""
    cells = split_data.cells.with_columns(split=pl.lit("train"))
    training_data = make_training_data(replace(split_data, cells=cells), config)
    return replace(training_data, validation=training_data.train[::20])


def _seal(
    classifier: Classifier, config: RunConfig, split_data: SplitData, folds: list[RunFolder]
) -> Bundle:
    unseen, logit = out_of_fold(folds)
    decisions = decide(unseen, logit, config.operating_point)
    ood_detector = fit_ood_detector(split_data.pixels[split_data.cells["row"].to_numpy()])
    p = calibrate(logit, decisions.temperature)
    evaluation = evaluate_predictions(unseen, p, decisions.threshold, config.prevalence, band=decisions.band)
    about: dict[str, Any] = {
        "run": config.to_dict(),
        "figures": evaluation.to_dict(),
        "folds": [fold.figures() for fold in folds],
        "notes": [_NOTE.format(folds=len(folds), cells=len(unseen))],
    }
    return replace(make_bundle(classifier, config.recipe, decisions, ood_detector), about=about)


_NOTE = (
    "Trained on every patient. The figures are of {folds}-fold cross-validation by patient: each"
    " of the {cells:,} cells was judged by a network that had not seen its patient; temperature,"
    " threshold and review band were fitted on those answers."
)


def out_of_fold(folds: list[RunFolder]) -> tuple[pl.DataFrame, Floats]:
    """Return all cells, and the uncalibrated log odds of each from the fold that tested it.

    The table has `cell`, `patient`, `label`; the log odds are float `[cells]`.
    """
    tables = [
        pl.read_csv(fold.predictions, schema_overrides={"patient": pl.String}) for fold in folds
    ]
    logits = [
        log_odds(table["p_parasitized"].to_numpy()) * load_bundle(fold.model).temperature
        for table, fold in zip(tables, folds, strict=True)
    ]
    return pl.concat(tables).drop("p_parasitized"), np.concatenate(logits)
