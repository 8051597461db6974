"""Screen one field: find its objects, classify its red cells, measure its quality."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from hemozoin.arrays import Pixels
from hemozoin.classes import PARASITIZED
from hemozoin.data.picture import image_from_array, rgb_from_image
from hemozoin.data.source import FolderSource
from hemozoin.decision.ood import cell_stain_and_texture
from hemozoin.errors import DataError
from hemozoin.model.pictures import Picture
from hemozoin.model.predictor import Predictor
from hemozoin.smear.classification.classify import as_seen_by_network, classify_cells
from hemozoin.smear.classification.glare import without_glare
from hemozoin.smear.classification.normalization import FieldStain
from hemozoin.smear.field import Cell, Clump, Field, SmearObject
from hemozoin.smear.field_of_view import FieldOfView, fill_surround, find_field_of_view
from hemozoin.smear.picture import decode_field, field_from, require_many_cells
from hemozoin.smear.quality import find_flaws
from hemozoin.smear.segmentation.cell_size import cell_diameter
from hemozoin.smear.segmentation.objects import Segmentation, segment

#: An object is cut by the rim of the field of view where it is closer to it than this, in
#: diameters of a red cell: outlines are as exact as that.
_RIM = 0.08

#: At most this many cells are measured for the stain and texture of a field's healthy cells.
_MEASURED = 48


class Screener:
    """Finds the red cells of fields and classifies each with a network; threads may share one.

    `diameter` is that of the red cells in px; it is measured in each field where it is None.
    """

    def __init__(self, predictor: Predictor, diameter: float | None = None) -> None:
        self._predictor, self._diameter = predictor, diameter

    def __call__(self, picture: Image.Image, name: str = "") -> Field:
        """Screen a field, RGB; raises DataError where it shows single cells, or too many."""
        pixels, found = self._segment(picture, name)
        red = [one for one in found.objects if one.kind == "red cell"]
        clumps = [one for one in found.objects if one.kind == "clump"]
        clear, stain = _without_glare(pixels, found)
        shift, judged = classify_cells(clear, red + clumps, self._predictor, stain)
        cells = tuple(cell for cell, _ in judged[: len(red)])
        return Field(
            field=name,
            width=picture.width,
            height=picture.height,
            diameter=round(found.diameter, 1),
            cells=cells,
            others=(
                *(one for one in found.objects if one.kind not in ("red cell", "clump")),
                *(
                    Clump(**vars(one), p_parasitized=cell.p_parasitized)
                    for one, (cell, _) in zip(clumps, judged[len(red) :], strict=True)
                ),
            ),
            flaws=find_flaws(pixels, found, cells),
            measures=_median_measures(judged[: len(red)]),
            log_odds_shift=shift,
        )

    def network_input(
        self, picture: Image.Image, name: str = ""
    ) -> Callable[[SmearObject], Pixels]:
        """Return a function that gives an object of a field as the network saw it.

        The field is RGB, the result of the function uint8 `[S, S, 3]`. Raises DataError as a call.
        """
        pixels, found = self._segment(picture, name)
        clear, stain = _without_glare(pixels, found)
        preprocessing = self._predictor.bundle.preprocessing
        return as_seen_by_network(clear, found.objects, preprocessing, stain)

    def _segment(self, picture: Image.Image, name: str) -> tuple[Pixels, Segmentation]:
        """Return a field's pixels and what is in them; what the rim cuts is cut by the edge."""
        pixels, view = _without_surround(picture)
        try:
            diameter = self._diameter or cell_diameter(pixels)
            require_many_cells(pixels.shape[1], pixels.shape[0], diameter)
            found = segment(pixels, diameter)
        except DataError as error:
            raise DataError(f"{name or 'picture'}: {error}") from error
        if view is None:
            return pixels, found
        inner = view.shrunk(_RIM * found.diameter)
        return pixels, replace(found, objects=tuple(_cut_by(inner, one) for one in found.objects))


def _without_surround(picture: Image.Image) -> tuple[Pixels, FieldOfView | None]:
    """Return a field's pixels, and its field of view where that is not the whole picture."""
    pixels = np.asarray(picture)
    view = find_field_of_view(pixels)
    return (fill_surround(pixels, view) if view else pixels), view


def _without_glare(pixels: Pixels, found: Segmentation) -> tuple[Pixels, FieldStain]:
    """Return a field's pixels and its stain, as the cells are classified with."""
    height, width = pixels.shape[:2]
    stain = FieldStain(found.background, found.stain, width, height)
    return without_glare(pixels, stain, found.densest)


def _cut_by(view: FieldOfView, found: SmearObject) -> SmearObject:
    """Return an object, as cut by the edge where it reaches the rim of the field of view."""
    x, y = found.corners().T
    whole = view.contains(x, y).all()
    return found if whole else replace(found, kind="cut by the edge")


def _median_measures(judged: Sequence[tuple[Cell, Pixels]]) -> tuple[float, ...]:
    """Return the median of each measure over cells that are not called infected."""
    bulk = [prepared for cell, prepared in judged if cell.decision != PARASITIZED]
    if not bulk:
        return ()
    sample = np.stack(bulk[:: 1 + len(bulk) // _MEASURED])
    medians = np.median(cell_stain_and_texture(sample), axis=0)
    return tuple(round(float(value), 4) for value in medians)


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
