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

from hemozoin.judging.calibration import calibrate, log_odds
from hemozoin.judging.judgement import judge
from hemozoin.judging.metrics import Floats
from hemozoin.model.bundle import Bundle, load_bundle, save_bundle
from hemozoin.model.guard import fit_guard
from hemozoin.progress import say
from hemozoin.training.classifier import Classifier
from hemozoin.training.config import RunConfig
from hemozoin.training.device import choose_device, insist_on_same_results
from hemozoin.training.fit import Lesson, fit
from hemozoin.training.run import Dealt, deal, make_lesson, recorder
from hemozoin.training.runfolder import RunFolder
from hemozoin.training.seal import decide, make_bundle


def train_final(
    config: RunConfig, folds: list[RunFolder], folder: RunFolder, device: str = "auto"
) -> None:
    """Train on all cells of `folds`, or go on with it, and write the model to `folder`."""
    if folder.finished:
        return
    insist_on_same_results()
    dealt = deal(config, folds[0].split)
    if not folder.config.exists():
        folder.begin(config.to_dict())
    say("all patients")
    classifier = fit(
        _all_of(dealt, config),
        config.recipe,
        choose_device(device),
        folder.checkpoint,
        recorder(folder),
    )
    save_bundle(_seal(classifier.cpu(), config, dealt, folds), folder.model)


def _all_of(dealt: Dealt, config: RunConfig) -> Lesson:
    """Learn from every cell; a twentieth of them is watched, and says nothing of others."""
    cells = dealt.cells.with_columns(split=pl.lit("train"))
    lesson = make_lesson(replace(dealt, cells=cells), config)
    return replace(lesson, validation=lesson.train[::20])


def _seal(
    classifier: Classifier, config: RunConfig, dealt: Dealt, folds: list[RunFolder]
) -> Bundle:
    unseen, logit = out_of_fold(folds)
    decisions = decide(unseen, logit, config.aim)
    guard = fit_guard(dealt.pixels[dealt.cells["row"].to_numpy()])
    p = calibrate(logit, decisions.temperature)
    judgement = judge(unseen, p, decisions.threshold, config.prevalence, band=decisions.band)
    about: dict[str, Any] = {
        "run": config.to_dict(),
        "figures": judgement.to_dict(),
        "folds": [fold.figures() for fold in folds],
        "notes": [_NOTE.format(folds=len(folds), cells=len(unseen))],
    }
    return replace(make_bundle(classifier, config.recipe, decisions, guard), about=about)


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
