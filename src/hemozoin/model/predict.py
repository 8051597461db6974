"""Pictures, folders and zips in, one answer per cell out: a stream, however many there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, tee
from pathlib import Path, PurePosixPath

import numpy as np

from hemozoin.cells.picture import Pixels
from hemozoin.cells.source import FolderSource, Source, open_source
from hemozoin.cells.store import decode_all
from hemozoin.errors import DataError
from hemozoin.model.predictor import BATCH, Predictor


@dataclass(frozen=True)
class Prediction:
    """What the network says of one picture.

    `label` is "parasitized" or "uninfected", `p_parasitized` in 0..1; both are None where the
    picture could not be read, and `error` says why.
    """

    cell: str
    label: str | None
    p_parasitized: float | None
    file: str
    error: str | None = None


def predict_paths(paths: Iterable[Path], predictor: Predictor) -> Iterator[Prediction]:
    """Yield one prediction per picture, in order, holding a few batches in memory.

    A bad picture is a prediction with its error. Raises DataError for a path that is missing
    or a zip that can't be opened.
    """
    pictures, names = tee(_pictures(paths))
    cells = decode_all(pictures, predictor.bundle.preprocessing)
    answered = zip((name for _, name in names), cells, strict=True)
    while batch := list(islice(answered, BATCH)):
        yield from _answer(batch, predictor)


def _pictures(paths: Iterable[Path]) -> Iterator[tuple[Source, str]]:
    for path in paths:
        if path.is_file() and path.suffix.lower() != ".zip":
            yield FolderSource(path.parent), path.name
        else:
            source = open_source(path)
            yield from ((source, entry.name) for entry in source.walk())


def _answer(
    batch: list[tuple[str, Pixels | DataError]], predictor: Predictor
) -> Iterator[Prediction]:
    readable = [pixels for _, pixels in batch if not isinstance(pixels, DataError)]
    answers = iter(predictor(np.stack(readable)) if readable else ())
    for file, pixels in batch:
        cell = PurePosixPath(file).stem
        if isinstance(pixels, DataError):
            yield Prediction(cell, None, None, file, str(pixels))
        else:
            p = round(float(next(answers)), 6)
            yield Prediction(cell, predictor.bundle.label(p), p, file)
