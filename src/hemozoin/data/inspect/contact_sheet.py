"""The contact sheet: example cells of each class, from as many patients as possible."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from hemozoin.data.inspect.findings import LABELS

#: Number of cells of each class on the sheet.
PER_CLASS = 40


@dataclass(frozen=True)
class Tile:
    """A cell on the sheet; `jpeg` is its picture, at most 128 px wide and high."""

    file: str
    label: str
    patient: str | None
    jpeg: bytes


def choose_cells(cells: pl.DataFrame, seed: int = 0) -> list[int]:
    """Return the row numbers of `PER_CLASS` random cells of each class, or of all cells if fewer.

    A patient gets a second cell only after each patient has one, and so on.
    """
    rng = np.random.default_rng(seed)
    shuffled = cells.with_row_index("row")[rng.permutation(len(cells))]
    number_of_patient = pl.int_range(pl.len()).over("label", "patient")
    ordered = shuffled.sort(number_of_patient, maintain_order=True)
    of_class = [ordered.filter(pl.col("label") == label).head(PER_CLASS) for label in LABELS]
    return pl.concat(of_class)["row"].to_list()
