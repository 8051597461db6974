"""A field and its cells as pictures for people, each decision shown by its outline."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from PIL import Image, ImageDraw, ImageFont

from hemozoin.classes import PARASITIZED, UNINFECTED
from hemozoin.decision.conformal import REVIEW
from hemozoin.smear.field import Cell, Field, ObjectKind, SmearObject

#: Longer side of an overlay at most, in px: a screen shows no more, and a report holds a dozen.
MAX_SIDE = 1600

#: Side of a cell's picture at most, in px, and how much of its surroundings it shows.
CELL_SIDE, CONTEXT = 176, 1.6

#: Height of the legend's strip and of its letters, in px.
_STRIP, _LETTER = 30, 15

_PAPER, _INK = "#fffefd", "#241d29"


@dataclass(frozen=True)
class _Style:
    """How an outline is drawn; `width` is in parts of 1/30 of a red cell's diameter."""

    ink: str
    width: float
    casing: str | None = None
    tag_ink: str = "white"


#: Vermilion, yellow and bluish green of Okabe & Ito 2008 (jfly.uni-koeln.de/color), which the
#: colour blind can tell apart; and they differ in width.
STYLES: dict[str, _Style] = {
    PARASITIZED: _Style("#d55e00", 2.2, "white"),
    REVIEW: _Style("#f0e442", 1.1, _INK, _INK),
    UNINFECTED: _Style("#009e73", 0.9),
}

_OTHER = _Style("#6d6472", 0.9)

#: What an uncounted body is, in a letter; debris and what is cut by the edge need none.
_TAGS: dict[ObjectKind, str] = {"white cell": "w", "platelet": "p", "clump": "c"}

#: What the outlines mean, and where there is room for it, the letters.
_LEGEND: tuple[tuple[_Style | None, str], ...] = (
    (STYLES[PARASITIZED], "infected"),
    (STYLES[REVIEW], "for review"),
    (STYLES[UNINFECTED], "uninfected"),
    (_OTHER, "not counted"),
    (None, ", ".join(f"{letter} {kind}" for kind, letter in _TAGS.items())),
)


def draw_overlay(picture: Image.Image, field: Field) -> bytes:
    """Return the field's picture (RGB) with every outline on it, as a JPEG.

    Infected cells and those for review have their number. Below is a strip that says which is
    which. A picture of more than MAX_SIDE px is drawn smaller.
    """
    scale = min(1.0, MAX_SIDE / max(picture.size))
    width, height = (max(1, round(side * scale)) for side in picture.size)
    sheet = Image.new("RGB", (width, height + _STRIP), _PAPER)
    sheet.paste(picture if scale == 1 else picture.resize((width, height)), (0, 0))
    pen = _Pen(ImageDraw.Draw(sheet), scale, (field.diameter or 60) * scale / 30)
    marked = [*_others(field), *_boldest_last(field.cells)]
    for body, style, _ in marked:
        pen.outline(body, style)
    for body, style, tag in marked:
        pen.tag(body, tag, style)
    _legend(pen.draw, height, width)
    return _jpeg(sheet, 82)


def cell_picture(picture: Image.Image, cell: SmearObject) -> bytes:
    """Return a cell with what lies around it, a square as far as the picture goes, as a JPEG."""
    side = CONTEXT * max(cell.width, cell.height)
    box = (
        *_span(cell.x + cell.width / 2, side, picture.width),
        *_span(cell.y + cell.height / 2, side, picture.height),
    )
    crop = picture.crop((box[0], box[2], box[1], box[3]))
    crop.thumbnail((CELL_SIDE, CELL_SIDE))
    return _jpeg(crop, 88)


def _span(middle: float, side: float, limit: int) -> tuple[int, int]:
    """Return where a crop begins and ends, moved so that it lies inside the picture."""
    length = min(max(1, round(side)), limit)
    start = min(max(0, round(middle - length / 2)), limit - length)
    return start, start + length


def _others(field: Field) -> Iterator[tuple[SmearObject, _Style, str]]:
    return ((body, _OTHER, _TAGS.get(body.kind, "")) for body in field.others)


def _boldest_last(cells: Iterable[Cell]) -> Iterator[tuple[SmearObject, _Style, str]]:
    order = (UNINFECTED, REVIEW, PARASITIZED)
    for cell in sorted(cells, key=lambda cell: order.index(cell.decision)):
        tag = "" if cell.decision == UNINFECTED else str(cell.cell)
        yield cell, STYLES[cell.decision], tag


@dataclass(frozen=True)
class _Pen:
    """Draws on a picture that is `scale` of the field's, with lines of `unit` px."""

    draw: ImageDraw.ImageDraw
    scale: float
    unit: float

    def outline(self, body: SmearObject, style: _Style) -> None:
        if len(body.outline) < 2:
            return
        corners = [(x * self.scale, y * self.scale) for x, y in body.outline]
        corners.append(corners[0])
        width = max(1, round(style.width * self.unit))
        if style.casing:
            self.draw.line(corners, style.casing, width + 2)
        self.draw.line(corners, style.ink, width)

    def tag(self, body: SmearObject, text: str, style: _Style) -> None:
        """Write on the upper left corner of a body's box."""
        if text:
            font = _font(min(max(11, round(7 * self.unit)), 22))
            at = body.x * self.scale, max(body.y * self.scale, font.size)
            left, top, right, bottom = self.draw.textbbox(at, text, font, "ls")
            self.draw.rectangle((left - 3, top - 2, right + 2, bottom + 2), style.ink)
            self.draw.text(at, text, style.tag_ink, font, "ls")


def _legend(pen: ImageDraw.ImageDraw, top: int, width: int) -> None:
    x, middle, font = 10.0, top + _STRIP // 2, _font(_LETTER)
    for style, says in _LEGEND:
        room = 28 if style else 0
        if x + room + font.getlength(says) > width:
            return
        if style:
            pen.line((x, middle, x + 22, middle), style.casing or style.ink, 7)
            pen.line((x + 1, middle, x + 21, middle), style.ink, 4)
        pen.text((x + room, middle), says, _INK, font, "lm")
        x += room + font.getlength(says) + 22


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """Return the font that comes with matplotlib: Pillow's own has few letters."""
    from matplotlib import get_data_path  # noqa: PLC0415  (slow, and only a drawing needs it)

    return ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf", size)


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
