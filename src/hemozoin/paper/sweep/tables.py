"""Tables 4 to 7 of the paper in its own form, with the results on cells.

Networks of the same seed are tested on the same patients, and patients differ more than networks
do. So each table also has the difference between a network and the table's first, seed by seed.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

import numpy as np

from hemozoin.paper.sweep.grid import TABLES
from hemozoin.paper.sweep.rows import SweepRow
from hemozoin.paper.tables import Table, paper_tables

_HEADER = (
    "| Network | n | Accuracy, % | Difference from the first, points | AUC | Million mult-adds |"
    " Million parameters | Training, s, median | Latency of one cell, ms, median |\n"
    "|---|---|---|---|---|---|---|---|---|"
)

#: The property that a table changes, for the sentence below it.
_CHANGED = {6: "width", 7: "input size"}


def markdown(rows: Sequence[SweepRow]) -> str:
    """Return the tables that have rows, as Markdown."""
    parts = [_table(number, of_table(rows, number)) for number in TABLES]
    return "\n\n".join(part for part in parts if part)


def of_table(rows: Iterable[SweepRow], number: int) -> list[SweepRow]:
    """Return the rows of a table, the most expensive network first, then by seed."""
    selected = [row for row in rows if str(number) in row.tables.split()]
    return sorted(selected, key=lambda row: (-row.mult_adds, row.network, row.seed))


def by_network(rows: Iterable[SweepRow]) -> dict[str, list[SweepRow]]:
    """Return the rows of each network, the networks in the order of their first rows."""
    grouped: dict[str, list[SweepRow]] = {}
    for row in rows:
        grouped.setdefault(row.network, []).append(row)
    return grouped


def mean_and_sd(values: Sequence[float], digits: int, sign: str = "") -> str:
    """Return "mean ± standard deviation" (n - 1), or only the mean of a single value."""
    mean = f"{round(statistics.mean(values), digits) + 0.0:{sign}.{digits}f}"  # never -0.00
    return f"{mean} ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else mean


def median_and_range(values: Sequence[float], digits: int) -> str:
    """Return "median (minimum to maximum)". Times have outliers from other work on the machine."""
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    shown = (statistics.median(values), min(values), max(values))
    return "{} ({} to {})".format(*(f"{value:.{digits}f}" for value in shown))


def points_per_doubling(rows: Iterable[SweepRow]) -> list[float]:
    """Return the percentage points of accuracy per doubling of mult-adds, one for each seed.

    It is the slope of the least-squares line through the seed's networks: accuracy in per cent
    over log2 of mult-adds. Seeds with fewer than two networks have none.
    """
    seeds: dict[int, list[SweepRow]] = {}
    for row in rows:
        seeds.setdefault(row.seed, []).append(row)
    points = [[(row.mult_adds, 100 * row.accuracy) for row in runs] for runs in seeds.values()]
    return [_slope(seed_points) for seed_points in points if len(seed_points) > 1]


def _slope(points: Sequence[tuple[float, float]]) -> float:
    mult_adds, accuracy = np.array(points).T
    return float(np.polyfit(np.log2(mult_adds), accuracy, 1)[0])


def _table(number: int, rows: list[SweepRow]) -> str:
    if not rows:
        return ""
    networks = by_network(rows)
    first = {row.seed: row.accuracy for row in next(iter(networks.values()))}
    lines = [_line(name, runs, first) for name, runs in networks.items()]
    title = f"**Table {number}. {TABLES[number]}**"
    return "\n".join([title, "", _HEADER, *lines, "", _paper_comparison(number, rows)])


def _line(name: str, runs: Sequence[SweepRow], first: dict[int, float]) -> str:
    differences = [100 * (row.accuracy - first[row.seed]) for row in runs if row.seed in first]
    is_first = all(row.accuracy == first.get(row.seed) for row in runs)
    cells = (
        name,
        str(len(runs)),
        mean_and_sd([100 * row.accuracy for row in runs], 2),
        mean_and_sd(differences, 2, "+") if differences and not is_first else "",
        mean_and_sd([row.auc for row in runs], 4),
        f"{runs[0].mult_adds / 1e6:.2f}",
        f"{runs[0].parameters / 1e6:.3f}",
        median_and_range([row.training_seconds for row in runs], 0),
        median_and_range([row.latency_ms for row in runs], 2),
    )
    return f"| {' | '.join(cells)} |"


def _paper_comparison(number: int, rows: list[SweepRow]) -> str:
    """Return the paper's results, and for widths and sizes the accuracy per doubling of cost."""
    table = next(table for table in paper_tables() if table.number == number)
    printed = "; ".join(
        f"{row.name} {row.entries[0].printed} % at {row.entries[1].printed} million"
        for row in table.rows
    )
    text = f"The paper's results on ImageNet: {printed}."
    points = points_per_doubling(rows)
    if number not in _CHANGED or not points:
        return text
    return (
        f"{text} Doubling the mult-adds by {_CHANGED[number]} changes accuracy by"
        f" {mean_and_sd(points, 2, '+')} points on cells and by"
        f" {_points_per_doubling_on_imagenet(table):+.2f} points on ImageNet."
    )


def _points_per_doubling_on_imagenet(table: Table) -> float:
    printed = [[float(entry.printed) for entry in row.entries[:2]] for row in table.rows]
    return _slope([(mult_adds, accuracy) for accuracy, mult_adds in printed])
