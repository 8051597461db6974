"""Pictures of cells from files, folders, zips or memory, prepared for the network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from PIL import Image

from hemozoin.arrays import Pixels
from hemozoin.data.picture import (
    cell_from_image,
    image_from_array,
    process_cell,
    unexpected_errors,
)
from hemozoin.data.preprocess import Preprocessing, prepare
from hemozoin.data.source import FolderSource, Source, as_utf8, open_source
from hemozoin.data.store import decode_batch
from hemozoin.errors import DataError

#: A picture of one cell: a file, a Pillow picture, or uint8 `[H, W, 3]` in RGB.
Picture = str | Path | Image.Image | Pixels


class PreparedPicture(NamedTuple):
    """A prepared picture: its pixels, uint8 `[S, S, 3]`, or the error that it raised."""

    cell: str
    file: str | None
    pixels: Pixels | DataError


def open_pictures(path: Path, without: Iterable[Path] = ()) -> tuple[Source, Iterator[str]]:
    """Return a source (a folder or a zip; for one file, its folder) and the picture names in it.

    Files at and below the paths `without` are left out: the command writes them itself. Raises
    DataError for a missing path, a zip that can't be opened, and a folder or zip without pictures.
    """
    source: Source
    if path.is_file() and path.suffix.lower() != ".zip":
        source, names = FolderSource(path.parent), iter([path.name])
    else:
        source = open_source(path)
        names = (entry.name for entry in source.walk())
    left_out = _names_in(source.path, without)
    pictures = (name for name in names if not _is_below(name, left_out))
    first = next(pictures, None)
    if first is None:
        raise DataError(f"{path}: has no pictures; give a picture, a folder or a zip of them")
    return source, chain([first], pictures)


def _names_in(folder: Path, paths: Iterable[Path]) -> list[str]:
    """Return the names below a folder of those paths that are in it."""
    real, inner = folder.resolve(), [path.resolve() for path in paths]
    return [path.relative_to(real).as_posix() for path in inner if path.is_relative_to(real)]


def _is_below(name: str, names: list[str]) -> bool:
    return any(name == one or name.startswith(f"{one}/") for one in names)


def prepare_from_sources(
    pictures: Sequence[tuple[Source, str]], preprocessing: Preprocessing
) -> list[PreparedPicture]:
    """Decode and prepare some pictures, each given by its source and its name there."""
    files = [as_utf8((source.path / name).as_posix()) for source, name in pictures]
    return [
        PreparedPicture(PurePosixPath(file).stem, file, pixels)
        for file, pixels in zip(files, decode_batch(pictures, preprocessing), strict=True)
    ]


def prepare_pictures(
    numbered: Sequence[tuple[int, Picture]], preprocessing: Preprocessing
) -> list[PreparedPicture]:
    """Decode and prepare some pictures of any kind; without a file, its number is its name."""
    return [_prepare_picture(number, picture, preprocessing) for number, picture in numbered]


def _prepare_picture(
    number: int, picture: Picture, preprocessing: Preprocessing
) -> PreparedPicture:
    cell, file = str(number), None
    if isinstance(picture, str | Path):
        file = as_utf8(Path(picture).as_posix())
        cell = PurePosixPath(file).stem
    name = f"picture {number}"
    try:
        with unexpected_errors(name):
            pixels = _prepare(picture, name, preprocessing)
    except DataError as error:
        return PreparedPicture(cell, file, error)
    return PreparedPicture(cell, file, pixels)


def _prepare(picture: Picture, name: str, preprocessing: Preprocessing) -> Pixels:
    """Prepare a picture of any kind; raises DataError if it is invalid."""
    if isinstance(picture, str | Path):
        path = Path(picture)
        data = FolderSource(path.parent).read(path.name)
        return process_cell(data, path.name, lambda cell: prepare(cell, preprocessing))
    image = picture if isinstance(picture, Image.Image) else image_from_array(picture, name)
    return prepare(cell_from_image(image, name), preprocessing)
