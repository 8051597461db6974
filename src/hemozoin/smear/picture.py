"""Decode the picture of a field, and refuse pictures that can't be one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image

from hemozoin.arrays import Pixels
from hemozoin.data.cutout import brightest, has_black_border
from hemozoin.data.decoding.limits import MAX_PIXELS
from hemozoin.data.picture import TooManyPixelsError, decode, image_from_array, is_animation
from hemozoin.errors import DataError
from hemozoin.smear.field_of_view import Disc, find_field_of_view

#: A picture before it is decoded: the content of its file, or the pixels `[H, W, 3]` of a tile.
PictureData = bytes | Pixels

#: Least side of a field in px. The red cells of a smaller one would have too few pixels.
SMALLEST_SIDE = 200

#: Largest diameter of a field's red cells, as a share of its shorter side. A picture with larger
#: cells shows fewer than about ten of them.
_MAX_DIAMETER = 0.3

#: Least diameter of a field's red cells in px. From 20 px on they can be classified; smaller ones
#: are a flaw, and these could not even be separated.
_MIN_CELL_DIAMETER = 10

#: Largest area of a field, in squares as wide as a cell. More would take more than 2 GB of memory.
_MAX_CELLS = 20_000

#: A disc on black in a picture with a shorter side below this one, in px, is a single cell.
_LARGE = 450

#: Least level (0..255) of a pixel that isn't part of the black around a cell that was cut out.
_NOT_BLACK = 8


def decode_field(data: PictureData, name: str = "picture") -> Image.Image:
    """Return the picture of a field as a Pillow image in mode RGB.

    Raises DataError, whose message starts with `name`, for data that are not a picture, and for
    a picture that is an animation, is too small for a field, or shows one cell cut out.
    """
    if isinstance(data, np.ndarray):
        return field_from(image_from_array(data, name), name)
    try:
        return field_from(decode(data, name, _require_field), name)
    except TooManyPixelsError as error:
        raise DataError(
            f"{name}: more than {MAX_PIXELS // 10**6} million pixels; with hemozoin[scans]"
            " installed the command hemozoin screen reads such a scan in tiles"
        ) from error


def field_from(picture: Image.Image, name: str = "picture") -> Image.Image:
    """Return an RGB picture that may show a field; raises DataError as `decode_field` does."""
    if _is_cell_on_black(picture):
        raise DataError(f"{name}: a cell on black, not a field; use hemozoin predict")
    _require_size(picture, name)
    return picture


def _is_cell_on_black(picture: Image.Image) -> bool:
    """Return whether a picture shows a cell that was cut out, not a field with a dark surround."""
    if not has_black_border([brightest(side) > _NOT_BLACK for side in _sides(picture)]):
        return False
    view = find_field_of_view(np.asarray(picture))
    return view is None or (isinstance(view, Disc) and min(picture.size) < _LARGE)


def _sides(picture: Image.Image) -> Iterator[Pixels]:
    """Yield the outermost rows and columns of a picture, without a copy of all its pixels."""
    width, height = picture.size
    rows = (0, 0, width, 1), (0, height - 1, width, height)
    columns = (0, 0, 1, height), (width - 1, 0, width, height)
    for side in (*rows, *columns):
        yield np.asarray(picture.crop(side))


def require_many_cells(width: int, height: int, diameter: float) -> None:
    """Raise DataError where red cells of this diameter are too large or too small; all in px.

    Too large are those of a crop with one or a few cells; too small are those that can't be
    separated, and those of a scan with more cells than fit into memory. A diameter of 0, where
    no object was found, is allowed.
    """
    cells = f"red cells of {diameter:.0f} px in {width}x{height} pixels"
    if diameter > _MAX_DIAMETER * min(width, height):
        raise DataError(f"{cells}: single cells, not a field; use hemozoin predict")
    if 0 < diameter < _MIN_CELL_DIAMETER:
        raise DataError(f"{cells}: too coarse; give a picture with red cells of 20 px or more")
    if diameter and width * height > _MAX_CELLS * diameter**2:
        raise DataError(f"{cells}: too many for one field; cut the picture into several")


def _require_field(opened: Image.Image, name: str) -> None:
    """Raise DataError for an open picture that is an animation, or is too small."""
    if is_animation(opened):
        raise DataError(f"{name}: an animation, not a field; save one frame of it as PNG")
    _require_size(opened, name)


def _require_size(picture: Image.Image, name: str) -> None:
    if min(picture.size) < SMALLEST_SIDE:
        raise DataError(
            f"{name}: {picture.width}x{picture.height} pixels, too small for a field (at least"
            f" {SMALLEST_SIDE} px on each side); for pictures of single cells use hemozoin predict"
        )
