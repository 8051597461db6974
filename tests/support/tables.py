"""Tables of cells for the tests, and the tables that commands have written."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from hemozoin.arrays import texts
from hemozoin.data.cells import Cells, LabelledCells

_Cells = TypeVar("_Cells", bound=LabelledCells)


def labelled_cells(
    labels: Iterable[str], patients: Iterable[str | None] | None = None
) -> LabelledCells:
    """Return cells with these labels; no patient is known unless some are given."""
    label = texts(labels)
    patient = texts([None] * len(label) if patients is None else patients)
    return LabelledCells(cell=texts(map(str, range(len(label)))), label=label, patient=patient)


def cells_of(rows: Sequence[tuple[str, str, str | None]]) -> Cells:
    """Return cells by name, label and patient; the file is in the folder of the label."""
    return Cells(
        cell=texts(cell for cell, _, _ in rows),
        label=texts(label for _, label, _ in rows),
        patient=texts(patient for _, _, patient in rows),
        file=texts(f"{label}/{cell}.png" for cell, label, _ in rows),
        size=np.ones(len(rows), np.int64),
        stamp=np.ones(len(rows), np.int64),
    )


def without_patients(cells: _Cells) -> _Cells:
    return replace(cells, patient=texts([None] * len(cells)))


def shuffled(cells: _Cells, seed: int) -> _Cells:
    return cells.select(np.random.default_rng(seed).permutation(len(cells)))


def columns_of(cells: LabelledCells) -> dict[str, list[object]]:
    """Return the columns as lists, which can be compared."""
    return {name: column.tolist() for name, column in cells.columns().items()}


def read_rows_of(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV by their titles."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read_columns_of(path: Path) -> dict[str, list[str]]:
    """Return the columns of a CSV by their titles."""
    rows = read_rows_of(path)
    return {title: [row[title] for row in rows] for title in rows[0]}
