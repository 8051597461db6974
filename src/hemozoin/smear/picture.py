"""The picture of a field, from the bytes of a file; what is no field is refused with a reason."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from hemozoin.data.cutout import brightest, is_cut_out
from hemozoin.data.picture import MAX_PIXELS, decode
from hemozoin.errors import DataError

#: Least side of a field in px. The red cells of a smaller one would have too few pixels.
SMALLEST_SIDE = 200

#: A field's cells have less than this share of its shorter side; it has hardly ten of them else.
_SINGLE = 0.3

#: A field has fewer squares of a cell's diameter than these; more would take more than 2 GB.
_MANY = 20_000

#: From this level (0..255) on a pixel isn't the black around a cell that was cut out.
_BLACK = 8


def decode_field(data: bytes, name: str = "picture") -> Image.Image:
    """Decode the bytes of a picture into a Pillow image in mode RGB.

    Raises DataError, starting with `name`, for what is no picture, has several pages, is too
    small for a field, or shows one cell that was cut out.
    """
    _require_one_field(data, name)
    return field_from(decode(data, name), name)


def field_from(picture: Image.Image, name: str = "picture") -> Image.Image:
    """Return an RGB picture that can be one of a field; raises DataError as `decode_field`."""
    width, height = picture.size
    if is_cut_out(brightest(np.asarray(picture)) > _BLACK):
        raise DataError(f"{name}: a cell on black, not a field; use hemozoin predict")
    if min(width, height) < SMALLEST_SIDE:
        raise DataError(
            f"{name}: {width}x{height} pixels, too small for a field (from {SMALLEST_SIDE} px on"
            " a side); for pictures of single cells use hemozoin predict"
        )
    return picture


def require_many_cells(picture: Image.Image, diameter: float, name: str = "picture") -> None:
    """Raise DataError where red cells of this diameter in px are too large or too small.

    Too large is a crop of one cell or of a few, too small a scan with more than can be held.
    """
    width, height = picture.size
    what = f"{name}: red cells of {diameter:.0f} px in {width}x{height} pixels"
    if diameter > _SINGLE * min(width, height):
        raise DataError(f"{what}: single cells, not a field; use hemozoin predict")
    if diameter and width * height > _MANY * diameter**2:
        raise DataError(f"{what}: too many for one field; cut it into several")


def _require_one_field(data: bytes, name: str) -> None:
    try:
        opened = Image.open(io.BytesIO(data))
        pages, pixels = getattr(opened, "n_frames", 1), opened.width * opened.height
    except Image.DecompressionBombError:
        pages, pixels = 1, MAX_PIXELS + 1
    except Exception:  # what can't be opened is told by `decode`, which says more
        return
    if pixels > MAX_PIXELS:
        raise DataError(
            f"{name}: more than {MAX_PIXELS // 10**6} million pixels; the command hemozoin screen"
            " reads such a scan in tiles with hemozoin[scans]"
        )
    if pages > 1:
        raise DataError(f"{name}: has {pages} pages; save each as a picture of its own")
