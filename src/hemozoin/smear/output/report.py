"""The report on one slide: one HTML page that needs nothing but itself.

    fields, one after another ── kept: the cells surest to be infected, those for review,
                                 the fields with most infected cells, the table ── page

What is kept is bounded, so a slide may have thousands of fields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from hemozoin.classes import PARASITIZED
from hemozoin.decision.conformal import REVIEW
from hemozoin.reports import page as pages
from hemozoin.smear.counting.slide import OTHERS, Slide
from hemozoin.smear.field import Cell, Field
from hemozoin.smear.output import wording
from hemozoin.smear.output.top_k import TopK

#: What the page holds at most: infected cells, cells for review, overlays.
INFECTED, REVIEWED, OVERLAYS = 200, 100, 12

#: Fields in the table at most, and fields above it that were left out.
ROWS, FAILED = 1000, 50


@dataclass(frozen=True)
class FieldWithPictures:
    """A field and its pictures: `overlay` a JPEG beside the report or None, `pictures` JPEGs.

    `pictures` holds those of infected cells and of cells for review, by the number of the cell.
    """

    field: Field
    overlay: Path | None
    pictures: Mapping[int, bytes]


@dataclass(frozen=True)
class _Tile:
    """A cell in a gallery."""

    field: str
    cell: Cell
    picture: bytes | None
    link: str | None


@dataclass(frozen=True)
class _Row:
    """A field in the table: what it holds, without its outlines."""

    field: str
    red_cells: int
    infected: int
    review: int
    flaws: tuple[str, ...]
    error: str | None
    overlay: Path | None

    @property
    def link(self) -> str | None:
        """Return the overlay's address as seen from the report, in the folder above its own."""
        if self.overlay is None:
            return None
        return quote(f"{self.overlay.parent.name}/{self.overlay.name}")


class _Kept:
    """What the page shows of the fields that went by."""

    def __init__(self) -> None:
        self.infected: TopK[_Tile] = TopK(INFECTED)
        self.review: TopK[_Tile] = TopK(REVIEWED)
        self.overlays: TopK[tuple[_Row, Path]] = TopK(OVERLAYS)
        self.rows: list[_Row] = []
        self.failed: list[_Row] = []
        self.fields = 0

    def add(self, shown: FieldWithPictures) -> None:
        """Keep of a field what is among the most; cells only where they are counted."""
        row = _row(shown)
        self.fields += 1
        if len(self.rows) < ROWS:
            self.rows.append(row)
        if not shown.field.usable:
            if len(self.failed) < FAILED:
                self.failed.append(row)
        else:
            self._add_cells(shown, row.link)
        if shown.overlay:
            rank = (shown.field.usable, row.infected, row.red_cells)
            self.overlays.add(rank, (row, shown.overlay))

    def _add_cells(self, shown: FieldWithPictures, link: str | None) -> None:
        galleries = {PARASITIZED: self.infected, REVIEW: self.review}
        for cell in shown.field.cells:
            if cell.decision in galleries:
                tile = _Tile(shown.field.field, cell, shown.pictures.get(cell.cell), link)
                galleries[cell.decision].add((cell.p_parasitized,), tile)


def _row(shown: FieldWithPictures) -> _Row:
    found = shown.field
    return _Row(
        field=found.field,
        red_cells=len(found.cells),
        infected=found.infected,
        review=found.review,
        flaws=tuple(map(str, found.flaws)),
        error=found.error and found.error.removeprefix(f"{found.field}: "),
        overlay=shown.overlay,
    )


def render_report(
    slide: Slide, shown: Iterable[FieldWithPictures], about: Mapping[str, str]
) -> str:
    """Return the page as HTML; goes through `shown` once and holds what the page shows.

    `about` says what the count rests on, line by line: model, digest, version, settings.
    Overlays are read when the page is made; one that is gone is left out.
    """
    kept = _Kept()
    for one in shown:
        kept.add(one)
    return pages.render(
        "smear/output/report.html",
        _FILTERS,
        slide=slide,
        finding=wording.finding(slide),
        bar=_bar(slide),
        tiles=_tiles(slide),
        left_out=wording.fields_left_out(slide),
        arithmetic=list(wording.arithmetic(slide)),
        shows=list(wording.what_it_shows(slide)),
        disclaimer=wording.DISCLAIMER,
        kept=kept,
        overlays=list(_embedded(kept.overlays.most())),
        about=about,
    )


_FILTERS: dict[str, Callable[..., str]] = {
    "uri": pages.data_uri,
    "percent": wording.percent,
    "many": "{:,}".format,
    "unbroken": lambda text: text.replace(" %", "\N{NO-BREAK SPACE}%").replace(
        "/µ", "/\N{WORD JOINER}µ"
    ),
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
    """The interval on a line from 0 to `end`, each a share in 0..1; `limit` may be None."""

    low: float
    value: float
    high: float
    limit: float | None
    end: float


def _bar(slide: Slide) -> _Bar | None:
    """Return the compensated parasitaemia beside the reportable limit."""
    found = slide.parasitaemia
    if found is None or found.compensated is None:
        return None
    share = found.compensated
    end = min(1.0, 1.15 * max(share.high, slide.least or 0))
    return _Bar(share.low, share.value, share.high, slide.least, end)


def _embedded(overlays: Iterable[tuple[_Row, Path]]) -> Iterator[tuple[_Row, bytes]]:
    for row, path in overlays:
        with suppress(OSError):
            yield row, path.read_bytes()
