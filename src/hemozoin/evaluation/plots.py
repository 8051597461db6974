"""The drawings of the report: SVG to stand inside the page, in the page's own colours.

Each drawing is about 310 px wide, so that text keeps its size on a phone.
"""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
import polars as pl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hemozoin.metrics.bootstrap import ConfidenceBand
from hemozoin.metrics.classification import CALIBRATION_BINS, LabelledPredictions, calibration_bin
from hemozoin.reports import page as pages

#: matplotlib wants colours, the page has variables, which dark mode changes. These stand for
#: the variables while drawing. Violet and orange are told apart by colour-blind eyes too.
INK, MUTED, LINE = "#000001", "#000002", "#000003"
PARASITIZED, UNINFECTED, PAPER = "#000004", "#000005", "#000006"
_VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    PARASITIZED: "var(--parasitized)",
    UNINFECTED: "var(--uninfected)",
    PAPER: "var(--card)",
}

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 8.5,
    "text.color": INK,
    "figure.facecolor": "none",
    "axes.edgecolor": LINE,
    "axes.facecolor": "none",
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.labelsize": 8.5,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
}

#: How the line is drawn that a network without knowledge would be on.
_REFERENCE: dict[str, Any] = {"color": MUTED, "linewidth": 1, "linestyle": (0, (2, 3))}

#: Which columns of results.csv share a drawing: the title, and column → name in the legend.
_CURVES = {
    "Loss": {"train_loss": "training", "val_loss": "validation"},
    "Validation figures": {"val_accuracy": "accuracy", "val_auc": "ROC AUC"},
    "Learning rate": {"learning_rate": "learning rate"},
}


def roc(band: ConfidenceBand) -> Markup:
    """Draw the ROC curve with its band, the diagonal of a coin, and the upper left corner."""
    figure, axes = _canvas("1 − specificity", "sensitivity")
    axes.plot([0, 1], [0, 1], **_REFERENCE)
    axes.plot([0, 0], [0, band.y[0]], color=PARASITIZED)
    _draw_band(axes, band)
    _draw_corner(axes, band, x=(0, 0.2))
    return _svg(figure, "ROC curve with 95 % band")


def precision_recall(band: ConfidenceBand, share: float) -> Markup:
    """Draw precision over recall with its band, and the upper right corner.

    `share` (0..1) of the cells are parasitized: the precision of calling all of them so.
    """
    figure, axes = _canvas("recall (sensitivity)", "precision")
    axes.axhline(share, **_REFERENCE)
    _draw_band(axes, band)
    _draw_corner(axes, band, x=(0.8, 1))
    return _svg(figure, "Precision-recall curve with 95 % band")


def reliability(predictions: LabelledPredictions) -> Markup:
    """Draw how often cells of each bin of p are parasitized; a larger dot has more cells."""
    figure, axes = _canvas("p_parasitized, mean of bin", "share parasitized")
    axes.plot([0, 1], [0, 1], **_REFERENCE)
    which = calibration_bin(predictions.p)
    cells = np.bincount(which, minlength=CALIBRATION_BINS)
    filled = cells > 0
    sums = (
        np.bincount(which, values, CALIBRATION_BINS)
        for values in (predictions.p, predictions.truth)
    )
    mean_p, share = (total[filled] / cells[filled] for total in sums)
    axes.plot(mean_p, share, color=PARASITIZED, linewidth=1.2)
    sizes = 14 + 130 * np.sqrt(cells[filled] / cells.max())
    axes.scatter(mean_p, share, s=sizes, color=PARASITIZED, edgecolor=PAPER, zorder=3)
    return _svg(figure, "Reliability diagram")


def histogram(predictions: LabelledPredictions, threshold: float) -> Markup:
    """Draw how many cells of each class have which p (logarithmic), and the threshold."""
    figure, axes = _canvas("p_parasitized", "cells")
    edges = np.linspace(0, 1, 26)
    # A logarithmic axis has no 0: an empty bin ends at its lower edge.
    floor, top = 0.5, 1.0
    for truth, name, colour in (
        (False, "uninfected", UNINFECTED),
        (True, "parasitized", PARASITIZED),
    ):
        counts = np.histogram(predictions.p[predictions.truth == truth], edges)[0].clip(floor)
        axes.stairs(counts, edges, baseline=floor, fill=True, color=colour, alpha=0.25)
        axes.stairs(counts, edges, baseline=floor, color=colour, label=name)
        top = max(top, counts.max())
    axes.axvline(threshold, color=INK, linewidth=1, linestyle=(0, (4, 2)), label="threshold")
    axes.set(yscale="log", ylim=(floor, 3 * top))
    axes.minorticks_off()
    _legend(axes)
    return _svg(figure, "Histogram of p_parasitized by class")


def learning_curves(results: pl.DataFrame) -> list[tuple[str, Markup]]:
    """Draw what is there of results.csv (a row an epoch): title and drawing of each."""
    drawings = []
    for title, names in _CURVES.items():
        there = {column: name for column, name in names.items() if column in results.columns}
        if there:
            drawings.append((title, _learning_curve(results, title, there)))
    return drawings


def _learning_curve(results: pl.DataFrame, title: str, names: dict[str, str]) -> Markup:
    figure, axes = _canvas("epoch", "", unit_square=False)
    colours = (PARASITIZED, UNINFECTED) if len(names) > 1 else (MUTED,)
    epochs = results["epoch"].to_numpy()
    for (column, name), colour in zip(names.items(), colours, strict=False):
        values = results[column].cast(pl.Float64).fill_null(np.nan).to_numpy()
        axes.plot(epochs, values, color=colour, marker="o", markersize=3, label=name)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(names) > 1:
        _legend(axes)
    return _svg(figure, title)


def _canvas(x: str, y: str, *, unit_square: bool = True) -> tuple[Figure, Axes]:
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(3.2, 2.7), layout="constrained")
        axes = figure.add_subplot(xlabel=x, ylabel=y)
        axes.tick_params(length=0)
    if unit_square:
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    return figure, axes


def _draw_band(axes: Axes, band: ConfidenceBand) -> None:
    if not np.isnan(band.low).any():
        axes.fill_between(band.x, band.low, band.high, color=PARASITIZED, alpha=0.2, linewidth=0)
    axes.plot(band.x, band.y, color=PARASITIZED)


def _draw_corner(axes: Axes, band: ConfidenceBand, x: tuple[float, float]) -> None:
    """Draw once more, large, where the curve of a good network turns."""
    with mpl.rc_context(_STYLE):
        corner = axes.inset_axes((0.3, 0.14, 0.6, 0.6), xlim=x, ylim=(0.8, 1.002))
    corner.set_facecolor(PAPER)
    corner.spines[["top", "right"]].set_visible(True)
    corner.tick_params(length=0, labelsize=7)
    corner.locator_params(nbins=4)
    _draw_band(corner, band)


def _legend(axes: Axes) -> None:
    axes.legend(
        loc="best", labelcolor=INK, facecolor=PAPER, edgecolor="none", framealpha=0.85, fontsize=8
    )


def _svg(figure: Figure, name: str) -> Markup:
    return pages.figure_svg(figure, name, _STYLE, _VARIABLES)
