"""The plots of the report, as inline SVG.

A plot is about 310 px wide, so that its text has the intended size on a phone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hemozoin.arrays import Floats
from hemozoin.classes import PARASITIZED, UNINFECTED
from hemozoin.metrics.bootstrap import ConfidenceBand
from hemozoin.metrics.classification import CALIBRATION_BINS, calibration_bin
from hemozoin.metrics.predictions import LabelledPredictions
from hemozoin.reports.style import (
    CARD,
    INK,
    MUTED,
    PAGE_STYLE,
    PARASITIZED_COLOUR,
    UNINFECTED_COLOUR,
)
from hemozoin.reports.svg import figure_svg

#: The line of a network that guesses at random.
_REFERENCE: dict[str, Any] = {"color": MUTED, "linewidth": 1, "linestyle": (0, (2, 3))}

#: Which columns of results.csv share a plot: title → column → name in the legend.
_LEARNING_CURVES = {
    "Loss": {"train_loss": "training", "val_loss": "validation"},
    "Validation metrics": {"val_accuracy": "accuracy", "val_auc": "ROC AUC"},
    "Learning rate": {"learning_rate": "learning rate"},
}


def roc_plot(band: ConfidenceBand) -> Markup:
    """Draw the ROC curve with its band, the diagonal of random guessing, and an enlarged corner."""
    figure, axes = _canvas("1 − specificity", "sensitivity")
    axes.plot([0, 1], [0, 1], **_REFERENCE)
    axes.plot([0, 0], [0, band.y[0]], color=PARASITIZED_COLOUR)
    _draw_band(axes, band)
    _draw_corner(axes, band, x=(0, 0.2))
    return figure_svg(figure, "ROC curve with 95 % band")


def precision_recall_plot(band: ConfidenceBand, share: float) -> Markup:
    """Draw precision over recall with its band, and an enlarged corner.

    `share` (0..1) of the cells are parasitized: the precision if every cell is called parasitized.
    """
    figure, axes = _canvas("recall (sensitivity)", "precision")
    axes.axhline(share, **_REFERENCE)
    _draw_band(axes, band)
    _draw_corner(axes, band, x=(0.8, 1))
    return figure_svg(figure, "Precision-recall curve with 95 % band")


def reliability_plot(predictions: LabelledPredictions) -> Markup:
    """Draw the share of parasitized cells in each bin of p; a larger dot has more cells."""
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
    axes.plot(mean_p, share, color=PARASITIZED_COLOUR, linewidth=1.2)
    sizes = 14 + 130 * np.sqrt(cells[filled] / cells.max())
    axes.scatter(mean_p, share, s=sizes, color=PARASITIZED_COLOUR, edgecolor=CARD, zorder=3)
    return figure_svg(figure, "Reliability diagram")


def histogram_plot(predictions: LabelledPredictions, threshold: float) -> Markup:
    """Draw a histogram of p for each class, with a logarithmic axis, and the threshold."""
    figure, axes = _canvas("p_parasitized", "cells")
    edges = np.linspace(0, 1, 26)
    lowest, top = 0.5, 1.0  # a logarithmic axis has no 0: empty bins end at its lower edge
    for truth, name, colour in (
        (False, UNINFECTED, UNINFECTED_COLOUR),
        (True, PARASITIZED, PARASITIZED_COLOUR),
    ):
        counts = np.histogram(predictions.p[predictions.truth == truth], edges)[0].clip(lowest)
        axes.stairs(counts, edges, baseline=lowest, fill=True, color=colour, alpha=0.25)
        axes.stairs(counts, edges, baseline=lowest, color=colour, label=name)
        top = max(top, counts.max())
    axes.axvline(threshold, color=INK, linewidth=1, linestyle=(0, (4, 2)), label="threshold")
    axes.set(yscale="log", ylim=(lowest, 3 * top))
    axes.minorticks_off()
    _legend(axes)
    return figure_svg(figure, "Histogram of p_parasitized by class")


def learning_curve_plots(results: Mapping[str, Floats]) -> list[tuple[str, Markup]]:
    """Draw the learning curves in results.csv (a row per epoch); returns their titles and plots."""
    plots = []
    for title, names in _LEARNING_CURVES.items():
        known = {column: name for column, name in names.items() if column in results}
        if known:
            plots.append((title, _learning_curve(results, title, known)))
    return plots


def _learning_curve(results: Mapping[str, Floats], title: str, names: dict[str, str]) -> Markup:
    figure, axes = _canvas("epoch", "", unit_square=False)
    colours = (PARASITIZED_COLOUR, UNINFECTED_COLOUR) if len(names) > 1 else (MUTED,)
    for (column, name), colour in zip(names.items(), colours, strict=False):
        axes.plot(
            results["epoch"], results[column], color=colour, marker="o", markersize=3, label=name
        )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(names) > 1:
        _legend(axes)
    return figure_svg(figure, title)


def _canvas(x: str, y: str, *, unit_square: bool = True) -> tuple[Figure, Axes]:
    with mpl.rc_context(PAGE_STYLE):
        figure = Figure(figsize=(3.2, 2.7), layout="constrained")
        axes = figure.add_subplot(xlabel=x, ylabel=y)
        axes.tick_params(length=0)
    if unit_square:
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    return figure, axes


def _draw_band(axes: Axes, band: ConfidenceBand) -> None:
    if not np.isnan(band.low).any():
        axes.fill_between(
            band.x, band.low, band.high, color=PARASITIZED_COLOUR, alpha=0.2, linewidth=0
        )
    axes.plot(band.x, band.y, color=PARASITIZED_COLOUR)


def _draw_corner(axes: Axes, band: ConfidenceBand, x: tuple[float, float]) -> None:
    """Draw the corner where the curve of a good network bends once more, enlarged."""
    with mpl.rc_context(PAGE_STYLE):
        corner = axes.inset_axes((0.3, 0.14, 0.6, 0.6), xlim=x, ylim=(0.8, 1.002))
    corner.set_facecolor(CARD)
    corner.spines[["top", "right"]].set_visible(True)
    corner.tick_params(length=0, labelsize=7)
    corner.locator_params(nbins=4)
    _draw_band(corner, band)


def _legend(axes: Axes) -> None:
    axes.legend(
        loc="best", labelcolor=INK, facecolor=CARD, edgecolor="none", framealpha=0.85, fontsize=8
    )
