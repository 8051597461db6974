"""Pictures, folders and zips in, one answer per cell out: a stream, however many there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice, tee
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

    `cell` is the picture's name without folder and ending, `file` the whole of it, behind the
    folder or zip that it was found in. `label` is "parasitized" or "uninfected",
    `p_parasitized` in 0..1; both are None where the picture could not be read, and `error`
    says why.
    """

    cell: str
    label: str | None
    p_parasitized: float | None
    file: str
    error: str | None = None


#: A folder or a zip, and the names in it.
Pictures = tuple[Source, Iterator[str]]


def predict_paths(paths: Iterable[Path], predictor: Predictor) -> Iterator[Prediction]:
    """Return one prediction per picture, in order, made as they are asked for.

    A few batches are held, however many pictures there are; a bad one is a prediction with its
    error. Raises DataError, before it decodes any, for a path that is missing, a zip that can't
    be opened, and a folder or zip without a file.
    """
    opened = [_open(path) for path in paths]
    pictures, names = tee((source, name) for source, names in opened for name in names)
    cells = decode_all(pictures, predictor.bundle.preprocessing)
    answered = zip(names, cells, strict=True)
    batches = iter(lambda: list(islice(answered, BATCH)), [])
    return chain.from_iterable(_answer(batch, predictor) for batch in batches)


def _open(path: Path) -> Pictures:
    if path.is_file() and path.suffix.lower() != ".zip":
        return FolderSource(path.parent), iter([path.name])
    source = open_source(path)
    entries = source.walk()
    first = next(entries, None)
    if first is None:
        raise DataError(f"{path}: has no pictures; give a picture, a folder or a zip of them")
    return source, (entry.name for entry in chain([first], entries))


def _answer(
    batch: list[tuple[tuple[Source, str], Pixels | DataError]], predictor: Predictor
) -> Iterator[Prediction]:
    readable = [pixels for _, pixels in batch if not isinstance(pixels, DataError)]
    answers = iter(predictor(np.stack(readable)) if readable else ())
    for (source, name), pixels in batch:
        file = _utf8((source.path / name).as_posix())
        cell = PurePosixPath(file).stem
        if isinstance(pixels, DataError):
            yield Prediction(cell, None, None, file, _utf8(str(pixels)))
        else:
            p = round(float(next(answers)), 6)
            yield Prediction(cell, predictor.bundle.label(p), p, file)


def _utf8(name: str) -> str:
    """Replace what is not UTF-8 in a file's name: it can't stand in a table."""
    return name.encode(errors="replace").decode()
