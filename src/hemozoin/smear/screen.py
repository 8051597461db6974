"""Screen one field: find its objects, classify its red cells, measure its quality."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from hemozoin.arrays import Pixels
from hemozoin.classes import PARASITIZED, UNINFECTED
from hemozoin.data.picture import image_from_array, rgb_from_image
from hemozoin.data.preprocess import Preprocessing, prepare_batch
from hemozoin.data.source import FolderSource
from hemozoin.decision.ood import cell_stain_and_texture
from hemozoin.errors import DataError
from hemozoin.model.bundle import Bundle
from hemozoin.model.pictures import Picture
from hemozoin.model.prediction import CellDecision
from hemozoin.model.predictor import Predictor
from hemozoin.model.session import BATCH
from hemozoin.smear.chromatin import (
    SUSPECT,
    CellStain,
    FieldContext,
    allow_contrast,
    reconsider,
    stain_of,
)
from hemozoin.smear.denoising import blur_needed, blurred
from hemozoin.smear.field import Cell, Clump, Field, SmearObject
from hemozoin.smear.field_of_view import FieldOfView, fill_surround, find_field_of_view
from hemozoin.smear.normalization import FieldStain
from hemozoin.smear.picture import decode_field, field_from, require_many_cells
from hemozoin.smear.quality import MANY_CELLS, find_flaws
from hemozoin.smear.recalibration import log_odds_shift, recalibrate
from hemozoin.smear.segmentation.cell_size import cell_diameter
from hemozoin.smear.segmentation.objects import Segmentation, segment

#: An object is cut by the rim of the field of view where it is closer to it than this, in
#: diameters of a red cell: outlines are as exact as that.
_RIM = 0.08

#: At most this many cells are measured for what is typical of a field's healthy cells: of their
#: densest spots and their grain, and of their stain and texture.
_HEALTHY, _MEASURED = 24, 48


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
        stain = _stain(found, picture)
        shift, judged = classify_cells(pixels, red + clumps, self._predictor, stain)
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
        stain = _stain(found, picture)
        preprocessing = self._predictor.bundle.preprocessing
        blur = _blur(_prepare(pixels, found.objects, preprocessing), found.objects, stain)

        def seen(one: SmearObject) -> Pixels:
            cells = blurred(_prepare(pixels, [one], preprocessing), blur)
            pixels_seen: Pixels = stain.for_network(cells, [one])[0]
            return pixels_seen

        return seen

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


def _stain(found: Segmentation, picture: Image.Image) -> FieldStain:
    return FieldStain(found.background, found.stain, picture.width, picture.height)


def _cut_by(view: FieldOfView, found: SmearObject) -> SmearObject:
    """Return an object, as cut by the edge where it reaches the rim of the field of view."""
    x, y = found.corners().T
    whole = view.contains(x, y).all()
    return found if whole else replace(found, kind="cut by the edge")


def classify_cells(
    pixels: Pixels, objects: Sequence[SmearObject], predictor: Predictor, stain: FieldStain
) -> tuple[float, list[tuple[Cell, Pixels]]]:
    """Return the shift of the log odds, and objects of a field, each with the decision on it.

    With each comes the prepared cell, uint8 `[S, S, 3]`. The field is uint8 `[H, W, 3]`.
    """
    prepared = _prepare(pixels, objects, predictor.bundle.preprocessing)
    prepared = blurred(prepared, _blur(prepared, objects, stain))
    alone = [
        one
        for batch in _batches(len(objects))
        for one in _seen_by_network(prepared[batch], objects[batch], predictor, stain)
    ]
    shift, seen = _recalibrated(alone, predictor.bundle)
    context = _context(seen, stain)
    judged = []
    for number, one in enumerate(seen, 1):
        decided = one.decided
        if decided.decision != UNINFECTED or decided.p_parasitized >= SUSPECT:
            decided = reconsider(decided, _stain_of(one, stain), context, predictor.bundle)
        cell = Cell(
            **vars(one.found),
            cell=number,
            p_parasitized=decided.p_parasitized,
            decision=decided.decision,
            reason=decided.reason,
        )
        judged.append((cell, one.prepared))
    return shift, judged


class _Seen(NamedTuple):
    """An object, prepared `[S, S, 3]`, and the decision on it alone."""

    found: SmearObject
    prepared: Pixels
    decided: CellDecision

    @property
    def is_healthy(self) -> bool:
        return self.found.kind == "red cell" and self.decided.decision == UNINFECTED


def _prepare(
    pixels: Pixels, objects: Sequence[SmearObject], preprocessing: Preprocessing
) -> Pixels:
    """Return objects of a field as prepared cells, `[N, S, S, 3]`."""
    prepared = np.empty((len(objects), preprocessing.size, preprocessing.size, 3), np.uint8)
    for batch in _batches(len(objects)):
        prepared[batch] = prepare_batch(
            [cut_out(pixels, one) for one in objects[batch]], preprocessing
        )
    return prepared


def _batches(count: int) -> Iterator[slice]:
    """Yield the parts of so many objects that are done at once."""
    return (slice(start, start + BATCH) for start in range(0, count, BATCH))


def _blur(prepared: Pixels, objects: Sequence[SmearObject], stain: FieldStain) -> float:
    """Return how much a field's cells have to be blurred, 0..1; with few, nothing is typical."""
    red = [number for number, one in enumerate(objects) if one.kind == "red cell"]
    if len(red) < MANY_CELLS:
        return 0.0
    sample = red[:: 1 + len(red) // _HEALTHY]
    return blur_needed(stain.for_network(prepared[sample], [objects[one] for one in sample]))


def _seen_by_network(
    prepared: Pixels, objects: Sequence[SmearObject], predictor: Predictor, stain: FieldStain
) -> Iterator[_Seen]:
    """Yield a batch of prepared objects with the decisions on each of them alone."""
    bundle = predictor.bundle
    normalized = stain.for_detector(prepared, objects)
    decisions = predictor.decide(stain.for_network(prepared, objects), normalized)
    for number, (one, alone) in enumerate(zip(objects, decisions, strict=True)):
        decided = allow_contrast(alone, normalized[number], bundle)
        yield _Seen(one, prepared[number], decided)


def _context(seen: Sequence[_Seen], stain: FieldStain) -> FieldContext:
    step = 1 + len(seen) // _HEALTHY
    healthy = [_stain_of(one, stain) for one in seen[::step] if one.is_healthy]
    red_cells = sum(one.found.kind == "red cell" for one in seen)
    return FieldContext(stain.strength, red_cells, healthy)


def _stain_of(one: _Seen, stain: FieldStain) -> CellStain:
    (background,) = stain.background_at([one.found])
    return stain_of(one.prepared, background, one.found.area)


def _recalibrated(alone: list[_Seen], bundle: Bundle) -> tuple[float, list[_Seen]]:
    """Return the shift of a field's log odds, and its objects with it."""
    p = [one.decided.p_parasitized for one in alone if one.found.kind == "red cell"]
    band = bundle.review_band
    shift = log_odds_shift(p, bundle.highest_healthy_median, band)
    return shift, [one._replace(decided=recalibrate(one.decided, shift, band)) for one in alone]


def _median_measures(judged: Sequence[tuple[Cell, Pixels]]) -> tuple[float, ...]:
    """Return the median of each measure over cells that are not called infected."""
    bulk = [prepared for cell, prepared in judged if cell.decision != PARASITIZED]
    if not bulk:
        return ()
    sample = np.stack(bulk[:: 1 + len(bulk) // _MEASURED])
    medians = np.median(cell_stain_and_texture(sample), axis=0)
    return tuple(round(float(value), 4) for value in medians)


def cut_out(pixels: Pixels, found: SmearObject) -> Pixels:
    """Return an object of a field on black along its outline, `[h, w, 3]`: as NLM's cells are."""
    crop = pixels[found.y : found.y + found.height, found.x : found.x + found.width]
    mask = np.zeros(crop.shape[:2], np.uint8)
    cv2.fillPoly(mask, [found.corners()], 255, offset=(-found.x, -found.y))
    return np.asarray(cv2.copyTo(crop, mask))


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
