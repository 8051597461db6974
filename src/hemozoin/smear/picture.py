"""Decode the picture of a field, and refuse pictures that can't be one."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from hemozoin.arrays import Pixels
from hemozoin.data.cutout import brightest, is_cut_out
from hemozoin.data.picture import MAX_PIXELS, decode, image_from_array
from hemozoin.errors import DataError

#: A picture before it is decoded: the content of its file, or the pixels `[H, W, 3]` of a tile.
PictureData = bytes | Pixels

#: Least side of a field in px. The red cells of a smaller one would have too few pixels.
SMALLEST_SIDE = 200

#: Largest diameter of a field's red cells, as a share of its shorter side. A picture with larger
#: cells shows fewer than about ten of them.
_MAX_DIAMETER = 0.3

#: Largest area of a field, in squares as wide as a cell. More would take more than 2 GB of memory.
_MAX_CELLS = 20_000

#: Least level (0..255) of a pixel that isn't part of the black around a cell that was cut out.
_NOT_BLACK = 8


def decode_field(data: PictureData, name: str = "picture") -> Image.Image:
    """Return the picture of a field as a Pillow image in mode RGB.

    Raises DataError, whose message starts with `name`, for data that are not a picture, and for
    a picture that has several pages, is too small for a field, or shows one cell cut out.
    """
    if isinstance(data, np.ndarray):
        return field_from(image_from_array(data, name), name)
    _require_one_page(data, name)
    return field_from(decode(data, name), name)


def field_from(picture: Image.Image, name: str = "picture") -> Image.Image:
    """Return an RGB picture that may show a field; raises DataError as `decode_field` does."""
    width, height = picture.size
    if is_cut_out(brightest(np.asarray(picture)) > _NOT_BLACK):
        raise DataError(f"{name}: a cell on black, not a field; use hemozoin predict")
    if min(width, height) < SMALLEST_SIDE:
        raise DataError(
            f"{name}: {width}x{height} pixels, too small for a field (at least {SMALLEST_SIDE} px"
            " on each side); for pictures of single cells use hemozoin predict"
        )
    return picture


def require_many_cells(picture: Image.Image, diameter: float, name: str = "picture") -> None:
    """Raise DataError where red cells of this diameter in px are too large or too small.

    Too large are those of a crop with one or a few cells; too small those of a scan with more
    cells than fit into memory.
    """
    width, height = picture.size
    cells = f"{name}: red cells of {diameter:.0f} px in {width}x{height} pixels"
    if diameter > _MAX_DIAMETER * min(width, height):
        raise DataError(f"{cells}: single cells, not a field; use hemozoin predict")
    if diameter and width * height > _MAX_CELLS * diameter**2:
        raise DataError(f"{cells}: too many for one field; cut the picture into several")


def _require_one_page(data: bytes, name: str) -> None:
    try:
        opened = Image.open(io.BytesIO(data))
        pages, pixels = getattr(opened, "n_frames", 1), opened.width * opened.height
    except Image.DecompressionBombError:
        pages, pixels = 1, MAX_PIXELS + 1
    except Exception:  # `decode` refuses a file that can't be opened, with a better message
        return
    if pixels > MAX_PIXELS:
        raise DataError(
            f"{name}: more than {MAX_PIXELS // 10**6} million pixels; with hemozoin[scans]"
            " installed the command hemozoin screen reads such a scan in tiles"
        )
    if pages > 1:
        raise DataError(f"{name}: has {pages} pages; save each page as a picture of its own")
