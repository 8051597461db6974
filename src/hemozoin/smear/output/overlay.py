"""The overlay of a field, with an outline for each decision, and crops of its cells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from PIL import Image, ImageDraw

from hemozoin.classes import PARASITIZED, UNINFECTED
from hemozoin.decision.conformal import REVIEW
from hemozoin.images import font, to_jpeg
from hemozoin.smear.field import Cell, Field, ObjectKind, SmearObject

#: Largest longer side of an overlay in px: a screen shows no more, and a report has up to twelve.
MAX_SIDE = 1600

#: Largest side of a crop in px, and its side as a multiple of the cell's.
CROP_SIDE, CROP_MARGIN = 176, 1.6

#: Height of the legend and of its letters, in px.
_LEGEND_HEIGHT, _LETTER_HEIGHT = 30, 15

_BACKGROUND, _TEXT = "#fffefd", "#241d29"


@dataclass(frozen=True)
class _Style:
    """How an outline and its tag are drawn; `width` is in 1/30 of a red cell's diameter."""

    color: str
    width: float
    border: str | None = None
    tag_text: str = "white"


#: Vermilion, yellow and bluish green of Okabe & Ito 2008 (jfly.uni-koeln.de/color), which
#: colour-blind people can distinguish. The lines differ in width as well.
STYLES: dict[str, _Style] = {
    PARASITIZED: _Style("#d55e00", 2.2, "white"),
    REVIEW: _Style("#f0e442", 1.1, _TEXT, _TEXT),
    UNINFECTED: _Style("#009e73", 0.9),
}

_NOT_COUNTED = _Style("#6d6472", 0.9)

#: The tags of objects that are not counted; debris and objects cut by the edge have none.
_TAGS: dict[ObjectKind, str] = {"white cell": "w", "platelet": "p", "clump": "c"}

#: The legend: outlines, then tags; it ends early in a narrow picture.
_LEGEND: tuple[tuple[_Style | None, str], ...] = (
    (STYLES[PARASITIZED], "infected"),
    (STYLES[REVIEW], "for review"),
    (STYLES[UNINFECTED], "uninfected"),
    (_NOT_COUNTED, "not counted"),
    (None, ", ".join(f"{letter} {kind}" for kind, letter in _TAGS.items())),
)


def draw_overlay(picture: Image.Image, field: Field) -> bytes:
    """Return the field's picture (RGB) with all outlines, as a JPEG.

    Infected cells and cells for review are tagged with their number. A legend is below the picture.
    A picture with a side of more than MAX_SIDE px is made smaller.
    """
    scale = min(1.0, MAX_SIDE / max(picture.size))
    width, height = (max(1, round(side * scale)) for side in picture.size)
    sheet = Image.new("RGB", (width, height + _LEGEND_HEIGHT), _BACKGROUND)
    sheet.paste(picture if scale == 1 else picture.resize((width, height)), (0, 0))
    pen = _Pen(ImageDraw.Draw(sheet), scale, (field.diameter or 60) * scale / 30)
    styled = [*_others(field), *_infected_last(field.cells)]
    for one, style, _ in styled:
        pen.outline(one, style)
    for one, style, tag in styled:
        pen.tag(one, tag, style)
    _legend(pen.draw, height, width)
    return to_jpeg(sheet, 82)


def crop_cell(picture: Image.Image, cell: SmearObject) -> bytes:
    """Return a square crop with a cell and its surroundings, inside the picture, as a JPEG."""
    side = CROP_MARGIN * max(cell.width, cell.height)
    box = (
        *_span(cell.x + cell.width / 2, side, picture.width),
        *_span(cell.y + cell.height / 2, side, picture.height),
    )
    crop = picture.crop((box[0], box[2], box[1], box[3]))
    crop.thumbnail((CROP_SIDE, CROP_SIDE))
    return to_jpeg(crop, 88)


def _span(middle: float, side: float, limit: int) -> tuple[int, int]:
    """Return where a crop starts and ends along one axis, moved to be inside the picture."""
    length = min(max(1, round(side)), limit)
    start = min(max(0, round(middle - length / 2)), limit - length)
    return start, start + length


def _others(field: Field) -> Iterator[tuple[SmearObject, _Style, str]]:
    return ((one, _NOT_COUNTED, _TAGS.get(one.kind, "")) for one in field.others)


def _infected_last(cells: Iterable[Cell]) -> Iterator[tuple[SmearObject, _Style, str]]:
    order = (UNINFECTED, REVIEW, PARASITIZED)
    for cell in sorted(cells, key=lambda cell: order.index(cell.decision)):
        tag = "" if cell.decision == UNINFECTED else str(cell.cell)
        yield cell, STYLES[cell.decision], tag


@dataclass(frozen=True)
class _Pen:
    """Draws on a picture that is scaled by `scale`; line widths are multiples of `unit` px."""

    draw: ImageDraw.ImageDraw
    scale: float
    unit: float

    def outline(self, found: SmearObject, style: _Style) -> None:
        if len(found.outline) < 2:
            return
        corners = [value * self.scale for corner in found.outline for value in corner]
        corners += corners[:2]
        width = max(1, round(style.width * self.unit))
        if style.border:
            self.draw.line(corners, style.border, width + 2)
        self.draw.line(corners, style.color, width)

    def tag(self, found: SmearObject, text: str, style: _Style) -> None:
        """Write a tag on the upper left corner of an object's box."""
        if text:
            typeface = font(min(max(11, round(7 * self.unit)), 22))
            at = found.x * self.scale, max(found.y * self.scale, typeface.size)
            left, top, right, bottom = self.draw.textbbox(at, text, typeface, "ls")
            self.draw.rectangle((left - 3, top - 2, right + 2, bottom + 2), style.color)
            self.draw.text(at, text, style.tag_text, typeface, "ls")


def _legend(pen: ImageDraw.ImageDraw, top: int, width: int) -> None:
    x, middle, typeface = 10.0, top + _LEGEND_HEIGHT // 2, font(_LETTER_HEIGHT)
    for style, text in _LEGEND:
        line = 28 if style else 0
        if x + line + typeface.getlength(text) > width:
            return
        if style:
            pen.line((x, middle, x + 22, middle), style.border or style.color, 7)
            pen.line((x + 1, middle, x + 21, middle), style.color, 4)
        pen.text((x + line, middle), text, _TEXT, typeface, "lm")
        x += line + typeface.getlength(text) + 22
