"""The report on one slide: one HTML page, with all its pictures inside.

    fields, one after another ── selection: the infected cells and the cells for review with the
                                 highest p, the fields with most infected cells, the table ── page

The size of the selection is limited, so a slide may have thousands of fields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

from hemozoin.classes import PARASITIZED
from hemozoin.decision.conformal import REVIEW
from hemozoin.files import read_regular_file
from hemozoin.reports import page as pages
from hemozoin.smear.counting.slide import OTHERS, Slide
from hemozoin.smear.field import Cell, Field
from hemozoin.smear.output import record_wording, wording
from hemozoin.smear.output.crops import read_crop
from hemozoin.smear.output.numbers import percent
from hemozoin.smear.output.top_k import TopK

#: Largest number of infected cells, of cells for review, and of overlays on the page.
INFECTED, REVIEWED, OVERLAYS = 200, 100, 12

#: Largest number of fields in the table, and in the list of fields that were not counted.
ROWS, FAILED = 1000, 50


@dataclass(frozen=True)
class _Tile:
    """A cell in a gallery; `crops` is the zip with its picture."""

    field: str
    cell: Cell
    link: str | None
    crops: Path

    @cached_property
    def picture(self) -> bytes | None:
        """Return the cell's JPEG, read on first use; None if it is missing or damaged."""
        return read_crop(self.crops, self.cell.cell)


@dataclass(frozen=True)
class _Row:
    """A field in the table, without its outlines."""

    field: str
    red_cells: int
    infected: int
    review: int
    flaws: tuple[str, ...]
    error: str | None
    overlay: Path | None

    @property
    def link(self) -> str | None:
        """Return the overlay's address relative to the report, which is one folder above it."""
        if self.overlay is None:
            return None
        return quote(f"{self.overlay.parent.name}/{self.overlay.name}")


class ReportSelection:
    """The fields and cells of a slide that its report shows."""

    def __init__(self) -> None:
        self.infected: TopK[_Tile] = TopK(INFECTED)
        self.review: TopK[_Tile] = TopK(REVIEWED)
        self.overlays: TopK[tuple[_Row, Path]] = TopK(OVERLAYS)
        self.rows: list[_Row] = []
        self.failed: list[_Row] = []
        self.fields = 0

    def add(self, field: Field, overlay: Path | None, crops: Path) -> None:
        """Add one more field, the JPEG with its outlines, and the zip with crops of its cells.

        Cells are selected only from fields that are counted. No picture is read here.
        """
        row = _row(field, overlay)
        self.fields += 1
        if len(self.rows) < ROWS:
            self.rows.append(row)
        if field.usable:
            self._add_cells(field, row.link, crops)
        elif len(self.failed) < FAILED:
            self.failed.append(row)
        if overlay:
            self.overlays.add((field.usable, row.infected, row.red_cells), (row, overlay))

    def _add_cells(self, field: Field, link: str | None, crops: Path) -> None:
        galleries = {PARASITIZED: self.infected, REVIEW: self.review}
        for cell in field.cells:
            if cell.decision in galleries:
                tile = _Tile(field.field, cell, link, crops)
                galleries[cell.decision].add((cell.p_parasitized,), tile)


def _row(field: Field, overlay: Path | None) -> _Row:
    repeated = [] if field.same_as is None else [f"the same picture as {field.same_as}"]
    return _Row(
        field=field.field,
        red_cells=len(field.cells),
        infected=field.infected,
        review=field.review,
        flaws=(*map(str, field.flaws), *repeated),
        error=field.error and field.error.removeprefix(f"{field.field}: "),
        overlay=overlay,
    )


def render_report(
    slide: Slide,
    selection: ReportSelection,
    about: Mapping[str, str],
    answers: Mapping[tuple[str, int], str] = {},
) -> str:
    """Return the page as HTML; `answers` are those of people, by field and number of the cell.

    `about` has what the count depends on, with a name for each line: model, digest, version,
    settings. Pictures are read here. A cell without its picture is shown as "no picture"; a field
    without its overlay is left out.
    """
    return pages.render(
        "smear/output/report.html",
        _FILTERS,
        slide=slide,
        record=record_wording.record_facts(slide),
        compared=record_wording.comparison(slide),
        result=wording.result(slide),
        note=wording.note(slide),
        bar=_bar(slide),
        tiles=_tiles(slide),
        not_counted=wording.fields_not_counted(slide),
        calculation=list(wording.calculation(slide)),
        limitations=list(wording.limitations(slide)),
        no_diagnosis=wording.NO_DIAGNOSIS,
        selection=selection,
        answers=answers,
        overlays=list(_embedded(selection.overlays.highest())),
        about=about,
    )


_FILTERS: dict[str, Callable[..., str]] = {
    "uri": pages.data_uri,
    "percent": percent,
    "many": "{:,}".format,
    "unbroken": wording.unbroken,
}


def _tiles(slide: Slide) -> list[tuple[str, int]]:
    return [
        ("red cells counted", slide.red_cells),
        ("called infected", slide.infected),
        ("for review", slide.review),
        ("fields counted", slide.fields),
        *((name.replace("_", " "), slide.others[kind]) for kind, name in OTHERS.items()),
    ]


@dataclass(frozen=True)
class _Bar:
    """The interval on a line from 0 to `end`, all shares in 0..1; `limit` may be None."""

    low: float
    value: float
    high: float
    limit: float | None
    end: float


def _bar(slide: Slide) -> _Bar | None:
    """Return the parasitaemia and the reportable limit; None where there is none."""
    share = slide.estimate
    if share is None:
        return None
    limit = None if slide.settled else slide.reportable_parasitaemia
    end = min(1.0, 1.15 * max(share.high, limit or 0))
    return _Bar(share.low, share.value, share.high, limit, end)


def _embedded(overlays: Iterable[tuple[_Row, Path]]) -> Iterator[tuple[_Row, bytes]]:
    for row, path in overlays:
        with suppress(OSError):
            yield row, read_regular_file(path)
