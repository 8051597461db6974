"""A page with the cells of a worklist, in its order: what a person looks at while answering.

It shows each cell with its surroundings and its number, and not what the network says, so that the
answers don't follow it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from hemozoin.errors import DataError
from hemozoin.reports import page as pages
from hemozoin.review.field_pictures import read_field
from hemozoin.review.worklist import WorklistRow
from hemozoin.smear.output.folder import SlideFolder
from hemozoin.smear.output.overlay import crop_cell

#: Most cells on a page: more would take a browser too long.
_MOST_CELLS = 2000


@dataclass(frozen=True)
class _WorklistCell:
    """A cell on the page: its field, its number there, its line in the worklist, its JPEG."""

    field: str
    cell: int
    line: int
    jpeg: bytes


def render_worklist_page(rows: Sequence[WorklistRow], folder: Path, worklist: str) -> str:
    """Return the page as HTML; `folder` is the slide's, `worklist` the name of the CSV.

    Raises DataError for more than 2,000 cells, and where a picture of the slide is gone.
    """
    if len(rows) > _MOST_CELLS:
        raise DataError(f"{len(rows):,} cells are more than the {_MOST_CELLS:,} of a page")
    cells = list(_worklist_cells(rows, SlideFolder(folder)))
    filters = {"uri": pages.data_uri}
    return pages.render("review/worklist.html", filters, cells=cells, worklist=worklist)


def _worklist_cells(rows: Sequence[WorklistRow], folder: SlideFolder) -> Iterator[_WorklistCell]:
    lines = enumerate(rows, 2)  # the first line is the header
    for name, group in groupby(lines, key=lambda pair: pair[1].field):
        field, picture = read_field(folder, name)
        found = {cell.cell: cell for cell in field.cells} | dict(field.clumps())
        for line, row in group:
            yield _WorklistCell(name, row.cell, line, crop_cell(picture, found[row.cell]))
