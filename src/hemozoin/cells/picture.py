"""Any picture that Pillow reads, as RGB uint8."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from hemozoin.errors import DataError

#: A gigapixel scan is not a cell, and a small file that claims to be one is a bomb.
MAX_PIXELS = 64_000_000

#: A thumbnail's longer side in px: sharp at half that size on a phone's screen.
_THUMBNAIL = 128

Pixels = npt.NDArray[np.uint8]


def decode(data: bytes, name: str = "picture") -> Image.Image:
    """Decode the bytes of a picture into a Pillow image in mode RGB, 1 x 1 or larger.

    8-bit, 16-bit, grey, palette, CMYK; transparency is laid on black, as the background of
    NLM's cells is; EXIF rotation is applied; of an animation the first frame is taken.
    Raises DataError, starting with `name`, for what is no picture or above `MAX_PIXELS`.
    """
    try:
        image = Image.open(io.BytesIO(data))
        if not 0 < image.width * image.height <= MAX_PIXELS:
            raise DataError(f"{name}: {image.width}x{image.height} pixels, not a picture of a cell")
        image.load()
        with contextlib.suppress(Exception):  # damaged metadata doesn't spoil the pixels
            ImageOps.exif_transpose(image, in_place=True)
        return _to_rgb(image)
    except DataError:
        raise
    except Exception as error:  # Pillow's plugins raise what they like on damaged files
        raise DataError(f"{name}: not a readable picture ({_reason(error, data)})") from error


def thumbnail(image: Image.Image) -> bytes:
    """Return an RGB picture as a JPEG of at most 128 px; the colour, a speck, isn't subsampled."""
    small, buffer = image.copy(), io.BytesIO()
    small.thumbnail((_THUMBNAIL, _THUMBNAIL))
    small.save(buffer, "JPEG", quality=90, subsampling=0)
    return buffer.getvalue()


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
