"""Pictures in, one answer per cell out: a stream, however many there are.

pictures ── batches, one to a thread: decoded, prepared, network, guard, band ── rows
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
from PIL import Image

from hemozoin.cells.picture import Pixels, cell_from, decode_cell, from_array
from hemozoin.cells.preprocess import Preprocessing, prepare
from hemozoin.cells.source import FolderSource, Source, open_source, utf8
from hemozoin.cells.store import decode_one
from hemozoin.cells.threads import in_threads
from hemozoin.errors import DataError
from hemozoin.judging.conformal import REVIEW
from hemozoin.model.bundle import Bundle
from hemozoin.model.session import BATCH, Floats

if TYPE_CHECKING:
    from hemozoin.model.predictor import Predictor

#: Why a cell is for review.
STRANGE, CLOSE = "not like the training cells", "too close to call"

Item = TypeVar("Item")

#: A picture of one cell: a file, a Pillow picture, or uint8 `[H, W, 3]` in RGB.
Picture = str | Path | Image.Image | Pixels


@dataclass(frozen=True)
class Prediction:
    """What the network says of one picture.

    `cell` is the picture's name without folder and ending (its number, from 0, where it has
    none), `file` the whole of it, behind the folder or zip that it was found in. `label` is
    "parasitized" or "uninfected", by the threshold; `decision` the same or "review", and
    `reason` why; `p_parasitized` is in 0..1. These are None where the picture could not be
    read, and `error` says why.
    """

    cell: str
    label: str | None
    decision: str | None
    p_parasitized: float | None
    reason: str | None
    file: str | None
    error: str | None = None


@dataclass(frozen=True, eq=False)
class Finding:
    """A prediction and what it rests on."""

    prediction: Prediction
    #: What the network saw, uint8 `[S, S, 3]`, and its log odds at each place, float `[H, W]`.
    #: None where the picture could not be read.
    pixels: Pixels | None = None
    map: Floats | None = None


class Said(NamedTuple):
    """What a network says of one prepared cell; see `Prediction` and `Finding`."""

    p_parasitized: float
    decision: str
    reason: str | None
    map: Floats


class Prepared(NamedTuple):
    """A picture on its way to the network."""

    cell: str
    file: str | None
    pixels: Pixels | DataError


#: A folder or a zip, and the names in it.
Pictures = tuple[Source, Iterator[str]]


def predict_paths(
    paths: Iterable[Path], predictor: Predictor, review: bool = True
) -> Iterator[Prediction]:
    """Return one prediction per picture in files, folders and zips, in order, as asked for.

    A few batches are held, however many pictures there are; a bad one is a prediction with its
    error. Without `review` every decision is the label. Raises DataError, before it decodes
    any, for a path that is missing, a zip that can't be opened, and one without a file.
    """
    return (found.prediction for found in find_in_paths(paths, predictor, review))


def find_in_paths(
    paths: Iterable[Path], predictor: Predictor, review: bool = True
) -> Iterator[Finding]:
    """Do as `predict_paths` does, and keep with each prediction what it rests on."""
    opened = [_open(path) for path in paths]
    pictures = ((source, name) for source, names in opened for name in names)
    return _findings(_from_source, pictures, predictor, review)


def predict_pictures(
    pictures: Iterable[Picture], predictor: Predictor, review: bool = True
) -> Iterator[Prediction]:
    """Return one prediction per picture, in order, as asked for; see `predict_paths`."""
    findings = _findings(_from_picture, enumerate(pictures), predictor, review)
    return (found.prediction for found in findings)


def _open(path: Path) -> Pictures:
    if path.is_file() and path.suffix.lower() != ".zip":
        return FolderSource(path.parent), iter([path.name])
    source = open_source(path)
    entries = source.walk()
    first = next(entries, None)
    if first is None:
        raise DataError(f"{path}: has no pictures; give a picture, a folder or a zip of them")
    return source, (entry.name for entry in chain([first], entries))


def _from_source(picture: tuple[Source, str], how: Preprocessing) -> Prepared:
    source, name = picture
    file = utf8((source.path / name).as_posix())
    return Prepared(PurePosixPath(file).stem, file, decode_one(source, name, how))


def _from_picture(numbered: tuple[int, Picture], how: Preprocessing) -> Prepared:
    number, picture = numbered
    cell, file = str(number), None
    if isinstance(picture, str | Path):
        file = utf8(Path(picture).as_posix())
        cell = PurePosixPath(file).stem
    try:
        return Prepared(cell, file, prepare(_opened(picture, f"picture {number}"), how))
    except DataError as error:
        return Prepared(cell, file, error)


def _opened(picture: Picture, name: str) -> Image.Image:
    """Return a picture of any kind as Pillow's, in RGB; raises DataError where it is none."""
    if isinstance(picture, str | Path):
        path = Path(picture)
        return decode_cell(FolderSource(path.parent).read(path.name), path.name)
    if isinstance(picture, Image.Image):
        return cell_from(picture, name)
    return cell_from(from_array(picture, name), name)


def _findings(
    prepare_one: Callable[[Item, Preprocessing], Prepared],
    pictures: Iterable[Item],
    predictor: Predictor,
    review: bool,
) -> Iterator[Finding]:
    """Answer in threads, each with a batch of its own from file to answer: no core waits."""
    left, how = iter(pictures), predictor.bundle.preprocessing
    batches = iter(lambda: list(islice(left, BATCH)), [])

    def work(batch: list[Item]) -> list[Finding]:
        return list(_answer([prepare_one(picture, how) for picture in batch], predictor, review))

    return chain.from_iterable(in_threads(work, batches, at_a_time=1))


def _answer(batch: list[Prepared], predictor: Predictor, review: bool) -> Iterator[Finding]:
    readable = [cell.pixels for cell in batch if not isinstance(cell.pixels, DataError)]
    seen = decide_cells(np.stack(readable), predictor) if readable else iter(())
    for cell in batch:
        if isinstance(cell.pixels, DataError):
            error = utf8(str(cell.pixels))
            yield Finding(Prediction(cell.cell, None, None, None, None, cell.file, error))
        else:
            said = next(seen)
            label = predictor.bundle.label(said.p_parasitized)
            decision, reason = (said.decision, said.reason) if review else (label, None)
            yield Finding(
                Prediction(cell.cell, label, decision, said.p_parasitized, reason, cell.file),
                cell.pixels,
                said.map,
            )


def decide_cells(pixels: Pixels, predictor: Predictor) -> Iterator[Said]:
    """Yield what is said of each of a batch of prepared cells, uint8 `[N, S, S, 3]`."""
    answers = predictor.answer(pixels)
    strange = predictor.bundle.guard.is_strange(pixels)
    p = np.round(answers.p_parasitized.astype(np.float64), 6)
    for one, is_strange, places in zip(p.tolist(), strange.tolist(), answers.map, strict=True):
        yield Said(one, *_decide(one, is_strange, predictor.bundle), places)


def _decide(p: float, strange: bool, bundle: Bundle) -> tuple[str, str | None]:
    """Return the decision, and the reason where it is `review`."""
    if strange:
        return REVIEW, STRANGE
    decision = bundle.band.decide(p)
    return decision, CLOSE if decision == REVIEW else None
