"""The report on an evaluation: report.html, and a summary in a few lines for the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from hemozoin.about import DISCLAIMER
from hemozoin.arrays import Floats, Pixels
from hemozoin.classes import PARASITIZED
from hemozoin.data.cells import SplitCells
from hemozoin.evaluation import plots
from hemozoin.evaluation.evaluation import Evaluation
from hemozoin.files import replace_file
from hemozoin.images import thumbnail
from hemozoin.metrics.bootstrap import Estimate
from hemozoin.reports import page as pages

#: The metrics at the top of the page and in the summary.
HEADLINE = ("accuracy", "sensitivity", "specificity", "roc_auc")

#: With fewer patients the intervals are clearly too narrow (see metrics/bootstrap.py).
FEW_PATIENTS = 20

#: Name and meaning of each metric.
_METRICS = {
    "accuracy": ("Accuracy", "cells called correctly"),
    "sensitivity": ("Sensitivity", "parasitized cells called parasitized"),
    "specificity": ("Specificity", "uninfected cells called uninfected"),
    "roc_auc": ("ROC AUC", "chance that a parasitized cell has a higher p than an uninfected one"),
    "average_precision": ("Average precision", "area under the precision-recall curve"),
    "f1": ("F1", "harmonic mean of precision and sensitivity"),
    "mcc": ("MCC", "Matthews correlation coefficient, -1 to 1"),
    "ppv": ("PPV", "positive calls that are right, if {prevalence} % of cells are parasitized"),
    "npv": ("NPV", "negative calls that are right, if {prevalence} % of cells are parasitized"),
    "brier": ("Brier score", "mean squared error of p; 0 is best"),
    "calibration_error": (
        "Calibration error",
        "mean difference between p and the share of parasitized cells, 15 bins; 0 is best",
    ),
}

#: Name and meaning of each of `SelectiveMetrics`.
_SELECTIVE_METRICS = {
    "review": ("For review", "share of all cells"),
    "missed": ("Missed", "share of the parasitized cells that are called uninfected"),
    "false_alarms": ("False alarms", "share of the uninfected cells that are called parasitized"),
    "accuracy": ("Accuracy", "without the cells for review"),
    "sensitivity": ("Sensitivity", "without the cells for review"),
    "specificity": ("Specificity", "without the cells for review"),
}


@dataclass(frozen=True, eq=False)
class Mistake:
    """A cell whose call differs from its label."""

    cell: str
    #: uint8 `[h, w, 3]`, RGB.
    picture: Pixels
    #: "parasitized" or "uninfected", as given.
    label: str
    #: In [0, 1].
    p_parasitized: float
    #: The corrected label, if a list of corrections has one.
    corrected: str | None = None
    #: The cell with its class-activation map: uint8 `[h, w, 3]`.
    overlay: Pixels | None = None


@dataclass(frozen=True)
class SplitCount:
    """The numbers of cells and patients of a part of the split; 0 patients if none is known."""

    split: str
    cells: int
    parasitized: int
    uninfected: int
    patients: int


@dataclass(frozen=True, eq=False)
class Report:
    """The content of the page; parts that are left out are not shown."""

    #: The network or the data.
    title: str
    evaluation: Evaluation
    #: In the order of `Evaluation.worst_mistakes`.
    mistakes: tuple[Mistake, ...] = ()
    #: The columns of results.csv, float `[epochs]`: `epoch`, and those that are drawn.
    results: Mapping[str, Floats] = field(default_factory=dict)
    #: The parts of the split.
    splits: tuple[SplitCount, ...] = ()
    #: Reasons to trust the metrics less, a sentence each.
    warnings: tuple[str, ...] = ()
    #: How the report was made: name → value, such as command, versions, seconds.
    setup: Mapping[str, str] = field(default_factory=dict)


def write_report(path: Path, report: Report) -> None:
    """Write the page, completely or not at all."""
    filters = {"number": _number, "interval": _interval, "count": "{:,}".format}
    replace_file(path, pages.render("evaluation/report.html", filters, **_context(report)))


def summary(report: Report) -> str:
    """Return the most important metrics with their intervals, for the terminal."""
    evaluation, threshold = report.evaluation, report.evaluation.threshold
    lines = [f"{report.title}: tested on {_tested_on(evaluation)}"]
    for labels in evaluation.label_sets:
        if len(evaluation.label_sets) > 1:
            lines.append(f"{labels.name} ({len(labels.predictions):,} cells)")
        for name in HEADLINE:
            estimate = labels.intervals.metrics[name]
            shown = f"{_number(estimate.value, 4)}  {_interval(estimate, 4)}"
            lines.append(f"  {_METRICS[name][0]:<12} {shown}")
    lines += [
        f"95 % intervals: {evaluation.interval_description}",
        f"Threshold {_number(threshold.value)} ({threshold.operating_point}):"
        f" {_on_validation(evaluation)}",
        *_on_review(evaluation),
        *(f"Note: {warning}" for warning in _warnings(report)),
        DISCLAIMER,
    ]
    return "\n".join(lines)


def count_splits(cells: SplitCells) -> tuple[SplitCount, ...]:
    """Count the cells and patients of each part of the split, in the order of the cells."""
    return tuple(_count_split(cells.part(split), split) for split in dict.fromkeys(cells.split))


def _count_split(part: SplitCells, split: str) -> SplitCount:
    parasitized = int((part.label == PARASITIZED).sum())
    return SplitCount(
        split=split,
        cells=len(part),
        parasitized=parasitized,
        uninfected=len(part) - parasitized,
        patients=len({*part.patient} - {None}),
    )


def _context(report: Report) -> dict[str, Any]:
    evaluation = report.evaluation
    return {
        "title": report.title,
        "tested_on": _tested_on(evaluation),
        "warnings": _warnings(report),
        "evaluation": evaluation,
        "headline": [(_METRICS[name][0], evaluation.intervals.metrics[name]) for name in HEADLINE],
        "metrics": _metric_rows(evaluation),
        "counts": evaluation.confusion_counts(),
        "review": _review_rows(evaluation),
        "plots": _plots(report),
        "relabelled": sum(_is_relabelled(cell) for cell in report.mistakes),
        "with_maps": any(cell.overlay is not None for cell in report.mistakes),
        "missed": [_thumbnail(cell) for cell in report.mistakes if cell.label == PARASITIZED],
        "false_alarms": [_thumbnail(cell) for cell in report.mistakes if cell.label != PARASITIZED],
        "patients": sorted(evaluation.metrics_by_patient(), key=lambda one: one.accuracy),
        "splits": report.splits,
        "setup": report.setup,
    }


def _metric_rows(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return a row per metric: name, meaning, and the estimate under each set of labels."""
    prevalence = f"{100 * evaluation.prevalence:.3g}"
    return [
        {
            "name": title,
            "meaning": meaning.format(prevalence=prevalence),
            "estimates": [labels.intervals.metrics[name] for labels in evaluation.label_sets],
        }
        for name, (title, meaning) in _METRICS.items()
    ]


def _review_rows(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return a row per metric of the cells outside the review band; no rows without a band."""
    selective = [labels.selective for labels in evaluation.label_sets if labels.selective]
    return [
        {"name": title, "meaning": meaning, "values": [getattr(one, name) for one in selective]}
        for name, (title, meaning) in _SELECTIVE_METRICS.items()
        if selective
    ]


def _plots(report: Report) -> dict[str, Any]:
    predictions, intervals = report.evaluation.predictions, report.evaluation.intervals
    return {
        "roc": plots.roc_plot(intervals.roc),
        "precision_recall": plots.precision_recall_plot(
            intervals.pr, float(predictions.truth.mean())
        ),
        "reliability": plots.reliability_plot(predictions),
        "histogram": plots.histogram_plot(predictions, report.evaluation.threshold.value),
        "learning": plots.learning_curve_plots(report.results),
    }


def _warnings(report: Report) -> list[str]:
    intervals = report.evaluation.intervals
    warnings = []
    if intervals.unit == "cells":
        warnings.append(
            "No patient is known. Cells of one patient may be in both the training and the test"
            " data, so the metrics are too good. The intervals resample cells, so they are too"
            " narrow."
        )
    elif intervals.units < FEW_PATIENTS:
        warnings.append(f"Only {intervals.units} patients were tested: intervals are too narrow.")
    return warnings + list(report.warnings)


def _tested_on(evaluation: Evaluation) -> str:
    cells = f"{len(evaluation.predictions):,} cells"
    known = evaluation.intervals.unit == "patients"
    return f"{cells} of {evaluation.intervals.units:,} patients" if known else cells


def _on_validation(evaluation: Evaluation) -> str:
    threshold = evaluation.threshold
    on_test = evaluation.intervals.metrics
    both = [
        f"{name} {_number(getattr(threshold, name))} on validation,"
        f" {_number(on_test[name].value)} on test"
        for name in ("sensitivity", "specificity")
    ]
    missed = "" if threshold.met else "not reached on validation, this is the closest; "
    return missed + "; ".join(both)


def _on_review(evaluation: Evaluation) -> list[str]:
    """Return the line about the review band, if there is one."""
    band, selective = evaluation.review_band, evaluation.label_sets[0].selective
    if band is None or selective is None:
        return []
    review = f"p {_number(band.low)}–{_number(band.high)}, {selective.review:.1%} of the cells"
    rest = f"{_number(selective.sensitivity)}, specificity {_number(selective.specificity)}"
    return [f"For review: {review}; sensitivity of the other cells {rest}"]


def _is_relabelled(mistake: Mistake) -> bool:
    """Return whether the corrected label differs from the given one."""
    return mistake.corrected not in (None, mistake.label)


def _thumbnail(mistake: Mistake) -> dict[str, Any]:
    """Return the mistake with its picture and its map as data URIs, at most 128 px wide."""
    return {
        "mistake": mistake,
        "relabelled": _is_relabelled(mistake),
        "uris": [
            pages.data_uri(thumbnail(Image.fromarray(picture)))
            for picture in (mistake.picture, mistake.overlay)
            if picture is not None
        ],
    }


def _number(value: float | None, digits: int = 3) -> str:
    """Return a metric as text; "-" if it is not defined."""
    return "-" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def _interval(estimate: Estimate, digits: int = 3) -> str:
    """Return an interval as text; "-" if there is none."""
    if math.isnan(estimate.low):
        return "-"
    return f"{estimate.low:.{digits}f}–{estimate.high:.{digits}f}"
