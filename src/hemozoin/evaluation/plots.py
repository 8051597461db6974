"""The plots of an evaluation, for the report and as files of their own.

A plot is about 310 px wide, so that its text has the intended size on a phone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
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
    PARASITIZED_COLOUR,
    STYLE,
    UNINFECTED_COLOUR,
)

#: Which columns of results.csv share a plot: name of the plot → column → name in the legend.
_LEARNING_CURVES = {
    "loss": {"train_loss": "training", "val_loss": "validation"},
    "validation_metrics": {"val_accuracy": "accuracy", "val_auc": "ROC AUC"},
    "learning_rate": {"learning_rate": "learning rate"},
}

#: The lines of a network that guesses at random, and of a fold.
_REFERENCE: dict[str, Any] = {"color": MUTED, "linewidth": 1, "linestyle": (0, (2, 3))}
_FOLD: dict[str, Any] = {"color": UNINFECTED_COLOUR, "linewidth": 0.7, "alpha": 0.8}

#: Left, lower, right and upper edge of the inset, in the coordinates of the plot; and the room that
#: the curve must leave around it, for the numbers on its axes too.
_INSET, _ROOM = (0.3, 0.14, 0.9, 0.74), 0.03


def roc_plot(band: ConfidenceBand, folds: Sequence[ConfidenceBand] = ()) -> Figure:
    """Draw the ROC curve with its band, the diagonal of random guessing, and an enlarged corner.

    The curves of `folds` are thin lines.
    """
    figure, axes = _canvas("1 − specificity", "sensitivity")
    axes.plot([0, 1], [0, 1], **_REFERENCE)
    for fold in folds:
        axes.plot([0, *fold.x], [0, *fold.y], **_FOLD)
    axes.plot([0, 0], [0, band.y[0]], color=PARASITIZED_COLOUR)
    _draw_band(axes, band)
    _draw_corner(axes, (band, *folds), x=(0, 0.2))
    return figure


def precision_recall_plot(
    band: ConfidenceBand,
    share: float,
    folds: Sequence[ConfidenceBand] = (),
) -> Figure:
    """Draw precision over recall with its band, and an enlarged corner.

    `share` (0..1) of the cells are parasitized: the precision if every cell is called parasitized.
    The curves of `folds` are thin lines.
    """
    figure, axes = _canvas("recall (sensitivity)", "precision")
    axes.axhline(share, **_REFERENCE)
    for fold in folds:
        axes.plot(fold.x, fold.y, **_FOLD)
    _draw_band(axes, band)
    _draw_corner(axes, (band, *folds), x=(0.8, 1))
    return figure


def reliability_plot(predictions: LabelledPredictions) -> Figure:
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
    return figure


def histogram_plot(predictions: LabelledPredictions, threshold: float) -> Figure:
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
    return figure


def learning_curve_plots(results: Mapping[str, Floats]) -> dict[str, Figure]:
    """Draw the learning curves in results.csv (a value per epoch), by the names of their files."""
    known = {
        plot: {column: name for column, name in names.items() if column in results}
        for plot, names in _LEARNING_CURVES.items()
    }
    return {plot: _learning_curve(results, names) for plot, names in known.items() if names}


def _learning_curve(results: Mapping[str, Floats], names: dict[str, str]) -> Figure:
    figure, axes = _canvas("epoch", "", unit_square=False)
    several = (PARASITIZED_COLOUR, UNINFECTED_COLOUR)
    lines = several if len(names) > 1 else (MUTED,)
    for (column, name), colour in zip(names.items(), lines, strict=False):
        axes.plot(
            results["epoch"], results[column], color=colour, marker="o", markersize=3, label=name
        )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(names) > 1:
        _legend(axes)
    return figure


def _canvas(x: str, y: str, *, unit_square: bool = True) -> tuple[Figure, Axes]:
    with mpl.rc_context(STYLE):
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


def _draw_corner(axes: Axes, bands: Sequence[ConfidenceBand], x: tuple[float, float]) -> None:
    """Draw the corner where the curve of a good network bends once more, enlarged.

    The first band is that of all cells, the others those of folds. A worse curve runs where the
    inset would be, and not through the corner: then there is no inset.
    """
    if not all(_is_above_inset(band) for band in bands):
        return
    left, lower, right, upper = _INSET
    with mpl.rc_context(STYLE):
        corner = axes.inset_axes(
            (left, lower, right - left, upper - lower),
            transform=axes.transData,
            xlim=x,
            ylim=(0.8, 1.002),
        )
    corner.set_facecolor(CARD)
    corner.spines[["top", "right"]].set_visible(True)
    corner.tick_params(length=0, labelsize=7)
    corner.locator_params(nbins=4)
    for fold in bands[1:]:
        corner.plot(fold.x, fold.y, **_FOLD)
    _draw_band(corner, bands[0])


def _is_above_inset(band: ConfidenceBand) -> bool:
    """Return whether curve and band run above the inset, over its whole width."""
    left, _, right, upper = _INSET
    lowest = np.fmin(band.y, band.low)  # the band may be undefined
    edges = np.interp([left - _ROOM, right + _ROOM], band.x, lowest)
    within = lowest[(band.x > left - _ROOM) & (band.x < right + _ROOM)]
    return bool(min(edges.min(), within.min()) > upper + _ROOM)


def _legend(axes: Axes) -> None:
    axes.legend(
        loc="best",
        labelcolor=INK,
        facecolor=CARD,
        edgecolor="none",
        framealpha=0.85,
        fontsize=8,
    )
