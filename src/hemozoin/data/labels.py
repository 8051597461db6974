"""Label corrections: a list of cells whose label other experts found to be wrong.

About 5 % of NLM's labels are wrong (Fuhad et al. 2020, Diagnostics 10, 329). Metrics are therefore
given for the labels as given, for the corrected labels, and for the cells where both agree.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import polars as pl

from hemozoin.classes import PARASITIZED, UNINFECTED
from hemozoin.csv_files import read_csv
from hemozoin.data.index import match_cells
from hemozoin.errors import DataError

#: What training does with a cell whose label was corrected: use the new label, or omit the cell.
OnCorrection = Literal["relabel", "leave-out"]


def with_corrections(cells: pl.DataFrame, csv: Path) -> pl.DataFrame:
    """Add the column `corrected`: the label in `csv` where it names the cell, else its own.

    The CSV has the columns `cell` (name with or without extension) and `corrected_label`
    ("parasitized", "uninfected", or empty for a cell whose class is unclear: null in the table).
    Raises DataError for missing columns, other labels, a cell with two labels, or a list that
    names none of the cells.
    """
    given: dict[str, str | None] = {}
    names, labels = _read(csv)
    for cell, label in zip(match_cells(cells, names), labels, strict=True):
        if cell and given.setdefault(cell, label) != label:
            raise DataError(f"{csv}: {cell} is given two labels; keep one")
    if not given:
        raise DataError(f"{csv}: names none of these cells")
    corrected = pl.col("cell").replace_strict(
        given, default=pl.col("label"), return_dtype=pl.String
    )
    return cells.with_columns(corrected=corrected)


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


def training_labels(cells: pl.DataFrame, rule: OnCorrection) -> pl.DataFrame:
    """Return the cells to train on: with corrected labels, or without the corrected cells."""
    if rule == "leave-out":
        return cells.filter(pl.col("corrected") == pl.col("label"))
    return cells.filter(pl.col("corrected").is_not_null()).with_columns(label="corrected")
