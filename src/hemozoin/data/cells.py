"""The tables of cells: one row per cell, one array `[cells]` per column.

LabelledCells    what metrics and decisions need
└── Cells        the files of a data set
    ├── SplitCells      with the part of the split that each cell is in
    └── MeasuredCells   with sizes and colours (`data.inspect.measurement`)
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np

from hemozoin.arrays import Array, Bools, Ints, Texts


def is_known(column: Texts) -> Bools:
    """Return where a column has a text, bool `[N]`."""
    return np.array([value is not None for value in column], np.bool_)


@dataclass(frozen=True, eq=False, kw_only=True)
class LabelledCells:
    """The name, class and patient of each cell.

    Raises ValueError where the columns differ in length: this is a bug in the calling code.
    """

    #: The name of the cell, which no other cell has.
    cell: Texts
    #: "parasitized" or "uninfected".
    label: Texts
    #: None where the patient is not known.
    patient: Texts
    #: The corrected label, None where the class is unclear. There is no such column without a
    #: list of corrections.
    corrected: Texts | None = None

    def __post_init__(self) -> None:
        """Check the lengths."""
        if len({column.shape for column in self.columns().values()}) > 1:
            raise ValueError("the columns differ in length")

    def __len__(self) -> int:
        """Return the number of cells."""
        return len(self.cell)

    def select(self, rows: Bools | Ints) -> Self:
        """Return the cells of a mask `[cells]`, or of row numbers, in their order."""
        return replace(self, **{name: column[rows] for name, column in self.columns().items()})

    def columns(self) -> dict[str, Array]:
        """Return the columns by name."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: column for name, column in named.items() if column is not None}


@dataclass(frozen=True, eq=False, kw_only=True)
class Cells(LabelledCells):
    """The cells of a data set, with the file of each."""

    #: The path inside the source, with forward slashes.
    file: Texts
    #: Length and stamp of the file, as in `data.source.Entry`.
    size: Ints
    stamp: Ints


@dataclass(frozen=True, eq=False, kw_only=True)
class SplitCells(Cells):
    """The cells of a data set that was split."""

    #: "train", "validation" or "test".
    split: Texts
    #: The row of the cell in the table that was split, and so in the pixels of its store.
    row: Ints

    def part(self, split: str) -> SplitCells:
        """Return the cells of one part of the split."""
        return self.select(self.split == split)
