"""The contact sheet: example cells of each class, from as many patients as possible."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from hemozoin.data.cells import LabelledCells
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


def choose_cells(cells: LabelledCells, seed: int = 0) -> list[int]:
    """Return the row numbers of `PER_CLASS` random cells of each class, or of all cells if fewer.

    A patient gets a second cell only after each patient has one, and so on.
    """
    shuffled = np.random.default_rng(seed).permutation(len(cells)).tolist()
    chosen: Counter[tuple[str, str | None]] = Counter()
    number_of_patient = {}
    for row in shuffled:
        owner = cells.label[row], cells.patient[row]
        number_of_patient[row] = chosen[owner]
        chosen[owner] += 1
    ordered = sorted(shuffled, key=number_of_patient.__getitem__)
    of_class = ([row for row in ordered if cells.label[row] == label] for label in LABELS)
    return [row for rows in of_class for row in rows[:PER_CLASS]]
