"""Pillow images: their bytes as a file, thumbnails, and the font for text on them."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

from PIL import Image, ImageFont

#: Longer side of a thumbnail in px; on a phone's screen it is sharp at half that size.
_THUMBNAIL = 128


def to_jpeg(image: Image.Image, quality: int, *, subsampling: int = -1) -> bytes:
    """Return an RGB image as the bytes of a JPEG file.

    `subsampling` is that of colour: 0 for none, -1 for Pillow's default (4:2:0).
    """
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    return buffer.getvalue()


def to_png(image: Image.Image, *, compress_level: int = -1, optimize: bool = False) -> bytes:
    """Return an image as the bytes of a PNG file.

    `compress_level` is zlib's, 0 (none) to 9, or -1 for its default; `optimize` makes the file
    as small as possible.
    """
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=compress_level, optimize=optimize)
    return buffer.getvalue()


def thumbnail(image: Image.Image) -> bytes:
    """Return an RGB image as a JPEG of at most 128 px on a side.

    Colour is not subsampled: a parasite is only a few pixels wide.
    """
    small = image.copy()
    small.thumbnail((_THUMBNAIL, _THUMBNAIL))
    return to_jpeg(small, 90, subsampling=0)


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """Return DejaVu Sans; Pillow's own font has no accents."""
    return ImageFont.truetype(Path(__file__).with_name("fonts") / "DejaVuSans.ttf", size)
