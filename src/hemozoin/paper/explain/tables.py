"""The paper's tables for a terminal: each number as printed, and the count next to it."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from hemozoin.paper.tables import Table, TableEntry

#: Shown with the tables, in a terminal and on the page.
SOURCE = (
    "Printed: Howard et al. 2017, arXiv 1704.04861. Counted: computed here from Table 1. "
    "The ImageNet accuracies are the paper's; they were not measured again."
)


def tables_text(tables: tuple[Table, ...]) -> RenderableType:
    """Return the tables one below the other. Numbers that differ are marked ≠ and explained."""
    return Group(*(part for table in tables for part in (_table_text(table), "")), Text(SOURCE))


def counted_text(entry: TableEntry) -> str:
    """Write a count with two decimals more than printed; "" where there is no count."""
    if entry.counted is None or isinstance(entry.counted, str):
        return entry.counted or ""
    decimals = len(entry.printed.partition(".")[2])
    return f"{entry.counted:,.{decimals + 2}f}"


def _table_text(table: Table) -> RenderableType:
    grid = Grid(box=None, padding=(0, 2, 0, 0), header_style="dim")
    grid.add_column("", no_wrap=True)
    for column, entry in zip(table.columns, table.rows[0].entries, strict=True):
        grid.add_column(column, justify="left" if isinstance(entry.counted, str) else "right")
        if isinstance(entry.counted, float):
            grid.add_column("counted", justify="right")
    for row in table.rows:
        cells = (cell for entry in row.entries for cell in _cells(entry))
        grid.add_row(row.name, *cells, style="" if row.agrees else "bold red")
    notes = [
        Padding(Text(f"≠ {row.name}: {row.note}"), (0, 0, 0, 2)) for row in table.rows if row.note
    ]
    notes += [Padding(Text(table.note), (0, 0, 0, 2))] if table.note else []
    return Group(Text(f"Table {table.number}. {table.title}", style="bold"), grid, *notes)


def _cells(entry: TableEntry) -> list[str]:
    if entry.counted is None:
        return [entry.printed]
    if isinstance(entry.counted, str):
        return [entry.printed if entry.agrees else f"{entry.printed} ≠ {entry.counted}"]
    return [entry.printed, counted_text(entry) if entry.agrees else f"≠ {counted_text(entry)}"]
