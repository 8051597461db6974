"""Second opinions: a list of cells whose label others judged to be wrong.

About 5 % of NLM's labels are (Fuhad et al. 2020, Diagnostics 10, 329), so figures are shown
on the labels as given, as corrected, and on the cells where both agree.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import polars as pl

from hemozoin.classes import PARASITIZED, UNINFECTED
from hemozoin.data.index import match_cells, read_csv
from hemozoin.errors import DataError

#: What training does with a corrected cell.
OnCorrection = Literal["relabel", "leave-out"]


def with_corrections(cells: pl.DataFrame, csv: Path) -> pl.DataFrame:
    """Add the column `corrected`: the label in `csv` where it names the cell, else its own.

    The CSV has the columns `cell` (name with or without ending) and `corrected_label`
    ("parasitized" or "uninfected", or empty for a cell that can't be told: null here).
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
    strange = set(labels) - {PARASITIZED, UNINFECTED, None}
    if strange:
        raise DataError(
            f"{csv}: unknown label {min(strange, key=str)!r}; use {PARASITIZED}, {UNINFECTED}"
        )
    return [line["cell"] for line in lines], labels


def training_labels(cells: pl.DataFrame, rule: OnCorrection) -> pl.DataFrame:
    """Return the cells to learn from, their `label` relabelled or the doubtful ones left out."""
    if rule == "leave-out":
        return cells.filter(pl.col("corrected") == pl.col("label"))
    return cells.filter(pl.col("corrected").is_not_null()).with_columns(label="corrected")
