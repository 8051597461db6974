"""Samples of more than 8 bits, brought to 0..255 by the range that they really have.

Cameras measure 10, 12 or 14 bits, and their programs write them into 16: white is then 4095, not
65535. The range is never the picture's own: brightness is information.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from hemozoin.arrays import Pixels

#: Bits of the values that cameras measure, up to the largest of a type; and half of these ranges.
_UNSIGNED, _SIGNED, _HALF = (8, 10, 12, 14, 16), (8, 10, 12, 14, 15), (7, 9, 11, 13, 15)

#: ImageJ writes signed values with this number added. Only values of up to 12 bits above it are
#: taken for such: no real picture has all its values in so small a part of the range.
_OFFSET, _ABOVE_OFFSET = 32768, 4095

#: Negative values down to this share of the largest are noise around black. With larger ones, zero
#: is the middle of the range.
_NOISE = 1 / 8

#: Values that are converted at once: as float64, those of a large picture take 500 MB.
_AT_ONCE = 2**20

#: TIFF's largest values, and the form of its samples (2: signed).
_MAX_SAMPLE, _S_MAX_SAMPLE, _BITS, _FORM = 281, 341, 258, 339


def to_8_bits(samples: npt.NDArray[np.generic], declared: int = 0) -> Pixels:
    """Return samples of any type, `[H, W]` or `[H, W, C]`, as uint8.

    Zero becomes 0, and 255 is the top of the smallest usual range that holds all values and the
    `declared` largest one: 8, 10, 12, 14 or 16 bits, or 0..1 for floats. Raises ValueError for
    values that are not numbers.
    """
    if not np.isfinite(samples).all():
        raise ValueError("some values are not numbers")
    black, white = _range(samples, declared)
    scaled = np.empty(samples.shape, np.uint8)
    rows = max(1, _AT_ONCE // max(1, samples[0].size))
    for start in range(0, len(samples), rows):
        values = samples[start : start + rows].astype(np.float64) - black
        scaled[start : start + rows] = (values * (255 / (white - black))).clip(0, 255).round()
    return scaled


def _range(samples: npt.NDArray[np.generic], declared: int) -> tuple[int, int]:
    """Return the values of black and white."""
    low, high = float(samples.min()), max(float(samples.max()), declared)
    kind = samples.dtype.kind
    if low < -_NOISE * high:
        half = _top(max(-low, high + 1) - 1, _HALF) + 1
        return -half, half - 1
    if kind == "u" and low >= _OFFSET and high <= _OFFSET + _ABOVE_OFFSET:
        return _OFFSET, _OFFSET + _top(high - _OFFSET, _UNSIGNED)
    if kind == "f" and high <= 1:
        return 0, 1
    return 0, _top(high, _SIGNED if samples.dtype == np.int16 else _UNSIGNED)


def _top(value: float, bits: Sequence[int]) -> int:
    """Return the largest number of the fewest of these bits that hold a value."""
    return int(next((2**one - 1 for one in bits if value < 2**one), 2 ** bits[-1] - 1))


def declared_top(image: Image.Image, data: bytes) -> int:
    """Return the largest value that samples of an open picture can have, as its file says; 0: none.

    `data` are the bytes of the file.
    """
    if image.format == "PPM":  # Pillow has scaled by the largest value already
        return 65535
    if image.format == "PNG":
        return _png_top(data)
    tags = getattr(image, "tag_v2", {})
    tops = [_first(tags.get(tag)) for tag in (_MAX_SAMPLE, _S_MAX_SAMPLE)]
    bits = _first(tags.get(_BITS))
    return max(*tops, 2**bits - 1 if 8 < bits < 16 else 0)


def signed_samples(image: Image.Image) -> npt.NDArray[np.generic] | None:
    """Return the samples of a loaded grey picture as the signed 8 or 16 bits of its file.

    None if it has others. Pillow takes 8 bits for unsigned, and makes 32 out of 16.
    """
    tags = getattr(image, "tag_v2", {})
    form = image.mode, _first(tags.get(_BITS)), _first(tags.get(_FORM))
    if form == ("L", 8, 2):
        return np.asarray(image).view(np.int8)
    return np.asarray(image).astype(np.int16) if form == ("I", 16, 2) else None


def _first(value: object) -> int:
    first = value[0] if isinstance(value, tuple) and value else value
    return int(first) if isinstance(first, int | float) and 0 <= first < 2**16 else 0


def _png_top(data: bytes) -> int:
    """Return the top of a PNG's significant bits, from its chunk sBIT before the pixels.

    PNG demands that they are the upper ones of the 16; `to_8_bits` finds out by the values.
    """
    start = data.find(b"sBIT", 33, data.find(b"IDAT"))
    return 0 if start < 0 else 2 ** min(16, data[start + 4]) - 1
