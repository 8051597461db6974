"""A contact sheet: some cells of each class, from as many patients as there are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from hemozoin.data.inspect.findings import LABELS

#: Cells of each class on the sheet.
PER_CLASS = 40


@dataclass(frozen=True)
class Tile:
    """One cell on the sheet; `jpeg` is its picture, at most 128 px wide and high."""

    file: str
    label: str
    patient: str | None
    jpeg: bytes


def choose_cells(cells: pl.DataFrame, seed: int = 0) -> list[int]:
    """Return the rows of `PER_CLASS` cells of each class, or all where there are fewer.

    Every patient gives one cell before any gives a second; which one is drawn with `seed`.
    """
    rng = np.random.default_rng(seed)
    shuffled = cells.with_row_index("row")[rng.permutation(len(cells))]
    turn = pl.int_range(pl.len()).over("label", "patient")
    in_turn = shuffled.sort(turn, maintain_order=True)
    of_class = [in_turn.filter(pl.col("label") == label).head(PER_CLASS) for label in LABELS]
    return pl.concat(of_class)["row"].to_list()
