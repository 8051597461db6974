"""The report on a cross-validation: report.html, with the metrics of all folds and their curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hemozoin.classes import PREVALENCE
from hemozoin.evaluation.evaluation import LabelSet
from hemozoin.evaluation.folds import FoldTest, pool_folds, spread_over_folds
from hemozoin.evaluation.report import (
    METRICS,
    describe_units,
    inline_plots,
    sample_size_warnings,
    shown_metric,
)
from hemozoin.files import replace_file
from hemozoin.metrics.bootstrap import curves
from hemozoin.reports import page as pages
from hemozoin.reports.plot_files import can_draw, write_plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: The plots of a cross-validation, by the names of their files.
FOLD_PLOTS = ("roc", "precision_recall")


@dataclass(frozen=True, eq=False)
class FoldReport:
    """The content of the page."""

    title: str
    folds: tuple[FoldTest, ...]
    prevalence: float = PREVALENCE
    #: Reasons to trust the metrics less, a sentence each.
    warnings: tuple[str, ...] = ()
    #: How the report was made: name → value.
    setup: Mapping[str, str] = field(default_factory=dict)


def write_fold_report(folder: Path, report: FoldReport) -> None:
    """Write report.html and the plots into a folder, each file completely or not at all."""
    pooled = pool_folds(report.folds, report.prevalence)
    plots = write_plots(folder, _draw_plots(pooled, report.folds))
    context = _context(report, pooled) | {"plots": inline_plots(plots)}
    page = pages.render("evaluation/fold_report.html", {}, **context)
    replace_file(folder / "report.html", page)


def _context(report: FoldReport, pooled: LabelSet) -> dict[str, Any]:
    return {
        "title": report.title,
        "folds": report.folds,
        "tested_on": describe_units(pooled),
        "interval_description": pooled.interval_description,
        "warnings": [*sample_size_warnings(pooled), *report.warnings],
        "rows": _rows(pooled, report),
        "setup": report.setup,
    }


def _rows(pooled: LabelSet, report: FoldReport) -> list[dict[str, Any]]:
    """Return a row per metric: name, the value of each fold, mean ± sd, and the pooled estimate."""
    spreads = {one.figure: one for one in spread_over_folds([one.metrics for one in report.folds])}
    prevalence, cells = f"{100 * report.prevalence:.3g}", len(pooled.predictions)
    return [
        {
            "name": title,
            "meaning": meaning.format(prevalence=prevalence),
            "values": [_text(fold.metrics[name], len(fold.predictions)) for fold in report.folds],
            "mean": _text(spreads[name].mean, cells),
            "sd": _text(spreads[name].sd, cells),
            "pooled": shown_metric(pooled, name),
        }
        for name, (title, meaning) in METRICS.items()
    ]


def _draw_plots(pooled: LabelSet, folds: Sequence[FoldTest]) -> dict[str, Figure]:
    """Draw the plots, by the names of their files; none without matplotlib."""
    if not can_draw():
        return {}
    from hemozoin.evaluation.plots import precision_recall_plot, roc_plot  # noqa: PLC0415

    share = float(pooled.predictions.truth.mean())
    rocs, prs = zip(*(curves(fold.predictions) for fold in folds), strict=True)
    return {
        "roc": roc_plot(pooled.intervals.roc, rocs),
        "precision_recall": precision_recall_plot(pooled.intervals.pr, share, prs),
    }


def _text(value: float | None, cells: int) -> str:
    """Return a value with the decimals that the number of cells justifies."""
    if value is None or math.isnan(value):
        return "-"
    return f"{value:.{min(len(str(cells)), 3)}f}"
