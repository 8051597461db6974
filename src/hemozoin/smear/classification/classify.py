"""Classify the objects of a field: each by itself, then by what the field shows of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from hemozoin.arrays import Pixels, batches
from hemozoin.classes import UNINFECTED
from hemozoin.data.preprocess import Preprocessing, prepare_batch
from hemozoin.model.bundle import Bundle
from hemozoin.model.prediction import CellDecision
from hemozoin.model.predictor import Predictor
from hemozoin.model.session import BATCH
from hemozoin.smear.classification.chromatin import (
    SUSPECT,
    CellStain,
    FieldContext,
    allow_contrast,
    reconsider,
    stain_of,
)
from hemozoin.smear.classification.denoising import blur_needed, blurred
from hemozoin.smear.classification.normalization import FieldStain
from hemozoin.smear.classification.recalibration import log_odds_shift, recalibrate
from hemozoin.smear.field import Cell, SmearObject
from hemozoin.smear.quality import MANY_CELLS

#: At most this many cells are measured for what is typical of a field's healthy cells.
_TYPICAL = 24


def classify_cells(
    pixels: Pixels, objects: Sequence[SmearObject], predictor: Predictor, stain: FieldStain
) -> tuple[float, list[tuple[Cell, Pixels]]]:
    """Return the shift of the log odds, and objects of a field, each with the decision on it.

    With each comes the prepared cell, uint8 `[S, S, 3]`. The field is uint8 `[H, W, 3]`.
    """
    prepared = _prepare(pixels, objects, predictor.bundle.preprocessing)
    sample = _sample(objects)
    seen_sample = stain.for_network(prepared[sample], [objects[number] for number in sample])
    prepared = blurred(prepared, blur_needed(seen_sample))
    alone = [
        one
        for cells, batch in zip(batches(prepared, BATCH), batches(objects, BATCH), strict=True)
        for one in _seen_by_network(cells, batch, predictor, stain)
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


def as_seen_by_network(
    pixels: Pixels,
    objects: Sequence[SmearObject],
    preprocessing: Preprocessing,
    stain: FieldStain,
) -> Callable[[SmearObject], Pixels]:
    """Return a function that gives any of a field's objects as the network sees it, `[S, S, 3]`."""
    sample = [objects[number] for number in _sample(objects)]
    blur = blur_needed(stain.for_network(_prepare(pixels, sample, preprocessing), sample))

    def seen(one: SmearObject) -> Pixels:
        cells = blurred(_prepare(pixels, [one], preprocessing), blur)
        cell: Pixels = stain.for_network(cells, [one])[0]
        return cell

    return seen


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
    for cells, batch in zip(batches(prepared, BATCH), batches(objects, BATCH), strict=True):
        cells[:] = prepare_batch([cut_out(pixels, one) for one in batch], preprocessing)
    return prepared


def _sample(objects: Sequence[SmearObject]) -> list[int]:
    """Return the numbers of red cells that show a field's grain; with few, nothing is typical."""
    red = [number for number, one in enumerate(objects) if one.kind == "red cell"]
    return red[:: 1 + len(red) // _TYPICAL] if len(red) >= MANY_CELLS else []


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
    step = 1 + len(seen) // _TYPICAL
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


def cut_out(pixels: Pixels, found: SmearObject) -> Pixels:
    """Return an object of a field on black along its outline, `[h, w, 3]`: as NLM's cells are."""
    crop = pixels[found.y : found.y + found.height, found.x : found.x + found.width]
    mask = np.zeros(crop.shape[:2], np.uint8)
    cv2.fillPoly(mask, [found.corners()], 255, offset=(-found.x, -found.y))
    return np.asarray(cv2.copyTo(crop, mask))
