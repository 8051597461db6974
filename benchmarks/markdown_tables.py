"""Markdown tables, and the numbers and sentences in them, from the rows of a results file."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

#: Rows of a results file: a dictionary for each, by column.
Rows = list[dict[str, str]]


def table(columns: Sequence[str], lines: Iterable[Sequence[object]], note: str) -> str:
    """Return a Markdown table with a title for each column, and a note below it."""
    titles, rule = f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"
    shown = [f"| {' | '.join(map(str, line))} |" for line in lines]
    return "\n".join([titles, rule, *shown, "", note])


def groups(rows: Rows, *columns: str) -> dict[tuple[str, ...], Rows]:
    """Return the rows that agree in these columns, by their values, in the order of the file."""
    found: dict[tuple[str, ...], Rows] = {}
    for row in rows:
        found.setdefault(tuple(row[column] for column in columns), []).append(row)
    return found


def spreads(rows: Rows, columns: Iterable[str], digits: int = 4) -> list[str]:
    """Return "mean ± standard deviation" of each column; of a single row, its value."""
    return [spread([float(row[column]) for row in rows], digits) for column in columns]


def spread(values: Sequence[float], digits: int) -> str:
    """Return "mean ± standard deviation" (n - 1); of a single value, the value."""
    shown = f"{statistics.mean(values):.{digits}f}"
    if len(values) > 1:
        shown += f" ± {statistics.stdev(values):.{digits}f}"
    return shown


def median_and_range(values: Sequence[float], digits: int) -> str:
    """Return "median (min to max)"."""
    shown = (statistics.median(values), min(values), max(values))
    return "{} ({} to {})".format(*(f"{value:,.{digits}f}" for value in shown))


def interval(row: dict[str, str], column: str) -> str:
    """Return "value (low to high)" from a column and its two neighbours `_low` and `_high`."""
    return f"{float(row[column]):.3f} ({row[f'{column}_low']} to {row[f'{column}_high']})"


def share(value: str, digits: int = 0) -> str:
    """Return a share of 0 to 1 in per cent."""
    return f"{float(value):.{digits}%}"


def splits_and_machine(rows: Rows) -> str:
    """Return the note below a table of runs: what ± is, the number of test cells, the machine."""
    cells = [int(row["cells"]) for row in rows]
    patients = [int(row["patients"]) for row in rows]
    return (
        f"Mean ± standard deviation over n splits by patient; {min(cells):,} to {max(cells):,} test"
        f" cells of {min(patients)} to {max(patients)} patients each. {machine(rows)}"
    )


def variants_and_machine(rows: Rows) -> str:
    """Return the note below a table of variants that were tested on the same splits."""
    return (
        "Mean ± standard deviation over n splits by patient, mostly between the splits: the"
        f" variants of a split share its patients. {machine(rows)}"
    )


def machine(rows: Rows) -> str:
    """Return the machine and the versions of the last row, as a sentence."""
    last = rows[-1]
    return (
        f"{last['cores']} cores ({last['machine']}), no GPU, torch {last['torch']},"
        f" hemozoin {last['hemozoin']}."
    )
