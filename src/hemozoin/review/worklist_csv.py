"""The worklist as a CSV: written for a person, and read when its answers are filled in.

    field,cell,x,y,width,height,p_parasitized,decision,stratum,probability,answer,reader,note

A person fills `answer`, and `reader` and `note` if they like; spreadsheets may save it with
semicolons, decimal commas and a byte-order mark. Everything else is compared with the slide's own
cells, so that an answer never goes to another cell.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import cast

import numpy as np

from hemozoin.csv_files import csv_line, read_csv
from hemozoin.errors import DataError
from hemozoin.files import remove_leftovers, replace_file
from hemozoin.review.found_cells import FoundCells
from hemozoin.review.reviews import ANSWERS, ROUNDING, Answer, Review
from hemozoin.review.worklist import WorklistRow, sizes, stratum

WORKLIST_COLUMNS = tuple(one.name for one in fields(WorklistRow))

#: The reader of an answer that names none.
UNNAMED = "unnamed"

_BOX = ("x", "y", "width", "height")

_AGAIN = "draw a new worklist and fill in the answers there"


def write_worklist(rows: Sequence[WorklistRow], path: Path) -> None:
    """Write a worklist, a CSV, after it was checked with `require_new_worklist`."""
    remove_leftovers(path.absolute().parent, path.name)
    replace_file(path, _as_csv(rows))


def require_new_worklist(rows: Sequence[WorklistRow], path: Path) -> None:
    """Raise DataError for a name that is not a CSV's, and where another file is.

    That file may have answers; the same worklist without answers may be written again.
    """
    if path.suffix.lower() != ".csv":
        raise DataError(f"{path}: does not end in .csv; give another --out")
    if path.exists() and not (path.is_file() and path.read_bytes() == _as_csv(rows).encode()):
        raise DataError(f"{path}: already exists, perhaps with answers; give another --out")


def _as_csv(rows: Sequence[WorklistRow]) -> str:
    return "".join([csv_line(WORKLIST_COLUMNS), *(csv_line(_plain(row)) for row in rows)])


def _plain(row: WorklistRow) -> Iterator[object]:
    for value in astuple(row):
        yield int(value) if isinstance(value, float) and value.is_integer() else value


def read_worklist(path: Path, cells: FoundCells) -> list[Review]:
    """Return the answers of a worklist of this slide, one for each cell and reader.

    Raises DataError where columns are missing, a row is not as it was drawn, an answer is unknown,
    a reader has given two answers for a cell, or there is no answer at all.
    """
    rows = [*_rows(path, cells)]
    _require_own_p(rows, cells)
    reviews: dict[tuple[str, int], Review] = {}
    for row in rows:
        review = row.review(len(cells))
        earlier = (
            reviews.setdefault((review.reader, row.index), review) if review.answer else review
        )
        if earlier.answer != review.answer:
            raise DataError(
                f"{row.where}: {review.reader} says {review.answer!r}, but {earlier.answer!r} in an"
                " earlier line for the same cell; keep one"
            )
    if not reviews:
        raise DataError(f"{path}: no answer is filled in; the answers are {', '.join(ANSWERS)}")
    return [*reviews.values()]


@dataclass(frozen=True)
class _Row:
    """A line of a worklist: where it is, its texts, and the index of its cell."""

    where: str
    texts: Mapping[str, str]
    index: int

    def number(self, name: str) -> float:
        """Return a number; raises DataError where there is none, or one that is not finite."""
        try:
            value = float(self.texts[name].replace(",", "."))
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            text = self.texts[name]
            raise DataError(f"{self.where}: {name} is {text!r:.30}, not a number")
        return value

    def review(self, cells: int) -> Review:
        """Return the review, of `cells` cells; its answer is empty where none is filled in."""
        answer = " ".join(
            self.texts["answer"].replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").split()
        )
        if answer.lower() not in ("", *ANSWERS):
            raise DataError(
                f"{self.where}: answer {answer!r:.40} is unknown; the answers are"
                f" {', '.join(ANSWERS)}"
            )
        x, y, width, height = (self.number(name) for name in _BOX)
        return Review(
            reader=self.texts["reader"] or UNNAMED,
            field=self.texts["field"],
            x=x,
            y=y,
            width=width,
            height=height,
            answer=cast("Answer", answer.lower()),
            note=self.texts["note"],
            p_parasitized=self.number("p_parasitized"),
            probability=self.number("probability"),
            cells=cells,
        )


def _rows(path: Path, cells: FoundCells) -> Iterator[_Row]:
    """Yield the lines of a worklist; raises DataError for one that fits no cell of the slide."""
    header, *lines = read_csv(path)
    missing = [name for name in WORKLIST_COLUMNS if name not in header]
    if missing:
        raise DataError(f"{path}: without the columns {', '.join(missing)}; is it a worklist?")
    names = zip(cells.fields, map(str, cells.numbers), strict=True)
    indices = {name: index for index, name in enumerate(names)}
    for number, line in enumerate(lines, 2):
        texts = dict.fromkeys(header, "") | dict(zip(header, line, strict=False))
        row = _Row(
            f"{path}, line {number}", texts, indices.get((texts["field"], texts["cell"]), -1)
        )
        _require_own_cell(row, cells)
        yield row


def _require_own_cell(row: _Row, cells: FoundCells) -> None:
    box = [row.number(name) for name in _BOX]
    if row.index < 0 or not np.allclose(box, cells.boxes[row.index], atol=0.01, rtol=0):
        raise DataError(
            f"{row.where}: {cells.slide:.60} has no such cell in {row.texts['field']:.60}; the"
            " worklist is of another slide, or the row was changed"
        )
    if row.texts["stratum"] != stratum(row.texts["decision"]):
        raise DataError(f"{row.where}: decision or stratum was changed; {_AGAIN}")
    if not 0 < row.number("probability") <= 1:
        raise DataError(f"{row.where}: probability is not in 0..1; {_AGAIN}")


def _require_own_p(rows: Sequence[_Row], cells: FoundCells) -> None:
    """Raise DataError where a p or a probability is not that of the draw.

    If every p is another one, another network has screened the slide since: then the draw is taken
    as it is.
    """
    index = [row.index for row in rows]
    p = np.array([row.number("p_parasitized") for row in rows])
    is_other = ~np.isclose(p, cells.p_parasitized[index], rtol=ROUNDING, atol=ROUNDING)
    if is_other.all():
        return
    if is_other.any():
        raise DataError(f"{rows[is_other.argmax()].where}: p_parasitized was changed; {_AGAIN}")
    chance = np.array([row.number("probability") for row in rows])
    size = sizes(cells.p_parasitized)[index]
    by_chance = chance < 1
    if not by_chance.any():
        return
    drawn = np.minimum(1, size * np.median((chance / size)[by_chance]))
    wrong = ~np.isclose(chance, drawn, rtol=10 * ROUNDING)
    if wrong.any():
        raise DataError(f"{rows[wrong.argmax()].where}: probability was changed; {_AGAIN}")
