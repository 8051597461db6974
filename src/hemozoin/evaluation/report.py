"""report.html: one page that needs nothing beside it, and the same in a few lines of text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
from PIL import Image

from hemozoin.arrays import Pixels
from hemozoin.classes import PARASITIZED
from hemozoin.data.picture import thumbnail
from hemozoin.evaluation import plots as draw
from hemozoin.evaluation.evaluation import Evaluation
from hemozoin.files import replace_file
from hemozoin.metrics.bootstrap import Estimate
from hemozoin.reports import page as pages

DISCLAIMER = "Research use only. Not a medical device."

#: The figures that come first.
HEADLINE = ("accuracy", "sensitivity", "specificity", "roc_auc")

#: With fewer patients than this the intervals are clearly too narrow (see intervals.py).
FEW_PATIENTS = 20

_NAMES = {
    "accuracy": ("Accuracy", "cells called what they are"),
    "sensitivity": ("Sensitivity", "parasitized cells that were found"),
    "specificity": ("Specificity", "uninfected cells that were left alone"),
    "roc_auc": ("ROC AUC", "a parasitized cell gets the higher p of a random pair"),
    "average_precision": ("Average precision", "area under precision over recall"),
    "f1": ("F1", "harmonic mean of precision and sensitivity"),
    "mcc": ("MCC", "Matthews correlation, -1 to 1"),
    "ppv": ("PPV", "calls that are right where {prevalence} % of cells are parasitized"),
    "npv": ("NPV", "all-clears that are right where {prevalence} % are"),
    "brier": ("Brier score", "mean squared error of p; 0 is best"),
    "calibration_error": ("Calibration error", "mean gap of p and truth, 15 bins; 0 is best"),
}


#: Of `conformal.Decided`.
_REVIEW_NAMES = {
    "review": ("Left to a person", "share of all cells"),
    "missed": ("Missed", "parasitized cells called uninfected, of all parasitized"),
    "false_alarms": ("False alarms", "uninfected cells called parasitized, of all uninfected"),
    "accuracy": ("Accuracy", "among decided cells"),
    "sensitivity": ("Sensitivity", "among decided cells"),
    "specificity": ("Specificity", "among decided cells"),
}


@dataclass(frozen=True, eq=False)
class Mistake:
    """A cell on which the network was wrong."""

    cell: str
    #: uint8 `[h, w, 3]`, RGB.
    picture: Pixels
    #: "parasitized" or "uninfected", as given.
    label: str
    #: In [0, 1].
    p_parasitized: float
    #: What a list of corrections says of it, where there is one.
    corrected: str | None = None
    #: Its class-activation map, laid on it: uint8 `[h, w, 3]`.
    overlay: Pixels | None = None


@dataclass(frozen=True, eq=False)
class Report:
    """All that the page shows. What is left out is not shown."""

    #: Which network on which cells.
    title: str
    evaluation: Evaluation
    #: In the order of `Evaluation.worst_mistakes`.
    mistakes: tuple[Mistake, ...] = ()
    #: results.csv: `epoch`, and of the columns that `figures.learning_curves` draws what is there.
    results: pl.DataFrame | None = None
    #: See `count_splits`.
    splits: pl.DataFrame | None = None
    #: What makes the figures worth less, a sentence each.
    warnings: tuple[str, ...] = ()
    #: How it was made: name → value, such as command, versions, seconds.
    setup: Mapping[str, str] = field(default_factory=dict)


def write_report(path: Path, report: Report) -> None:
    """Write the page, whole or not at all. It loads nothing from the network."""
    filters = {"number": _number, "interval": _interval, "count": "{:,}".format}
    replace_file(path, pages.render("evaluation/report.html", filters, **_context(report)))


def summary(report: Report) -> str:
    """Return the headline figures with their intervals, for a terminal."""
    evaluation, threshold = report.evaluation, report.evaluation.threshold
    lines = [f"{report.title}: {_tested_on(evaluation)}"]
    for labels in evaluation.label_sets:
        if len(evaluation.label_sets) > 1:
            lines.append(f"{labels.name} ({len(labels.predictions):,} cells)")
        for name in HEADLINE:
            estimate = labels.intervals.metrics[name]
            shown = f"{_number(estimate.value, 4)}  {_interval(estimate, 4)}"
            lines.append(f"  {_NAMES[name][0]:<12} {shown}")
    lines += [
        f"95 % intervals: {evaluation.how}",
        f"Threshold {_number(threshold.value)} ({threshold.operating_point}):"
        f" {_on_validation(evaluation)}",
        *_on_review(evaluation),
        *(f"Note: {warning}" for warning in _warnings(report)),
        DISCLAIMER,
    ]
    return "\n".join(lines)


def count_splits(cells: pl.DataFrame) -> pl.DataFrame:
    """Count cells with the columns `split`, `label`, `patient`: a row for each split.

    Columns: split, cells, parasitized, uninfected, patients (0 where none is known).
    """
    parasitized = pl.col("label") == PARASITIZED
    return cells.group_by("split", maintain_order=True).agg(
        cells=pl.len(),
        parasitized=parasitized.sum(),
        uninfected=(~parasitized).sum(),
        patients=pl.col("patient").drop_nulls().n_unique(),
    )


def _context(report: Report) -> dict[str, Any]:
    evaluation = report.evaluation
    patients = evaluation.metrics_by_patient()
    return {
        "title": report.title,
        "disclaimer": DISCLAIMER,
        "tested_on": _tested_on(evaluation),
        "warnings": _warnings(report),
        "evaluation": evaluation,
        "headline": [(_NAMES[name][0], evaluation.intervals.metrics[name]) for name in HEADLINE],
        "figures": _figure_rows(evaluation),
        "counts": evaluation.confusion_counts(),
        "review": _review_rows(evaluation),
        "drawings": _drawings(report),
        "doubted": sum(_is_doubted(cell) for cell in report.mistakes),
        "mapped": any(cell.overlay is not None for cell in report.mistakes),
        "missed": [_thumbnail(cell) for cell in report.mistakes if cell.label == PARASITIZED],
        "alarms": [_thumbnail(cell) for cell in report.mistakes if cell.label != PARASITIZED],
        "patients": [] if patients is None else patients.sort("accuracy").rows(named=True),
        "splits": [] if report.splits is None else report.splits.rows(named=True),
        "setup": report.setup,
    }


def _figure_rows(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return name, meaning and the estimate under each set of labels, a row per figure."""
    prevalence = f"{100 * evaluation.prevalence:.3g}"
    return [
        {
            "name": title,
            "meaning": meaning.format(prevalence=prevalence),
            "estimates": [labels.intervals.metrics[name] for labels in evaluation.label_sets],
        }
        for name, (title, meaning) in _NAMES.items()
    ]


def _review_rows(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return name, meaning and the figure under each set of labels; no rows without a band."""
    found = [labels.decided for labels in evaluation.label_sets if labels.decided]
    return [
        {"name": title, "meaning": meaning, "values": [getattr(d, name) for d in found]}
        for name, (title, meaning) in _REVIEW_NAMES.items()
        if found
    ]


def _drawings(report: Report) -> dict[str, Any]:
    predictions, intervals = report.evaluation.predictions, report.evaluation.intervals
    return {
        "roc": draw.roc(intervals.roc),
        "precision_recall": draw.precision_recall(intervals.pr, float(predictions.truth.mean())),
        "reliability": draw.reliability(predictions),
        "histogram": draw.histogram(predictions, report.evaluation.threshold.value),
        "learning": [] if report.results is None else draw.learning_curves(report.results),
    }


def _warnings(report: Report) -> list[str]:
    intervals = report.evaluation.intervals
    own = []
    if intervals.unit == "cells":
        own.append(
            "No patient is known: cells of one patient may stand on both sides of the split, so"
            " the figures are too good, and the intervals, which resample cells, too narrow."
        )
    elif intervals.units < FEW_PATIENTS:
        own.append(f"Only {intervals.units} patients were tested: the intervals are too narrow.")
    return own + list(report.warnings)


def _tested_on(evaluation: Evaluation) -> str:
    cells = f"{len(evaluation.predictions):,} test cells"
    known = evaluation.intervals.unit == "patients"
    return f"{cells} of {evaluation.intervals.units:,} patients" if known else cells


def _on_validation(evaluation: Evaluation) -> str:
    threshold = evaluation.threshold
    on_test = evaluation.intervals.metrics
    sides = [
        f"{name} {_number(getattr(threshold, name))} on validation,"
        f" {_number(on_test[name].value)} on test"
        for name in ("sensitivity", "specificity")
    ]
    missed = "" if threshold.met else "not reached on validation, the closest was taken; "
    return missed + "; ".join(sides)


def _on_review(evaluation: Evaluation) -> list[str]:
    """Return the line on the review band, if there is one."""
    band, decided = evaluation.band, evaluation.label_sets[0].decided
    if band is None or decided is None:
        return []
    left = f"p {_number(band.low)}–{_number(band.high)}, {decided.review:.1%} of the cells"
    rest = f"{_number(decided.sensitivity)}, specificity {_number(decided.specificity)}"
    return [f"Left to a person: {left}; sensitivity among the others {rest}"]


def _is_doubted(mistake: Mistake) -> bool:
    """Tell whether the list of corrections has another label than the one given."""
    return mistake.corrected not in (None, mistake.label)


def _thumbnail(mistake: Mistake) -> dict[str, Any]:
    """Return the mistake with its picture and its map as data URIs of at most 128 px."""
    return {
        "mistake": mistake,
        "doubted": _is_doubted(mistake),
        "uris": [
            pages.data_uri(thumbnail(Image.fromarray(picture)))
            for picture in (mistake.picture, mistake.overlay)
            if picture is not None
        ],
    }


def _number(value: float | None, digits: int = 3) -> str:
    """Write a figure; "-" where it is not defined."""
    return "-" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def _interval(estimate: Estimate, digits: int = 3) -> str:
    """Write an interval, "-" where there is none."""
    if math.isnan(estimate.low):
        return "-"
    return f"{estimate.low:.{digits}f}–{estimate.high:.{digits}f}"
