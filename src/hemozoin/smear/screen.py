"""Screen one field: find its objects, classify its red cells, measure its quality."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from hemozoin.data.picture import image_from_array, rgb_from_image
from hemozoin.data.preprocess import prepare
from hemozoin.data.source import FolderSource
from hemozoin.errors import DataError
from hemozoin.model.pictures import Picture
from hemozoin.model.predictor import Predictor
from hemozoin.model.session import BATCH
from hemozoin.smear.field import Cell, Field, SmearObject
from hemozoin.smear.picture import decode_field, field_from, require_many_cells
from hemozoin.smear.quality import find_flaws
from hemozoin.smear.segmentation.cell_size import cell_diameter
from hemozoin.smear.segmentation.objects import Segmentation, segment


class Screener:
    """Finds the red cells of fields and classifies each with a network; threads may share one.

    `diameter` is that of the red cells in px; it is measured in each field where it is None.
    """

    def __init__(self, predictor: Predictor, diameter: float | None = None) -> None:
        self._predictor, self._diameter = predictor, diameter

    def __call__(self, picture: Image.Image, name: str = "") -> Field:
        """Screen a field, RGB; raises DataError where it shows single cells, or too many."""
        found = self._segment(picture, name)
        red = [one for one in found.objects if one.kind == "red cell"]
        cells = tuple(classify_cells(picture, red, self._predictor))
        return Field(
            field=name,
            width=picture.width,
            height=picture.height,
            diameter=round(found.diameter, 1),
            cells=cells,
            others=tuple(one for one in found.objects if one.kind != "red cell"),
            flaws=find_flaws(picture, found, cells),
        )

    def _segment(self, picture: Image.Image, name: str) -> Segmentation:
        try:
            diameter = self._diameter or cell_diameter(picture)
            require_many_cells(picture, diameter)
            return segment(picture, diameter)
        except DataError as error:
            raise DataError(f"{name or 'picture'}: {error}") from error


def classify_cells(
    picture: Image.Image, red_cells: Sequence[SmearObject], predictor: Predictor
) -> Iterator[Cell]:
    """Yield the red cells found in a field, RGB, each with the network's decision on it."""
    preprocessing = predictor.bundle.preprocessing
    for start in range(0, len(red_cells), BATCH):
        batch = red_cells[start : start + BATCH]
        pixels = np.stack([prepare(cut_out(picture, one), preprocessing) for one in batch])
        decisions = predictor.decide(pixels)
        for number, (one, decided) in enumerate(zip(batch, decisions, strict=True), start + 1):
            yield Cell(
                **vars(one),
                cell=number,
                p_parasitized=decided.p_parasitized,
                decision=decided.decision,
                reason=decided.reason,
            )


def cut_out(picture: Image.Image, found: SmearObject) -> Image.Image:
    """Return an object of a field, RGB, on black along its outline: as NLM's cells are."""
    x, y = found.x, found.y
    crop = picture.crop((x, y, x + found.width, y + found.height))
    mask = Image.new("L", crop.size)
    corners = [(corner_x - x, corner_y - y) for corner_x, corner_y in found.outline]
    ImageDraw.Draw(mask).polygon(corners, fill=255)
    on_black = Image.new("RGB", crop.size)
    on_black.paste(crop, mask=mask)
    return on_black


def screen(
    image: Picture, model: str | Path | Predictor = "nano", diameter: float | None = None
) -> Field:
    """Find and classify the red cells in one picture of a thin smear.

    `image` is a path, a Pillow picture, or uint8 `[H, W, 3]` in RGB. `model` is the name of a
    network that comes with the package, the folder of one, or a Predictor. `diameter` is that of
    the red cells in px; without it, it is measured in the picture. Raises DataError for a picture
    that does not show a field, and ModelError for a model that can't be used.
    """
    predictor = model if isinstance(model, Predictor) else Predictor.load(model)
    if isinstance(image, str | Path):
        path = Path(image)
        picture = decode_field(FolderSource(path.parent).read(path.name), path.name)
        return Screener(predictor, diameter)(picture, path.name)
    opened = rgb_from_image(image) if isinstance(image, Image.Image) else image_from_array(image)
    return Screener(predictor, diameter)(field_from(opened))
