"""Saliency cards: pictures of a cell next to its class-activation map, and a folder of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from hemozoin.arrays import Floats, Pixels
from hemozoin.classes import PARASITIZED, UNINFECTED
from hemozoin.errors import RunError
from hemozoin.files import is_free, replace_file, unfinished_folder
from hemozoin.images import font, to_png
from hemozoin.model.prediction import DetailedPrediction, Prediction
from hemozoin.model.predictor import Predictor
from hemozoin.model.saliency import activation_maps, cell_mask

#: Log odds at ± which the colour is saturated: the same for every cell, so that maps can be
#: compared. The parasites of NLM's cells have 100 to 300; cells without one rarely have 20.
LIMIT = 150

#: The colours of parasitized and uninfected: the ends of PuOr of colorbrewer2.org, which colour-
#: blind people can distinguish.
_PARASITIZED_COLOUR, _UNINFECTED_COLOUR = np.array([84, 39, 136.0]), np.array([230, 97, 1.0])

#: Side of each of the two pictures, margin around them, line height and font size, in px.
_SIDE, _MARGIN, _LINE, _FONT_SIZE = 320, 20, 34, 22

_BACKGROUND, _TEXT, _MUTED_TEXT = "white", "#241d29", "#6d6472"


@contextmanager
def write_saliency_cards(
    predictions: Iterable[DetailedPrediction], predictor: Predictor, folder: Path
) -> Iterator[Iterator[Prediction]]:
    """Yield the predictions, each of them after its saliency card was written.

    A file is named after its row in the table, from 1, and its cell: `00012_C33P1_cell_7.png`. A
    picture that could not be read has no card. Raises RunError, before the first prediction,
    where `folder` is not empty. The folder counts as free until the block has ended: if the process
    is killed before, the same command can be given again.
    """
    if not is_free(folder):
        raise RunError(f"{folder}: not an empty folder; give another --explain")
    with ExitStack() as stack:
        yield _write_cards(predictions, predictor, folder, stack)


def _write_cards(
    predictions: Iterable[DetailedPrediction],
    predictor: Predictor,
    folder: Path,
    stack: ExitStack,
) -> Iterator[Prediction]:
    add_name = stack.enter_context(unfinished_folder(folder))
    for row, detailed in enumerate(predictions, 1):
        prediction = detailed.prediction
        if detailed.pixels is not None:
            (log_odds,) = activation_maps(predictor, detailed.pixels[None])
            card = draw_saliency_card(detailed.pixels, log_odds, prediction)
            add_name(name := _file_name(row, prediction.cell))
            replace_file(folder / name, to_png(card))
        yield prediction


def _file_name(row: int, cell: str) -> str:
    """Return a file name that is unique to the row and valid on every file system."""
    return f"{row:05}_{re.sub(r'[^A-Za-z0-9.-]+', '_', cell)[:100]}.png"


def overlay_map(pixels: Pixels, log_odds: Floats) -> Pixels:
    """Return the cell in grey with its map in colour, uint8 `[S, S, 3]`.

    `pixels` is the prepared cell, uint8 `[S, S, 3]`, `log_odds` its map, float `[S, S]`. The
    cell is grey where the map is 0; the saturation grows linearly up to ±LIMIT.
    """
    grey = 64 + 0.75 * pixels.mean(axis=2, keepdims=True)
    strength = (log_odds[..., None] / LIMIT).clip(-1, 1)
    colour = np.where(strength > 0, _PARASITIZED_COLOUR, _UNINFECTED_COLOUR)
    blended = grey + (colour - grey) * np.abs(strength)
    return np.where(cell_mask(pixels)[..., None], blended, 0).round().astype(np.uint8)


def draw_saliency_card(pixels: Pixels, log_odds: Floats, prediction: Prediction) -> Image.Image:
    """Return a card, 700 px wide: the cell, its map, its name, the decision and the colour scale.

    `pixels` is the prepared cell, uint8 `[S, S, 3]`, `log_odds` float `[S, S]`.
    """
    width, height = 2 * _SIDE + 3 * _MARGIN, _SIDE + 2 * _MARGIN + 4 * _LINE
    card = Image.new("RGB", (width, height), _BACKGROUND)
    for k, picture in enumerate((pixels, overlay_map(pixels, log_odds))):
        large = Image.fromarray(picture).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
        card.paste(large, (_MARGIN + k * (_SIDE + _MARGIN), _MARGIN))
    canvas = ImageDraw.Draw(card)
    top = _SIDE + 2 * _MARGIN
    _draw_text(canvas, (_MARGIN, top), _shortened(prediction.cell, width - 2 * _MARGIN))
    _draw_text(canvas, (_MARGIN, top + _LINE), _decision_line(prediction))
    _draw_colour_scale(card, top + 2 * _LINE)
    return card


def _decision_line(prediction: Prediction) -> str:
    """Return the decision, the reason for a review, and p."""
    reason = f" ({prediction.reason})" if prediction.reason else ""
    return f"{prediction.decision}{reason}, p {prediction.p_parasitized:.3f}"


def _draw_colour_scale(card: Image.Image, top: int) -> None:
    """Draw the colours of a map, with their log odds and classes."""
    canvas, width = ImageDraw.Draw(card), card.width - 2 * _MARGIN
    grey = np.full((_LINE // 2, width, 3), 200, np.uint8)
    values = np.broadcast_to(np.linspace(-LIMIT, LIMIT, width, dtype=np.float32), grey.shape[:2])
    card.paste(Image.fromarray(overlay_map(grey, values)), (_MARGIN, top + 4))
    y, right = top + _LINE - 8, card.width - _MARGIN
    _draw_text(canvas, (_MARGIN, y), f"{UNINFECTED} -{LIMIT}", _MUTED_TEXT)
    _draw_text(canvas, (card.width // 2, y), "log odds at each pixel", _MUTED_TEXT, "ma")
    _draw_text(canvas, (right, y), f"+{LIMIT} {PARASITIZED}", _MUTED_TEXT, "ra")


def _draw_text(
    canvas: ImageDraw.ImageDraw,
    position: tuple[int, int],
    text: str,
    colour: str = _TEXT,
    anchor: str = "la",
) -> None:
    canvas.text(position, text, colour, font(_FONT_SIZE), anchor)


def _shortened(name: str, width: int) -> str:
    """Return a name on one line, without its start where it is wider than `width` px."""
    shown = " ".join(name.split())[-200:]
    while font(_FONT_SIZE).getlength(shown) > width:
        shown = "…" + shown[2:]
    return shown
