"""What makes the metrics of a run less trustworthy, a sentence each: for terminal and report.

The report itself warns of few cells and patients (`evaluation/report.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np

from hemozoin.arrays import Pixels
from hemozoin.classes import CLASSES
from hemozoin.data.cells import Cells, LabelledCells, SplitCells, is_known
from hemozoin.data.split import has_patients
from hemozoin.decision.conformal import ReviewBand, units_needed
from hemozoin.metrics.seen_patients import MOST_PATIENTS, SeenPatients, TrainingOverlap
from hemozoin.progress import print_status
from hemozoin.training.recipe import PRESETS, Recipe
from hemozoin.training.runs.config import RunConfig

#: A validation AUC below this is a poor fit: the worst of 13 splits of NLM's cells had .968 on its
#: test patients (benchmarks/results, headline.csv and pretrained.csv).
POOR_AUC = 0.95


def seen_patients(
    config: RunConfig, cells: SplitCells, extra: Cells | None = None
) -> SeenPatients | None:
    """Return the patients that the run's network will have seen, also before this run.

    `extra` are the cells that are only trained on; those without a patient can't be recognized
    later. None where patients of this run, or of the network that it starts from, are not known.
    """
    init = config.recipe.init
    before = init.patients() if init else SeenPatients.of(())
    if before is None or not has_patients(cells) or len({*cells.patient}) > MOST_PATIENTS:
        return None
    training, validation = (cells.part(split).patient for split in ("train", "validation"))
    if extra is not None:
        training = np.concatenate([training, extra.patient[is_known(extra.patient)]])
    if before.training:
        return before.adding(training, validation)
    return SeenPatients.of(training, validation)


def print_overlap(overlap: TrainingOverlap) -> None:
    """Print a warning where patients of the test part are trained on, or were before this run."""
    if overlap.cells:
        print_status(
            f"WARNING: SEEN IN TRAINING: {overlap.cells:,} of the test cells are of"
            f" {overlap.patients:,} patients whom the network of --init was trained on, or who are"
            " in the --extra cells: the metrics of this run will be no test"
        )


def init_warnings(folds: Sequence[TrainingOverlap | None]) -> Iterator[str]:
    """Yield that the network which all folds start from has seen the patients that they test.

    `folds` has the overlap of each fold, None where it can't be told.
    """
    known = [fold for fold in folds if fold]
    if patients := sum(fold.patients for fold in known):
        yield (
            f"SEEN IN TRAINING: {sum(fold.cells for fold in known):,} of the tested cells are of"
            f" {patients:,} patients whom the network of --init was trained on, so this is no test"
            " and the metrics are too good."
        )
    if len(known) < len(folds):
        yield "It can't be told whether the network of --init was trained on these patients."


def duplicate_warning(cells: SplitCells, pixels: Pixels) -> Iterator[str]:
    """Yield how many validation and test cells are also training cells, under another name."""
    digests = [hashlib.sha256(pixels[row].tobytes()).digest() for row in cells.row]
    trained = {
        digest for digest, split in zip(digests, cells.split, strict=True) if split == "train"
    }
    others = zip(digests, cells.split, strict=True)
    if count := sum(split != "train" and digest in trained for digest, split in others):
        yield (
            f"{count:,} validation or test cells have the same pixels as a training cell, so the"
            " metrics are too good; hemozoin inspect lists such pictures."
        )


def review_band_warning(validation: LabelledCells, review_band: ReviewBand) -> Iterator[str]:
    """Yield that there are too few validation patients for the error rate of the review band."""
    if not has_patients(validation):
        return
    of_class = [{*validation.patient[validation.label == name]} for name in CLASSES]
    fewest, needed = min(map(len, of_class)), units_needed(review_band.error_rate)
    if fewest < needed:
        yield (
            f"The review band rests on few patients: {fewest} in validation have cells of the rarer"
            f" class, and a guarantee for its error rate of {review_band.error_rate:g} needs"
            f" {needed}."
        )


def poor_fit_warning(recipe: Recipe, validation_auc: float) -> Iterator[str]:
    """Yield what to try where the network fits the validation patients poorly.

    The test patients are not looked at: a recipe that is chosen on them has no test.
    """
    if not validation_auc < POOR_AUC:  # NaN, if there is one class only
        return
    default, best = PRESETS["default"], PRESETS["best"]
    same = (recipe.alpha, recipe.body) == (default.alpha, default.body)
    tries = ["--init nano, a network that was trained on 160 patients"] * (same and not recipe.init)
    tries += [f"--epochs {best.epochs} (now {recipe.epochs})"] * (recipe.epochs < best.epochs)
    yield (
        f"A poor fit: AUC {validation_auc:.3f} on the validation cells, where NLM's cells give .98."
        f" Try {' or '.join([*tries, 'cells of more patients'])}."
    )
