"""What is done with one field, wherever it is done: the bytes of a picture in, all found out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from hemozoin.cells.index import PARASITIZED
from hemozoin.errors import DataError
from hemozoin.judging.conformal import REVIEW
from hemozoin.smear.field import Field
from hemozoin.smear.overlay import cell_picture, draw_overlay
from hemozoin.smear.picture import decode_field
from hemozoin.smear.slides import Photo

#: Finds the cells of a picture, RGB, and asks the network; `str` is the field's name.
Screening = Callable[[Image.Image, str], Field]


@dataclass(frozen=True)
class Screened:
    """A field with its pictures, as JPEGs: the overlay, and each cell that a person should see.

    `pictures` goes by the number of the cell. A field that couldn't be read has none.
    """

    field: Field
    overlay: bytes | None
    pictures: dict[int, bytes]


def screen_photo(photo: Photo, screener: Screening) -> Screened:
    """Screen a file; one that can't be read becomes a field with its error."""
    try:
        data = photo.read()
    except DataError as error:
        return unreadable(photo.field, error)
    return screen_bytes(data, photo.field, screener)


def screen_bytes(data: bytes, name: str, screener: Screening) -> Screened:
    """Screen the picture in a file's bytes; what is no field becomes one with its error."""
    try:
        picture = decode_field(data, name)
        found = screener(picture, name)
    except DataError as error:
        return unreadable(name, error)
    pictures = {
        cell.cell: cell_picture(picture, cell)
        for cell in found.cells
        if cell.decision in (PARASITIZED, REVIEW)
    }
    return Screened(found, draw_overlay(picture, found), pictures)


def unreadable(name: str, error: DataError) -> Screened:
    """Return what stands for a picture that can't be read."""
    said = str(error).encode(errors="replace").decode()  # a name in it may not be UTF-8
    return Screened(Field(name, error=said), None, {})
