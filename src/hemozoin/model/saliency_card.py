"""A cell and its class-activation map as a picture for people, and a folder of those."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hemozoin.arrays import Floats, Pixels
from hemozoin.classes import PARASITIZED, UNINFECTED
from hemozoin.errors import RunError
from hemozoin.files import is_free, replace_file
from hemozoin.model.prediction import DetailedPrediction, Prediction
from hemozoin.model.predictor import Predictor
from hemozoin.model.saliency import activation_maps

#: Log odds at which the colour is full, either way: the same for every cell, or maps could not be
#: compared. NLM's parasites have 100 to 300 at their place, cells without one seldom 20.
LIMIT = 150

#: Towards parasitized and towards uninfected: ends of PuOr of colorbrewer2.org, which the colour
#: blind can tell apart.
_TOWARDS = np.array([84, 39, 136.0]), np.array([230, 97, 1.0])

#: Side of each of the two pictures, the room around them, a line's and a letter's height, in px.
_SIDE, _EDGE, _LINE, _LETTER = 320, 20, 34, 22

_PAPER, _INK, _MUTED = "white", "#241d29", "#6d6472"


def write_explanations(
    findings: Iterable[DetailedPrediction], predictor: Predictor, folder: Path
) -> Iterator[Prediction]:
    """Write an `overlay` for each finding as it comes by, and hand its prediction on.

    A file is named by its row in the table, from 1, and its cell: `00012_C33P1_cell_7.png`. A
    picture that could not be read has none. Raises RunError, at once, where `folder` has files
    in it.
    """
    if not is_free(folder):
        raise RunError(f"{folder}: not an empty folder; give another --explain")
    return _written(findings, predictor, folder)


def _written(
    findings: Iterable[DetailedPrediction], predictor: Predictor, folder: Path
) -> Iterator[Prediction]:
    folder.mkdir(parents=True, exist_ok=True)
    for row, found in enumerate(findings, 1):
        if found.pixels is not None:
            (log_odds,) = activation_maps(predictor, found.pixels[None])
            card = overlay(found.pixels, log_odds, found.prediction)
            replace_file(folder / _file_name(row, found.prediction.cell), _png(card))
        yield found.prediction


def _file_name(row: int, cell: str) -> str:
    """Return a name that no other row has and every file system takes."""
    return f"{row:05}_{re.sub(r'[^A-Za-z0-9.-]+', '_', cell)[:100]}.png"


def _png(card: Image.Image) -> bytes:
    buffer = io.BytesIO()
    card.save(buffer, "PNG")
    return buffer.getvalue()


def paint(pixels: Pixels, log_odds: Floats) -> Pixels:
    """Lay a map on its cell: uint8 `[S, S, 3]` of uint8 `[S, S, 3]` and float `[S, S]`.

    The cell is grey where the map is 0; colours grow linearly to full at ±LIMIT.
    """
    inside = pixels.any(axis=2, keepdims=True)
    grey = 64 + 0.75 * pixels.mean(axis=2, keepdims=True)
    amount = (log_odds[..., None] / LIMIT).clip(-1, 1)
    colour = np.where(amount > 0, *_TOWARDS)
    painted = grey + (colour - grey) * np.abs(amount)
    return np.where(inside, painted, 0).round().astype(np.uint8)


def overlay(pixels: Pixels, log_odds: Floats, prediction: Prediction) -> Image.Image:
    """Return a card, 700 px wide: a cell, the map laid on it, its name, what was said, the scale.

    `pixels` is the prepared cell, uint8 `[S, S, 3]`, `log_odds` float `[S, S]`.
    """
    width, height = 2 * _SIDE + 3 * _EDGE, _SIDE + 2 * _EDGE + 4 * _LINE
    card = Image.new("RGB", (width, height), _PAPER)
    for k, picture in enumerate((pixels, paint(pixels, log_odds))):
        large = Image.fromarray(picture).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
        card.paste(large, (_EDGE + k * (_SIDE + _EDGE), _EDGE))
    pen = ImageDraw.Draw(card)
    top = _SIDE + 2 * _EDGE
    _write(pen, (_EDGE, top), _fitting(prediction.cell, width - 2 * _EDGE))
    _write(pen, (_EDGE, top + _LINE), _said(prediction))
    _scale(card, top + 2 * _LINE)
    return card


def _said(prediction: Prediction) -> str:
    """Return the decision in a line, with p and the reason for a review."""
    reason = f" ({prediction.reason})" if prediction.reason else ""
    return f"{prediction.decision}{reason}, p {prediction.p_parasitized:.3f}"


def _scale(card: Image.Image, top: int) -> None:
    """Draw the colours of a map and say what they stand for."""
    pen, width = ImageDraw.Draw(card), card.width - 2 * _EDGE
    grey = np.full((_LINE // 2, width, 3), 200, np.uint8)
    values = np.broadcast_to(np.linspace(-LIMIT, LIMIT, width, dtype=np.float32), grey.shape[:2])
    card.paste(Image.fromarray(paint(grey, values)), (_EDGE, top + 4))
    row, right = top + _LINE - 8, card.width - _EDGE
    _write(pen, (_EDGE, row), f"{UNINFECTED} -{LIMIT}", _MUTED)
    _write(pen, (card.width // 2, row), "log odds at each place", _MUTED, "ma")
    _write(pen, (right, row), f"+{LIMIT} {PARASITIZED}", _MUTED, "ra")


def _write(
    pen: ImageDraw.ImageDraw,
    at: tuple[int, int],
    text: str,
    ink: str = _INK,
    anchor: str = "la",
) -> None:
    pen.text(at, text, ink, _font(), anchor)


@cache
def _font() -> ImageFont.FreeTypeFont:
    """Return the font that comes with matplotlib: Pillow's own knows no accents."""
    from matplotlib import get_data_path  # noqa: PLC0415  (slow, and only a card needs it)

    return ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf", _LETTER)


def _fitting(name: str, width: int) -> str:
    """Return a name in one line, its start cut off where it is too long for it."""
    shown = " ".join(name.split())[-200:]
    while _font().getlength(shown) > width:
        shown = "…" + shown[2:]
    return shown
