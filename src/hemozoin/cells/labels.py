"""Second opinions: a list of cells whose label others judged to be wrong.

About 5 % of NLM's labels are (Fuhad et al. 2020, Diagnostics 10, 329), so figures are shown
on the labels as given, as corrected, and on the cells where both agree.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import polars as pl

from hemozoin.cells.index import PARASITIZED, UNINFECTED
from hemozoin.errors import DataError

#: What training does with a corrected cell.
OnCorrection = Literal["relabel", "leave-out"]


def with_corrections(cells: pl.DataFrame, csv: Path) -> pl.DataFrame:
    """Add the column `corrected`: the label in `csv` where it names the cell, else its own.

    The CSV has the columns `cell` (name without ending) and `corrected_label`
    ("parasitized" or "uninfected", or empty for a cell that can't be told: null here).
    Raises DataError for missing columns, other labels, or a list that names none of the cells.
    """
    try:
        table = pl.read_csv(csv, infer_schema=False)
        table = table.select("cell", given=pl.col("corrected_label").replace("", None), named=True)
    except pl.exceptions.ColumnNotFoundError as error:
        raise DataError(f"{csv}: needs the columns cell and corrected_label") from error
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{csv}: not a readable CSV ({str(error).splitlines()[0]})") from error
    strange = set(table["given"].drop_nulls()) - {PARASITIZED, UNINFECTED}
    if strange:
        raise DataError(f"{csv}: unknown label {min(strange)!r}; use {PARASITIZED}, {UNINFECTED}")
    joined = cells.join(table.unique("cell"), on="cell", how="left", maintain_order="left")
    if joined["named"].null_count() == len(joined):
        raise DataError(f"{csv}: names none of these cells")
    corrected = pl.when(pl.col("named").is_null()).then("label").otherwise("given")
    return joined.with_columns(corrected=corrected).drop("given", "named")


def training_labels(cells: pl.DataFrame, rule: OnCorrection) -> pl.DataFrame:
    """Return the cells to learn from, their `label` relabelled or the doubtful ones left out."""
    if rule == "leave-out":
        return cells.filter(pl.col("corrected") == pl.col("label"))
    return cells.filter(pl.col("corrected").is_not_null()).with_columns(label="corrected")
