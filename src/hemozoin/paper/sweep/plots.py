"""Accuracy over mult-adds and over parameters: the paper's Figures 4 and 5, on cells.

These plots are files of their own, not part of a page, so their colours are those of light mode.
"""

from __future__ import annotations

import io
import re
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from hemozoin.paper.sweep.rows import SweepRow
from hemozoin.paper.sweep.tables import by_network, of_table
from hemozoin.reports.style import BLUE, GREEN, MUTED, ORANGE, STYLE, VIOLET

Axis = Literal["mult_adds", "parameters"]

#: The two costs, and the label of their axis.
COSTS: dict[Axis, str] = {"mult_adds": "Million mult-adds", "parameters": "Million parameters"}


@dataclass(frozen=True)
class Series:
    """Networks with the same colour and marker."""

    name: str
    colour: str
    marker: str
    #: Whether the labels are above or below the means; None for no labels.
    above: bool | None = None


#: The colours differ in lightness too, and each series has its own marker, so that colour-blind
#: people can distinguish them.
_WIDTHS = Series("widths α", VIOLET, "o", above=True)
_SIZES = Series("input sizes", ORANGE, "s", above=False)
_FULL = Series("full convolutions", BLUE, "D")
_SHALLOW = Series("shallow", GREEN, "^")
_NARROW = Series("narrow", MUTED, "v")

#: The distance between networks of equal cost, as a factor.
_SEPARATION = 1.08

_STYLE = STYLE | {
    "svg.hashsalt": "hemozoin",
    "font.size": 9,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
}


def draw(rows: Sequence[SweepRow], cost: Axis) -> str:
    """Return the plot as SVG: means over seeds, and a thin pale line for each seed.

    Networks on a line of one seed were tested on the same patients. The same rows give the same
    text.
    """
    positions = _positions(rows, cost)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(6.4, 4.2), layout="constrained")
        axes = figure.add_subplot(xlabel=COSTS[cost], ylabel="Accuracy on test patients, %")
        _prepare(axes)
        for series, of_series in _series(rows):
            _draw_seeds(axes, of_series, positions, series)
            _draw_means(axes, of_series, positions, series)
        figure.legend(loc="outside upper center", ncols=5, edgecolor="none", fontsize=8)
        return _svg(figure)


def _series(rows: Sequence[SweepRow]) -> list[tuple[Series, list[SweepRow]]]:
    """Return the rows of each series that has any; one network is in two series."""
    parts = [
        (_SIZES, of_table(rows, 7)),
        (_WIDTHS, of_table(rows, 6)),
        (_FULL, [row for row in rows if row.body == "full"]),
        (_SHALLOW, [row for row in rows if row.body == "shallow"]),
        (_NARROW, [row for row in rows if (row.tables, row.body) == ("5", "separable")]),
    ]
    return [(series, of_series) for series, of_series in parts if of_series]


def _positions(rows: Sequence[SweepRow], cost: Axis) -> dict[str, float]:
    """Return the x position of each network; those of equal cost are side by side."""
    millions = {row.network: getattr(row, cost) / 1e6 for row in sorted(rows, key=_by_cost)}
    occupied: Counter[float] = Counter()
    positions = {}
    for network, position in millions.items():
        positions[network] = position * _SEPARATION ** occupied[position]
        occupied[position] += 1
    return positions


def _by_cost(row: SweepRow) -> tuple[int, int]:
    return row.parameters, row.mult_adds


def _prepare(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(length=0)


def _draw_seeds(
    axes: Axes, rows: Sequence[SweepRow], positions: dict[str, float], series: Series
) -> None:
    for seed in {row.seed: None for row in rows}:
        runs = [row for row in rows if row.seed == seed]
        x, y = [positions[row.network] for row in runs], [100 * row.accuracy for row in runs]
        axes.plot(
            x, y, color=series.colour, marker=series.marker, markersize=3, linewidth=0.7, alpha=0.35
        )


def _draw_means(
    axes: Axes, rows: Sequence[SweepRow], positions: dict[str, float], series: Series
) -> None:
    networks = by_network(rows)
    x = [positions[name] for name in networks]
    y = [statistics.mean(100 * row.accuracy for row in runs) for runs in networks.values()]
    axes.plot(x, y, color=series.colour, marker=series.marker, label=series.name, linewidth=1.8)
    if series.above is None:
        return
    for position, runs in zip(zip(x, y, strict=True), networks.values(), strict=True):
        label = f"α {runs[0].alpha:g}" if series.above else f"{runs[0].size} px"
        axes.annotate(
            label,
            position,
            (0, 7 if series.above else -8),
            textcoords="offset points",
            color=series.colour,
            fontsize=8,
            ha="center",
            va="bottom" if series.above else "top",
            rotation=0
            if series.above
            else 90,  # input sizes cost no parameters, so these are close
        )


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return re.sub(r"[ \t]+\n", "\n", buffer.getvalue())
