"""Label corrections: a list of cells whose label other experts found to be wrong.

About 5 % of NLM's labels are wrong (Fuhad et al. 2020, Diagnostics 10, 329). Metrics are therefore
given for the labels as given, for the corrected labels, and for the cells where both agree.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from hemozoin.arrays import texts
from hemozoin.classes import PARASITIZED, UNINFECTED
from hemozoin.csv_files import read_csv
from hemozoin.data.cells import Cells, is_known
from hemozoin.data.index import match_cells
from hemozoin.data.options import OnCorrection
from hemozoin.errors import DataError
from hemozoin.progress import print_status

_Cells = TypeVar("_Cells", bound=Cells)


def with_corrections(cells: Cells, csv: Path) -> Cells:
    """Add the column `corrected`: the label in `csv` where it names the cell, else its own.

    The CSV has the columns `cell` (name with or without extension) and `corrected_label`
    ("parasitized", "uninfected", or empty for a cell whose class is unclear: None in the table).
    Raises DataError for missing columns, other labels, a cell with two labels, or a list that
    names none of the cells.
    """
    given: dict[str, str | None] = {}
    names, labels = _read(csv)
    named = match_cells(cells, names)
    for cell, label in zip(named, labels, strict=True):
        if cell and given.setdefault(cell, label) != label:
            raise DataError(f"{csv}: {cell} is given two labels; keep one")
    if not given:
        raise DataError(f"{csv}: names none of these cells")
    if None in named:
        matched = len(named) - named.count(None)
        print_status(f"{csv.name}: {matched:,} of {len(named):,} lines name one of these cells")
    pairs = zip(cells.cell, cells.label, strict=True)
    return replace(cells, corrected=texts(given.get(cell, label) for cell, label in pairs))


def _read(csv: Path) -> tuple[list[str], list[str | None]]:
    titles, *rows = read_csv(csv)
    if not {"cell", "corrected_label"} <= set(titles):
        raise DataError(f"{csv}: needs the columns cell and corrected_label")
    lines = [dict(zip(titles, row, strict=False)) for row in rows]
    labels = [line.get("corrected_label", "").lower() or None for line in lines]
    unknown = set(labels) - {PARASITIZED, UNINFECTED, None}
    if unknown:
        raise DataError(
            f"{csv}: unknown label {min(unknown, key=str)!r}; use {PARASITIZED}, {UNINFECTED}"
        )
    return [line["cell"] for line in lines], labels


def training_labels(cells: _Cells, rule: OnCorrection) -> _Cells:
    """Return the cells to train on: with corrected labels, or without the corrected cells.

    Without a list of corrections, or to keep the labels as given, these are all cells.
    """
    if cells.corrected is None or rule == "keep":
        return cells
    if rule == "leave-out":
        return cells.select(cells.corrected == cells.label)
    relabelled = replace(cells, label=cells.corrected)
    return relabelled.select(is_known(cells.corrected))
