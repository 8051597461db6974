"""Pictures of cells, wherever they come from, prepared for the network."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from PIL import Image

from hemozoin.arrays import Pixels
from hemozoin.data.picture import cell_from, decode_cell, from_array
from hemozoin.data.preprocess import Preprocessing, prepare
from hemozoin.data.source import FolderSource, Source, open_source, utf8
from hemozoin.data.store import decode_one
from hemozoin.errors import DataError

#: A picture of one cell: a file, a Pillow picture, or uint8 `[H, W, 3]` in RGB.
Picture = str | Path | Image.Image | Pixels


class PreparedPicture(NamedTuple):
    """A picture on its way to the network: its pixels, or why it has none."""

    cell: str
    file: str | None
    pixels: Pixels | DataError


def open_pictures(path: Path) -> tuple[Source, Iterator[str]]:
    """Return a file's folder, a folder or a zip, and the names of the pictures in it.

    Raises DataError for a path that is missing, a zip that can't be opened, and one without a
    file.
    """
    if path.is_file() and path.suffix.lower() != ".zip":
        return FolderSource(path.parent), iter([path.name])
    source = open_source(path)
    entries = source.walk()
    first = next(entries, None)
    if first is None:
        raise DataError(f"{path}: has no pictures; give a picture, a folder or a zip of them")
    return source, (entry.name for entry in chain([first], entries))


def prepare_from_source(picture: tuple[Source, str], how: Preprocessing) -> PreparedPicture:
    """Decode and prepare a picture in a source, given by its name."""
    source, name = picture
    file = utf8((source.path / name).as_posix())
    return PreparedPicture(PurePosixPath(file).stem, file, decode_one(source, name, how))


def prepare_picture(numbered: tuple[int, Picture], how: Preprocessing) -> PreparedPicture:
    """Decode and prepare a picture of any kind; its number is its name where it has none."""
    number, picture = numbered
    cell, file = str(number), None
    if isinstance(picture, str | Path):
        file = utf8(Path(picture).as_posix())
        cell = PurePosixPath(file).stem
    try:
        prepared = prepare(_opened(picture, f"picture {number}"), how)
    except DataError as error:
        return PreparedPicture(cell, file, error)
    return PreparedPicture(cell, file, prepared)


def _opened(picture: Picture, name: str) -> Image.Image:
    """Return a picture of any kind as Pillow's, in RGB; raises DataError where it is none."""
    if isinstance(picture, str | Path):
        path = Path(picture)
        return decode_cell(FolderSource(path.parent).read(path.name), path.name)
    if isinstance(picture, Image.Image):
        return cell_from(picture, name)
    return cell_from(from_array(picture, name), name)
