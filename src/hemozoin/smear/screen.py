"""One field: its bodies found, its red cells shown to the network, its quality measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from hemozoin.data.picture import from_array, rgb_from
from hemozoin.data.preprocess import prepare
from hemozoin.errors import DataError
from hemozoin.model.pictures import Picture
from hemozoin.model.predictor import Predictor
from hemozoin.model.session import BATCH
from hemozoin.smear.field import Cell, Field, SmearObject
from hemozoin.smear.picture import decode_field, field_from, require_many_cells
from hemozoin.smear.quality import find_flaws
from hemozoin.smear.segmentation.foreground import cell_diameter
from hemozoin.smear.segmentation.objects import segment


class Screener:
    """Finds the red cells of fields and asks a network about each; many threads may share one.

    `diameter` is that of the red cells in px; it is found in each field where it is None.
    """

    def __init__(self, predictor: Predictor, diameter: float | None = None) -> None:
        self._predictor, self._diameter = predictor, diameter

    def __call__(self, picture: Image.Image, name: str = "") -> Field:
        """Screen a field, RGB; raises DataError for single cells, and for too many."""
        diameter = self._diameter or cell_diameter(picture)
        require_many_cells(picture, diameter, name)
        found = segment(picture, diameter)
        red = [body for body in found.bodies if body.kind == "red cell"]
        cells = tuple(classify_cells(picture, red, self._predictor))
        return Field(
            field=name,
            width=picture.width,
            height=picture.height,
            diameter=round(found.diameter, 1),
            cells=cells,
            others=tuple(body for body in found.bodies if body.kind != "red cell"),
            flaws=find_flaws(picture, found, cells),
        )


def classify_cells(
    picture: Image.Image, red: Sequence[SmearObject], predictor: Predictor
) -> Iterator[Cell]:
    """Yield the red cells found in a field, RGB, with what the network says of each."""
    how = predictor.bundle.preprocessing
    for start in range(0, len(red), BATCH):
        batch = red[start : start + BATCH]
        pixels = np.stack([prepare(cut_out(picture, body), how) for body in batch])
        answers = predictor.decide(pixels)
        for number, (body, answer) in enumerate(zip(batch, answers, strict=True), start + 1):
            yield Cell(
                **vars(body),
                cell=number,
                p_parasitized=answer.p_parasitized,
                decision=answer.decision,
                reason=answer.reason,
            )


def cut_out(picture: Image.Image, body: SmearObject) -> Image.Image:
    """Return a body on black, in the colours of its field, RGB: as the cells of NLM are."""
    crop = picture.crop((body.x, body.y, body.x + body.width, body.y + body.height))
    inside = Image.new("L", crop.size)
    corners = [(x - body.x, y - body.y) for x, y in body.outline]
    ImageDraw.Draw(inside).polygon(corners, fill=255)
    black = Image.new("RGB", crop.size)
    black.paste(crop, mask=inside)
    return black


def screen(
    image: Picture, model: str | Path | Predictor = "nano", diameter: float | None = None
) -> Field:
    """Find and judge the red cells in one picture of a thin smear.

    `image` is a path, a Pillow picture, or uint8 `[H, W, 3]` in RGB; `model` a network that
    ships, the folder of one, or one that is loaded; `diameter` that of the red cells in px,
    found in the picture without it. Raises DataError for what is no picture of a field, and
    ModelError for the network.
    """
    predictor = model if isinstance(model, Predictor) else Predictor.load(model)
    if isinstance(image, str | Path):
        path = Path(image)
        try:
            picture = decode_field(path.read_bytes(), path.name)
        except OSError as error:
            raise DataError(f"{path}: can't be read ({error.strerror or error})") from error
        return Screener(predictor, diameter)(picture, path.name)
    opened = rgb_from(image) if isinstance(image, Image.Image) else from_array(image)
    return Screener(predictor, diameter)(field_from(opened))
