"""Any picture that Pillow reads, as RGB uint8."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from hemozoin.arrays import Pixels
from hemozoin.errors import DataError

#: A gigapixel scan is not a cell, and a small file that claims to be one is a bomb.
MAX_PIXELS = 64_000_000

#: Sides of a picture of one cell, in px; NLM's have 46 to 394. A whole field is left to the guard.
SMALLEST_SIDE, LARGEST_SIDE = 8, 10_000

#: Formats whose frames are one after the other; those of the others are pages, or for two eyes.
_ANIMATED = {"AVIF", "GIF", "PNG", "WEBP"}

#: A thumbnail's longer side in px: sharp at half that size on a phone's screen.
_THUMBNAIL = 128

_KINDS = "give a path, a Pillow picture, or uint8 [height, width, 3] in RGB"


def decode(data: bytes, name: str = "picture") -> Image.Image:
    """Decode the bytes of a picture into a Pillow image in mode RGB, 1 x 1 or larger.

    8-bit, 16-bit, grey, palette, CMYK; transparency is laid on black, as the background of
    NLM's cells is; EXIF rotation is applied; of an animation the first frame is taken.
    Raises DataError, starting with `name`, for what is no picture or above `MAX_PIXELS`.
    """
    with _refusing(name, data):
        return _loaded(Image.open(io.BytesIO(data)), name)


def decode_cell(data: bytes, name: str = "picture") -> Image.Image:
    """Decode as `decode` does, and raise DataError as well for what is not one cell.

    That is a picture of less than `SMALLEST_SIDE` or more than `LARGEST_SIDE` px on a side, and
    an animation.
    """
    with _refusing(name, data):
        image = Image.open(io.BytesIO(data))
        _require_one_cell(image, name)
        return _loaded(image, name)


def cell_from(image: Image.Image, name: str = "picture") -> Image.Image:
    """Return what `decode_cell` would of an open Pillow picture, which stays as it is."""
    with _refusing(name):
        _require_one_cell(image, name)
        return _loaded(image.copy(), name)


def rgb_from(image: Image.Image, name: str = "picture") -> Image.Image:
    """Return what `decode` would of an open Pillow picture, which stays as it is."""
    with _refusing(name):
        return _loaded(image.copy(), name)


def from_array(pixels: object, name: str = "picture") -> Image.Image:
    """Return uint8 `[H, W, 3]`, RGB, as a Pillow picture; raises DataError for anything else."""
    if not isinstance(pixels, np.ndarray):
        raise DataError(f"{name}: a {type(pixels).__name__}; {_KINDS}")
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise DataError(f"{name}: {pixels.dtype} {list(pixels.shape)}; {_KINDS}")
    return Image.fromarray(pixels)


def thumbnail(image: Image.Image) -> bytes:
    """Return an RGB picture as a JPEG of at most 128 px; the colour, a speck, isn't subsampled."""
    small, buffer = image.copy(), io.BytesIO()
    small.thumbnail((_THUMBNAIL, _THUMBNAIL))
    small.save(buffer, "JPEG", quality=90, subsampling=0)
    return buffer.getvalue()


@contextlib.contextmanager
def _refusing(name: str, data: bytes = b"?") -> Iterator[None]:
    """Turn what goes wrong with a picture into a DataError."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # Pillow's plugins raise what they like on damaged files
        raise DataError(f"{name}: not a readable picture ({_reason(error, data)})") from error


def _loaded(image: Image.Image, name: str) -> Image.Image:
    if not 0 < image.width * image.height <= MAX_PIXELS:
        raise DataError(f"{name}: {image.width}x{image.height} pixels, not a cell or a field")
    image.load()
    with contextlib.suppress(Exception):  # damaged metadata doesn't spoil the pixels
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
    """Scale by the range of the type, never by the picture's own: light is information.

    16 bits have a range; of the 32-bit types the smallest usual one that holds the picture
    is taken: 0..1 (floats only), 0..255 or 0..65535.
    """
    values = grey.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("values that are no numbers")
    top = 65535.0
    if grey.dtype.itemsize > 2 and values.max() <= 255:
        top = 1.0 if grey.dtype.kind == "f" and values.max() <= 1 else 255.0
    return (values.clip(0, top) * (255 / top)).round().astype(np.uint8)


def _reason(error: Exception, data: bytes) -> str:
    if not data:
        return "empty file"
    if isinstance(error, UnidentifiedImageError):  # its own text is an address in memory
        return "of no known format"
    return str(error).replace("\n", " ")[:80] or type(error).__name__
