"""The red cells and clumps that `hemozoin screen` found on a slide, read from its folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hemozoin.arrays import Bools, Floats, texts
from hemozoin.csv_files import read_csv
from hemozoin.errors import DataError
from hemozoin.smear.output.folder import CELLS, CLUMPS, FIELDS, SLIDE, SLIDES
from hemozoin.smear.slides import MARK

#: The decision on a clump: there is none.
CLUMP = "clump"


@dataclass(frozen=True, eq=False)
class FoundCells:
    """The red cells of the fields that are counted, in the order of cells.csv; then the clumps.

    `fields`, `numbers` and `decisions` have one value a cell: the field's name, the number of the
    cell in it, and "parasitized", "uninfected", "review" or "clump". `boxes` is float `[N, 4]`, x,
    y, width and height in px; `p_parasitized` is float `[N]` in 0..1. `red_cells`, float `[N]`, is
    1 for a cell, and for a clump the number of cells with its area.
    """

    slide: str
    fields: tuple[str, ...]
    numbers: tuple[int, ...]
    boxes: Floats
    p_parasitized: Floats
    decisions: tuple[str, ...]
    red_cells: Floats

    def __len__(self) -> int:
        """Return the number of cells and clumps."""
        return len(self.fields)

    @property
    def is_clump(self) -> Bools:
        """Return which of them are clumps, bool `[N]`."""
        return np.asarray(texts(self.decisions) == CLUMP)


def read_found_cells(folder: Path) -> FoundCells:
    """Return the cells of a slide; raises DataError where `folder` is no screened slide's."""
    require_screened(folder)
    usable = {
        row[1] for row in _table(folder / FIELDS, ("slide", "field", "usable")) if row[2] == "true"
    }
    names = ("slide", "field", "cell", "x", "y", "width", "height", "p_parasitized")
    cells = [(*row, "1") for row in _table(folder / CELLS, (*names, "decision"))]
    if (folder / CLUMPS).is_file():
        clumps = _table(folder / CLUMPS, (*names, "red_cells"))
        cells += [(*row[:-1], CLUMP, row[-1]) for row in clumps]
    rows = [row for row in cells if row[1] in usable]
    try:
        numbers = np.array([(*row[3:8], row[9]) for row in rows], np.float64).reshape(-1, 6)
        in_field = tuple(int(row[2]) for row in rows)
    except ValueError as error:
        raise DataError(f"{folder}: not as hemozoin screen wrote it ({error})") from error
    return FoundCells(
        slide=rows[0][0] if rows else folder.name,
        fields=tuple(row[1] for row in rows),
        numbers=in_field,
        boxes=numbers[:, :4],
        p_parasitized=numbers[:, 4],
        decisions=tuple(row[8] for row in rows),
        red_cells=numbers[:, 5],
    )


def require_screened(folder: Path) -> None:
    """Raise DataError where a folder has no finished results of one slide."""
    if not folder.is_dir():
        raise DataError(
            f"{folder}: not a folder; give a slide's folder as hemozoin screen wrote it"
        )
    if all((folder / name).is_file() for name in (CELLS, FIELDS, SLIDE)):
        return
    if (folder / SLIDES).is_file():
        raise DataError(f"{folder}: has several slides; give the folder of one of them")
    if (folder / MARK).is_file():
        raise DataError(f"{folder}: not finished; run the same hemozoin screen again first")
    raise DataError(f"{folder}: not a slide's folder as hemozoin screen writes it")


def _table(path: Path, names: Sequence[str]) -> list[list[str]]:
    """Return the columns of these names, row by row."""
    header, *rows = read_csv(path)
    missing = [name for name in names if name not in header]
    if missing or any(len(row) != len(header) for row in rows):
        raise DataError(f"{path}: not as hemozoin screen wrote it; screen the slide again")
    columns = [header.index(name) for name in names]
    return [[row[column] for column in columns] for row in rows]
