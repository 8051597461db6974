"""Limits for files that would take minutes or gigabytes to decode.

A decoder does what a file says, and a small file can say much: a thousand passes over all pixels,
a tile far larger than the picture, a million empty parts. Real pictures are far within the limits.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

from PIL import Image

#: A larger picture is no cell and no field; a small file that claims more pixels is an attack.
MAX_PIXELS = 64_000_000

#: Most pixels of a plain PNG or WebP of a cell: a batch of them is in memory at once. A cell's has
#: 20,000; NLM's largest 155,000.
MAX_PLAIN_PIXELS = 250_000

#: Decoders of Pillow that are Python code, and take about a second for a million pixels; and the
#: largest picture for them.
_SLOW_DECODERS, _MAX_SLOW_PIXELS = ("bmp_rle", "ppm", "ppm_plain"), 4_000_000

#: Largest number of reads of a file. Pillow reads one part of a PNG, or one marker of a JPEG, at a
#: time, and pixels in blocks: 10,000 reads are many.
_MAX_READS = 1_000_000

#: Largest number of scans and of EXIF blocks in a JPEG. A progressive one has about ten scans.
_MAX_JPEG_PARTS = 64

#: The sides of a TIFF's tiles, in px.
_TILE_WIDTH, _TILE_HEIGHT = 322, 323


class LimitedFile(io.BytesIO):
    """A file in memory that can be read a limited number of times; then it raises ValueError."""

    _reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next `size` bytes."""
        self._reads += 1
        if self._reads > _MAX_READS:
            raise ValueError("the file has too many parts")
        return super().read(size)


def require_few_jpeg_parts(data: bytes) -> None:
    """Raise ValueError for a JPEG with many scans or EXIF blocks; each takes as long as the first.

    The bytes of a marker are never part of the pixels, and seldom part of anything else.
    """
    if data.startswith(b"\xff\xd8"):
        parts = max(data.count(b"\xff\xda"), data.count(b"Exif\0\0"))
        if parts > _MAX_JPEG_PARTS:
            raise ValueError(f"a JPEG of {parts} parts; save it as PNG")


def require_quick_decoder(image: Image.Image) -> None:
    """Raise ValueError for an open picture whose decoder would take long, or much memory."""
    pixels = image.width * image.height
    decoders = {tile[0] for tile in getattr(image, "tile", ())}
    if decoders.intersection(_SLOW_DECODERS) and pixels > _MAX_SLOW_PIXELS:
        raise ValueError(f"{pixels} pixels in a format that is slow to decode; save it as PNG")
    tags = getattr(image, "tag_v2", {})
    tile = int(tags.get(_TILE_WIDTH, 0)) * int(tags.get(_TILE_HEIGHT, 0))
    if tile > max(_MAX_SLOW_PIXELS, 2 * pixels):
        raise ValueError(f"a tile of {tile} pixels in a picture of {pixels}")


class PixelBudget:
    """Limits how many pixels the threads of this process decode at the same time."""

    def __init__(self, total: int) -> None:
        self._total = self._free = total
        self._changed = Condition()

    @contextmanager
    def reserve(self, pixels: int) -> Iterator[None]:
        """Wait until this number of pixels is free, and reserve it until the block ends.

        A picture with more pixels than the whole budget waits until no other is being decoded.
        """
        pixels = min(pixels, self._total)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= pixels)
            self._free -= pixels
        try:
            yield
        finally:
            with self._changed:
                self._free += pixels
                self._changed.notify_all()
