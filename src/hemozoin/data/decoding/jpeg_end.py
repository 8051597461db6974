"""JPEGs without their end mark, as some cameras and interrupted copies leave them.

Pillow reads no JPEG that ends early. Where all pixels are there, the mark is added; where some are
missing, the file stays as it is, and is refused: a field without its lower part has other counts.
"""

from __future__ import annotations

from PIL import Image

from hemozoin.data.decoding.limits import LimitedFile

_START, _SCAN, _END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"

#: Bytes that would become pixels, if pixels were missing.
_FILLINGS = tuple(byte * 1024 for byte in (b"\x00", b"\x55", b"\xaa", b"\xcc"))


def lacks_end_mark(data: bytes) -> bool:
    """Return whether the bytes of a file are those of a JPEG whose last scan has no end mark.

    The bytes of a mark are never part of the pixels.
    """
    return data.startswith(_START) and data.rfind(_END) < data.rfind(_SCAN)


def open_without_end_mark(data: bytes) -> Image.Image:
    """Open a JPEG that lacks its end mark; decoding it raises OSError where pixels are missing.

    They are missing if the picture depends on what follows its last byte.
    """
    data = data.removesuffix(_END[:1])  # half a mark
    first, *others = (_open(data + filling + _END).tobytes() for filling in _FILLINGS)
    return _open(data + _END if all(other == first for other in others) else data)


def _open(data: bytes) -> Image.Image:
    return Image.open(LimitedFile(data), formats=["JPEG"])
