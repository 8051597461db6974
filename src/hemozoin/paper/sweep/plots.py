"""Accuracy over what it costs, on a logarithmic axis: the paper's figures 4 and 5, on cells.

Unlike the drawings of the report these stand alone, as files: with colours and a ground of
their own.
"""

from __future__ import annotations

import io
import re
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from hemozoin.paper.sweep.rows import SweepRow
from hemozoin.paper.sweep.tables import by_network, of_table

Axis = Literal["mult_adds", "parameters"]

#: What accuracy is drawn over, and how the axis is called.
COSTS: dict[Axis, str] = {"mult_adds": "Million mult-adds", "parameters": "Million parameters"}


@dataclass(frozen=True)
class Series:
    """Networks that are drawn alike; with `above` their names stand above or below their means."""

    name: str
    colour: str
    mark: str
    above: bool | None = None


_INK, _MUTED, _LINE = "#241d29", "#6d6472", "#e0d8dd"

#: In lightness the colours differ too, and each has its mark: nobody needs to tell them apart.
_WIDTHS = Series("widths α", "#6b2fa0", "o", above=True)
_SIZES = Series("input sizes", "#c4681a", "s", above=False)
_FULL = Series("full convolutions", "#2f74ad", "D")
_SHALLOW = Series("shallow", "#2f8261", "^")
_NARROW = Series("narrow", "#6d6472", "v")

#: How far networks of equal cost are drawn apart, as a factor.
_ASIDE = 1.08

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


def draw(rows: Sequence[SweepRow], cost: Axis) -> str:
    """Return the SVG: means over seeds, and thin and pale a line for each seed.

    Lines of one seed are of the same test patients. Same rows, same text.
    """
    places = _places(rows, cost)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(6.4, 4.2), layout="constrained")
        axes = figure.add_subplot(xlabel=COSTS[cost], ylabel="Accuracy on test patients, %")
        _prepare(axes)
        for series, found in _series(rows):
            _draw_seeds(axes, found, places, series)
            _draw_means(axes, found, places, series)
        figure.legend(loc="outside upper center", ncols=5, edgecolor="none", fontsize=8)
        return _svg(figure)


def _series(rows: Sequence[SweepRow]) -> list[tuple[Series, list[SweepRow]]]:
    """Return the rows of each series that has any; the network in the middle is in two."""
    parts = [
        (_SIZES, of_table(rows, 7)),
        (_WIDTHS, of_table(rows, 6)),
        (_FULL, [row for row in rows if row.body == "full"]),
        (_SHALLOW, [row for row in rows if row.body == "shallow"]),
        (_NARROW, [row for row in rows if (row.tables, row.body) == ("5", "separable")]),
    ]
    return [(series, found) for series, found in parts if found]


def _places(rows: Sequence[SweepRow], cost: Axis) -> dict[str, float]:
    """Return where each network is drawn; those of equal cost stand side by side."""
    millions = {row.network: getattr(row, cost) / 1e6 for row in sorted(rows, key=_by_cost)}
    taken: Counter[float] = Counter()
    places = {}
    for network, place in millions.items():
        places[network] = place * _ASIDE ** taken[place]
        taken[place] += 1
    return places


def _by_cost(row: SweepRow) -> tuple[int, int]:
    return row.parameters, row.mult_adds


def _prepare(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(length=0)


def _draw_seeds(
    axes: Axes, rows: Sequence[SweepRow], places: dict[str, float], how: Series
) -> None:
    for seed in {row.seed: None for row in rows}:
        runs = [row for row in rows if row.seed == seed]
        x, y = [places[row.network] for row in runs], [100 * row.accuracy for row in runs]
        axes.plot(x, y, color=how.colour, marker=how.mark, markersize=3, linewidth=0.7, alpha=0.35)


def _draw_means(
    axes: Axes, rows: Sequence[SweepRow], places: dict[str, float], how: Series
) -> None:
    networks = by_network(rows)
    x = [places[name] for name in networks]
    y = [statistics.mean(100 * row.accuracy for row in runs) for runs in networks.values()]
    axes.plot(x, y, color=how.colour, marker=how.mark, label=how.name, linewidth=1.8)
    if how.above is None:
        return
    for place, runs in zip(zip(x, y, strict=True), networks.values(), strict=True):
        words = f"α {runs[0].alpha:g}" if how.above else f"{runs[0].size} px"
        axes.annotate(
            words,
            place,
            (0, 7 if how.above else -8),
            textcoords="offset points",
            color=how.colour,
            fontsize=8,
            ha="center",
            va="bottom" if how.above else "top",
            rotation=0 if how.above else 90,  # sizes cost no parameters: they stand close
        )


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return re.sub(r"[ \t]+\n", "\n", buffer.getvalue())
