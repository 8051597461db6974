"""What makes the metrics of a run less trustworthy, a sentence each: for terminal and report.

The report itself warns of few cells and patients (`evaluation/report.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

from hemozoin.classes import CLASSES
from hemozoin.data.cells import LabelledCells, SplitCells
from hemozoin.data.split import has_patients
from hemozoin.decision.conformal import ReviewBand, units_needed
from hemozoin.metrics.seen_patients import MOST_PATIENTS, SeenPatients, TrainingOverlap
from hemozoin.progress import print_status
from hemozoin.training.recipe import PRESETS, Recipe
from hemozoin.training.runs.config import RunConfig

#: A validation AUC below this is a poor fit: the worst of 13 splits of NLM's cells had .968 on its
#: test patients (benchmarks/results, headline.csv and pretrained.csv).
POOR_AUC = 0.95


def seen_patients(config: RunConfig, cells: SplitCells) -> SeenPatients | None:
    """Return the patients that the run's network will have seen, also before this run.

    None where patients of this run, or of the network that it
    starts from, are not known.
    """
    init = config.recipe.init
    before = init.patients() if init else SeenPatients.of(())
    if before is None or not has_patients(cells) or len({*cells.patient}) > MOST_PATIENTS:
        return None
    training, validation = (cells.part(split).patient for split in ("train", "validation"))
    if before.training:
        return before.adding(training, validation)
    return SeenPatients.of(training, validation)


def print_overlap(overlap: TrainingOverlap, recipe: Recipe) -> None:
    """Print a warning where the network that a run starts from has seen its test patients."""
    if overlap.cells and recipe.init:
        print_status(
            f"WARNING: SEEN IN TRAINING: {overlap.cells:,} of the test cells are of"
            f" {overlap.patients:,} patients whom the network {recipe.init.path.name} of --init was"
            " trained on: the metrics of this run will be no test"
        )


def unreadable_warning(count: int) -> Iterator[str]:
    """Yield how many pictures could not be read, if any."""
    if count:
        yield f"{count:,} pictures could not be read and were skipped."


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
        f"A poor fit: AUC {validation_auc:.2f} on the validation cells, where NLM's cells give .98."
        f" Try {' or '.join([*tries, 'cells of more patients'])}."
    )
