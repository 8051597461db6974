"""Decode any picture that Pillow can read to RGB uint8."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from hemozoin.arrays import Pixels
from hemozoin.errors import DataError

#: A larger picture is no cell and no field; a small file that claims more pixels is an attack.
MAX_PIXELS = 64_000_000

#: Sides of a picture of one cell, in px; NLM's have 46 to 394. A picture of a whole field may be
#: within these limits: rejecting it is left to the out-of-distribution detector.
SMALLEST_SIDE, LARGEST_SIDE = 8, 10_000

#: Formats whose frames are an animation; in other formats they are pages or a stereo pair.
_ANIMATED = {"AVIF", "GIF", "PNG", "WEBP"}

_EXPECTED = "give a path, a Pillow picture, or uint8 [height, width, 3] in RGB"


def decode(data: bytes, name: str = "picture") -> Image.Image:
    """Decode the bytes of a picture into a Pillow image in mode RGB, 1 x 1 or larger.

    It may be 8-bit, 16-bit, grey, with a palette or CMYK. Transparent pixels become black, like
    the background of NLM's cells. EXIF rotation is applied. Of an animation, the first frame is
    used. Raises DataError, starting with `name`, if this is not a picture or has more than
    `MAX_PIXELS`.
    """
    with _decode_errors(name, data):
        return _load(Image.open(io.BytesIO(data)), name)


def decode_cell(data: bytes, name: str = "picture") -> Image.Image:
    """Decode as `decode` does, and also raise DataError for a picture that can't be of one cell.

    That is a picture with a side of less than `SMALLEST_SIDE` or more than `LARGEST_SIDE` px, or
    an animation.
    """
    with _decode_errors(name, data):
        image = Image.open(io.BytesIO(data))
        _require_one_cell(image, name)
        return _load(image, name)


def cell_from_image(image: Image.Image, name: str = "picture") -> Image.Image:
    """Do the same as `decode_cell` for an open Pillow image; the image itself is not changed."""
    with _decode_errors(name):
        _require_one_cell(image, name)
        return _load(image.copy(), name)


def rgb_from_image(image: Image.Image, name: str = "picture") -> Image.Image:
    """Do the same as `decode` for an open Pillow image; the image itself is not changed."""
    with _decode_errors(name):
        return _load(image.copy(), name)


def image_from_array(pixels: object, name: str = "picture") -> Image.Image:
    """Return uint8 `[H, W, 3]`, RGB, as a Pillow image; raises DataError for anything else."""
    if not isinstance(pixels, np.ndarray):
        raise DataError(f"{name}: a {type(pixels).__name__}; {_EXPECTED}")
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise DataError(f"{name}: {pixels.dtype} {list(pixels.shape)}; {_EXPECTED}")
    return Image.fromarray(pixels)


@contextlib.contextmanager
def _decode_errors(name: str, data: bytes = b"?") -> Iterator[None]:
    """Turn any error in decoding a picture into a DataError."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # Pillow's plugins raise all kinds of errors on damaged files
        raise DataError(f"{name}: not a readable picture ({_reason(error, data)})") from error


def _load(image: Image.Image, name: str) -> Image.Image:
    if not 0 < image.width * image.height <= MAX_PIXELS:
        raise DataError(f"{name}: {image.width}x{image.height} pixels, not a cell or a field")
    image.load()
    with contextlib.suppress(Exception):  # with damaged metadata, the pixels are still usable
        ImageOps.exif_transpose(image, in_place=True)
    return _to_rgb(image)


def _require_one_cell(image: Image.Image, name: str) -> None:
    if min(image.size) < SMALLEST_SIDE or max(image.size) > LARGEST_SIDE:
        raise DataError(
            f"{name}: {image.width}x{image.height} pixels, not a picture of one cell; give crops"
            f" of {SMALLEST_SIDE} to {LARGEST_SIDE} px on a side"
        )
    if image.format in _ANIMATED and getattr(image, "is_animated", False):
        raise DataError(f"{name}: an animation, not a picture of one cell; give one frame of it")


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):  # 16 or 32 bits per pixel, grey
        return Image.fromarray(_to_8_bits(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        black = Image.new("RGBA", image.size, "black")
        return Image.alpha_composite(black, image.convert("RGBA")).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _to_8_bits(grey: npt.NDArray[np.generic]) -> Pixels:
    """Scale by the range of the type, never by the picture's own range: brightness is information.

    The range of 16 bits is known. For 32-bit types it is the smallest usual range that holds all
    values of the picture: 0..1 (floats only), 0..255 or 0..65535.
    """
    values = grey.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("some values are not numbers")
    top = 65535.0
    if grey.dtype.itemsize > 2 and values.max() <= 255:
        top = 1.0 if grey.dtype.kind == "f" and values.max() <= 1 else 255.0
    return (values.clip(0, top) * (255 / top)).round().astype(np.uint8)


def _reason(error: Exception, data: bytes) -> str:
    if not data:
        return "empty file"
    if isinstance(error, UnidentifiedImageError):  # its own message is an address in memory
        return "unknown format"
    return str(error).replace("\n", " ")[:80] or type(error).__name__
