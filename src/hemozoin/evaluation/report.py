"""The report on an evaluation: report.html, and a summary in a few lines for the terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from hemozoin.about import DISCLAIMER
from hemozoin.arrays import Floats, Pixels
from hemozoin.classes import PARASITIZED, UNINFECTED
from hemozoin.data.cells import Cells, SplitCells
from hemozoin.evaluation.evaluation import Evaluation, LabelSet
from hemozoin.files import replace_file
from hemozoin.images import thumbnail
from hemozoin.metrics.bootstrap import MIN_UNITS, Estimate
from hemozoin.reports import page as pages
from hemozoin.reports.plot_files import can_draw
from hemozoin.reports.style import PAPER

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: The plots of an evaluation: name of the file → what it shows.
EVALUATION_PLOTS = {
    "roc": "ROC curve with 95 % band",
    "precision_recall": "Precision-recall curve with 95 % band",
    "reliability": "Reliability diagram",
    "histogram": "Histogram of p_parasitized by class",
}

#: The plots of training: name of the file → title.
LEARNING_PLOTS = {
    "loss": "Loss",
    "validation_metrics": "Validation metrics",
    "learning_rate": "Learning rate",
}

#: The metrics at the top of the page and in the summary.
HEADLINE = ("accuracy", "sensitivity", "specificity", "roc_auc")

#: With fewer patients the intervals are clearly too narrow (see metrics/bootstrap.py).
FEW_PATIENTS = 20

#: The fewest cells of each class for a test (Vergouwe et al. 2005, J. Clin. Epidemiol. 58, 475:
#: "at least 100 events and 100 non-events"); cells of one patient are worth less than that.
FEW_CELLS = 100

#: Name and meaning of each metric.
METRICS = {
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


#: The metric with the same denominator.
_BASIS = {"missed": "sensitivity", "false_alarms": "specificity"}


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

    def to_dict(self) -> dict[str, Any]:
        """Return metrics and warnings as plain values for JSON, the metrics unrounded."""
        return {**self.evaluation.to_dict(), "warnings": _warnings(self)}


def write_report(path: Path, report: Report, plots: Mapping[str, str]) -> None:
    """Write the page, completely or not at all; `plots` are SVG files by their names."""
    filters = {"number": _number, "count": "{:,}".format}
    context = _context(report) | {"plots": inline_plots(plots)}
    replace_file(path, pages.render("evaluation/report.html", filters, **context))


def summary(report: Report) -> str:
    """Return the most important metrics with their intervals, for the terminal."""
    evaluation, threshold = report.evaluation, report.evaluation.threshold
    lines = [f"{report.title}: {_heading(evaluation)}"]
    for labels in evaluation.label_sets:
        if len(evaluation.label_sets) > 1:
            lines.append(f"{labels.name} ({len(labels.predictions):,} cells)")
        for name in HEADLINE:
            estimate, decimals = labels.intervals.metrics[name], labels.decimals(name)
            shown = f"{_number(estimate.value, decimals)}  {_interval(estimate, decimals)}"
            lines.append(f"  {METRICS[name][0]:<12} {shown}")
    lines += [
        f"95 % intervals: {evaluation.interval_description}",
        f"Threshold {_number(threshold.value)} ({threshold.operating_point}):"
        f" {_on_validation(evaluation)}",
        *_on_review(evaluation),
        *(f"Note: {warning}" for warning in _warnings(report)),
        DISCLAIMER,
    ]
    return "\n".join(lines)


def count_splits(cells: SplitCells, extra: Cells | None = None) -> tuple[SplitCount, ...]:
    """Count the cells and patients of each part of the split, in the order of the cells.

    `extra` are cells that are only trained on: the last part, "extra".
    """
    parts = [_count_split(cells.part(split), split) for split in dict.fromkeys(cells.split)]
    return (*parts, *([_count_split(extra, "extra")] if extra else []))


def _count_split(part: Cells, split: str) -> SplitCount:
    parasitized = int((part.label == PARASITIZED).sum())
    return SplitCount(
        split=split,
        cells=len(part),
        parasitized=parasitized,
        uninfected=len(part) - parasitized,
        patients=len({*part.patient} - {None}),
    )


def _context(report: Report) -> dict[str, Any]:
    evaluation, given = report.evaluation, report.evaluation.label_sets[0]
    return {
        "title": report.title,
        "heading": _heading(evaluation),
        "warnings": _warnings(report),
        "evaluation": evaluation,
        "headline": [(METRICS[name][0], shown_metric(given, name)) for name in HEADLINE],
        "on_test": {name: shown_metric(given, name) for name in ("sensitivity", "specificity")},
        "metrics": _metric_rows(evaluation),
        "counts": evaluation.confusion_counts(),
        "review": _review_rows(evaluation),
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
            "estimates": [shown_metric(labels, name) for labels in evaluation.label_sets],
        }
        for name, (title, meaning) in METRICS.items()
    ]


def _review_rows(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return a row per metric of the cells outside the review band; no rows without a band."""
    return [
        {
            "name": title,
            "meaning": meaning,
            "values": [
                _number(getattr(labels.selective, name), labels.decimals(_BASIS.get(name, name), 3))
                for labels in evaluation.label_sets
                if labels.selective
            ],
        }
        for name, (title, meaning) in _SELECTIVE_METRICS.items()
        if evaluation.review_band
    ]


def draw_plots(report: Report) -> dict[str, Figure]:
    """Draw all plots of the report, by the names of their files; none without matplotlib."""
    if not can_draw():
        return {}
    from hemozoin.evaluation import plots  # noqa: PLC0415 - optional

    predictions, intervals = report.evaluation.predictions, report.evaluation.intervals
    share = float(predictions.truth.mean())
    return {
        "roc": plots.roc_plot(intervals.roc),
        "precision_recall": plots.precision_recall_plot(intervals.pr, share),
        "reliability": plots.reliability_plot(predictions),
        "histogram": plots.histogram_plot(predictions, report.evaluation.threshold.value),
        **plots.learning_curve_plots(report.results),
    }


def inline_plots(plots: Mapping[str, str]) -> dict[str, Any] | None:
    """Return SVG files, by their names, as parts of the page; None where none was drawn.

    Those of training are pairs of title and SVG, at "learning".
    """
    if not plots:
        return None
    from hemozoin.reports.svg import page_svg  # noqa: PLC0415 - optional

    titles = EVALUATION_PLOTS | LEARNING_PLOTS
    drawn = {
        name: page_svg(svg.replace(PAPER, "none"), titles[name]) for name, svg in plots.items()
    }
    learning = [(titles[name], drawn.pop(name)) for name in LEARNING_PLOTS if name in drawn]
    return {**drawn, "learning": learning}


def unreadable_warning(count: int) -> Iterator[str]:
    """Yield how many pictures could not be read, if any."""
    if count:
        yield f"{count:,} pictures could not be read and were skipped."


def seen_in_training(evaluation: Evaluation) -> str | None:
    """Return the warning that the tested patients are not new to the network; None if they are."""
    overlap, units = evaluation.overlap, evaluation.intervals.units
    if evaluation.intervals.unit == "cells":
        return None  # there is a warning about unknown patients already
    if overlap is None:
        return (
            "It can't be told whether these cells were seen in training: the model folder doesn't"
            " say which patients the network was trained on."
        )
    if not overlap.cells:
        return None
    return (
        f"SEEN IN TRAINING: {overlap.cells:,} of these {len(evaluation.predictions):,} cells are of"
        f" {overlap.patients:,} patients (of {units:,}) whom the network was trained on, so this is"
        " no test and the metrics are too good. Other people with the same names? Rename them with"
        " --patients."
    )


def _warnings(report: Report) -> list[str]:
    evaluation = report.evaluation
    seen = seen_in_training(evaluation)
    return [
        *([seen] if seen else []),
        *sample_size_warnings(evaluation.label_sets[0]),
        *_open_band(evaluation),
        *report.warnings,
    ]


def sample_size_warnings(labels: LabelSet) -> Iterator[str]:
    """Yield what the number of cells and patients means for the metrics, a sentence each."""
    predictions, intervals = labels.predictions, labels.intervals
    if intervals.unit == "cells":
        yield (
            "No patient is known. Cells of one patient may be in both the training and the test"
            " data, so the metrics are too good. The intervals resample cells, so they are too"
            " narrow."
        )
    elif intervals.units < FEW_PATIENTS:
        yield _few_patients(labels)
    parasitized = int(predictions.truth.sum())
    uninfected = len(predictions) - parasitized
    if min(parasitized, uninfected) < FEW_CELLS:
        yield (
            f"Only {parasitized} parasitized and {uninfected} uninfected cells were tested: a test"
            f" needs {FEW_CELLS} of each, from as many patients as possible."
        )


def _open_band(evaluation: Evaluation) -> Iterator[str]:
    band = evaluation.review_band
    if band and (band.low == 0 or band.high == 1):
        yield (
            "The review band is open: there were too few validation patients or cells to bound the"
            f" error rate at {band.error_rate:g}, so all cells on one side are for review."
        )


def _few_patients(labels: LabelSet) -> str:
    units = labels.intervals.units
    tested = f"Only {units} patient{'s were' if units > 1 else ' was'} tested"
    of_class = {name: labels.units_of_class(name) for name in (PARASITIZED, UNINFECTED)}
    rarer = min(of_class, key=of_class.__getitem__)
    if of_class[rarer] >= MIN_UNITS:
        return f"{tested}: intervals are too narrow."
    return (
        f"{tested}, {of_class[rarer]} of them with {rarer} cells: too few for"
        f" {'intervals' if units < MIN_UNITS else 'all intervals'}, which need {MIN_UNITS} of each"
        " class. Other patients may give quite different metrics."
    )


def describe_units(labels: LabelSet) -> str:
    """Return the numbers of cells and patients, such as "4,400 cells of 32 patients"."""
    cells, units = f"{len(labels.predictions):,} cells", labels.intervals.units
    known = labels.intervals.unit == "patients"
    return f"{cells} of {units:,} patient{'s' * (units > 1)}" if known else cells


def _heading(evaluation: Evaluation) -> str:
    """Return what was tested on, such as "tested on 4,400 cells of 32 patients"."""
    cells = describe_units(evaluation.label_sets[0])
    seen = evaluation.overlap is not None and evaluation.overlap.cells > 0
    return f"SEEN IN TRAINING, {cells}" if seen else f"tested on {cells}"


def _on_validation(evaluation: Evaluation) -> str:
    threshold = evaluation.threshold
    given, on_test = evaluation.label_sets[0], evaluation.intervals.metrics
    where = "on test" if evaluation.tested_on == "test" else f"on cells {evaluation.tested_on}"
    both = [
        f"{name} {_number(getattr(threshold, name))} on validation,"
        f" {_number(on_test[name].value, given.decimals(name, 3))} {where}"
        for name in ("sensitivity", "specificity")
    ]
    missed = "" if threshold.met else "not reached on validation, this is the closest; "
    return missed + "; ".join(both)


def _on_review(evaluation: Evaluation) -> list[str]:
    """Return the line about the review band, if there is one."""
    band, selective = evaluation.review_band, evaluation.label_sets[0].selective
    if band is None or selective is None:
        return []
    given = evaluation.label_sets[0]
    share = _percent(selective.review, given.decimals("review", 3))
    review = f"p {_number(band.low)}–{_number(band.high)}, {share} of the cells"
    rest = (
        f"{_number(selective.sensitivity, given.decimals('sensitivity', 3))}, specificity"
        f" {_number(selective.specificity, given.decimals('specificity', 3))}"
    )
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


def _percent(share: float, decimals: int) -> str:
    """Return a share as a percentage, with the decimals that the share would have."""
    return f"{share:.{max(decimals - 2, 0)}%}"


def shown_metric(labels: LabelSet, metric: str) -> dict[str, str]:
    """Return value and interval of a metric as texts."""
    estimate, decimals = labels.intervals.metrics[metric], labels.decimals(metric, 3)
    return {
        "value": _number(estimate.value, decimals),
        "interval": _interval(estimate, decimals),
    }


def _interval(estimate: Estimate, digits: int = 3) -> str:
    """Return an interval as text; "-" if there is none."""
    if math.isnan(estimate.low):
        return "-"
    return f"{estimate.low:.{digits}f}–{estimate.high:.{digits}f}"
