"""Accuracy over what it costs, on a logarithmic axis: the paper's figures 4 and 5, on cells.

Unlike the drawings of the report these stand alone, as files: with colours and a ground of
their own.
"""

from __future__ import annotations

import io
import re
import statistics
from collections.abc import Sequence
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from hemozoin.sweeping.rows import Row
from hemozoin.sweeping.tables import by_network, of_table

Axis = Literal["mult_adds", "parameters"]

#: What accuracy is drawn over, and how the axis is called.
COSTS: dict[Axis, str] = {"mult_adds": "Million mult-adds", "parameters": "Million parameters"}

_INK, _MUTED, _LINE = "#241d29", "#6d6472", "#e0d8dd"

#: Table -> what its networks share, their colour and their mark. Colours that differ in
#: lightness too, and marks, so that nobody needs to tell colours apart.
_SERIES = {
    6: ("other widths α", "#6b2fa0", "o"),
    7: ("other input sizes", "#c4681a", "s"),
}
_BODIES = {
    "full": ("full convolutions", "#2f74ad", "D"),
    "shallow": ("shallow", "#2f8261", "^"),
}

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "hemozoin",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": _INK,
    "axes.edgecolor": _LINE,
    "axes.labelcolor": _MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _LINE,
    "grid.linewidth": 0.6,
    "xtick.color": _LINE,
    "ytick.color": _LINE,
    "xtick.labelcolor": _MUTED,
    "ytick.labelcolor": _MUTED,
}


def draw(rows: Sequence[Row], cost: Axis) -> str:
    """Return the SVG: mean and standard deviation over seeds, and a dot for each run.

    Same rows, same text.
    """
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(6.4, 4.0), layout="constrained")
        axes = figure.add_subplot(xlabel=COSTS[cost], ylabel="Accuracy on test patients, %")
        _prepare(axes)
        for number, (name, colour, mark) in _SERIES.items():
            _draw(axes, of_table(rows, number), cost, (name, colour, mark))
        for body, how in _BODIES.items():
            _draw(axes, [row for row in rows if row.body == body], cost, how)
        _draw(axes, _narrow(rows), cost, ("narrow (Table 5)", _MUTED, "v"))
        axes.legend(loc="best", edgecolor="none", framealpha=0.85, fontsize=8)
        return _svg(figure)


def _narrow(rows: Sequence[Row]) -> list[Row]:
    return [row for row in of_table(rows, 5) if row.tables == "5" and row.body == "separable"]


def _prepare(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(length=0)


def _draw(axes: Axes, rows: Sequence[Row], cost: Axis, how: tuple[str, str, str]) -> None:
    """Draw the networks of a series, joined, with their names."""
    if not rows:
        return
    name, colour, mark = how
    networks = by_network(rows).values()
    x = [getattr(runs[0], cost) / 1e6 for runs in networks]
    accuracies = [[100 * row.accuracy for row in runs] for runs in networks]
    means = [statistics.mean(found) for found in accuracies]
    spreads = [statistics.stdev(found) if len(found) > 1 else 0 for found in accuracies]
    axes.errorbar(x, means, spreads, color=colour, marker=mark, label=name, linewidth=1, capsize=3)
    for at, found in zip(x, accuracies, strict=True):
        axes.plot([at] * len(found), found, ".", color=colour, alpha=0.35, markersize=5)
    for at, mean, runs in zip(x, means, networks, strict=True):
        label = f"{runs[0].size} px" if name == _SERIES[7][0] else f"α {runs[0].alpha:g}"
        axes.annotate(label, (at, mean), (5, 4), textcoords="offset points", fontsize=7.5)


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return re.sub(r"[ \t]+\n", "\n", buffer.getvalue())
