"""Plain WebP files, decoded by OpenCV: all cores do, while Pillow decodes one WebP at a time.

Plain is lossless, in the simple file format (RFC 9649, section 2.6), which has no colour profile,
rotation or animation, and without transparency. Other files, also damaged ones, are left to Pillow.
"""

from __future__ import annotations

import struct

import cv2
import numpy as np

from hemozoin.arrays import Pixels
from hemozoin.data.decoding.limits import MAX_PLAIN_PIXELS

#: Bytes of the headers of the file and of its only chunk: "RIFF", size, "WEBPVP8L", size.
_FILE, _HEADERS = 8, 20

#: The first byte of lossless pixels (RFC 9649, section 3.4), and the bits of a side, less 1.
_SIGNATURE, _SIDE_BITS = 0x2F, 14


def decode_plain_webp(data: bytes) -> Pixels | None:
    """Return the pixels of a plain WebP, uint8 `[H, W, 3]` in RGB; None for any other file."""
    if len(data) < _HEADERS + 5 or data[:4] != b"RIFF" or data[8:16] != b"WEBPVP8L":
        return None
    file, chunk = (struct.unpack_from("<I", data, at)[0] for at in (4, 16))
    is_whole = file + _FILE == len(data) and chunk + chunk % 2 + _HEADERS == len(data)
    signature, header = struct.unpack_from("<BI", data, _HEADERS)
    width, height = (1 + (header >> bits) % 2**_SIDE_BITS for bits in (0, _SIDE_BITS))
    has_alpha_or_version = header >> 2 * _SIDE_BITS
    is_plain = is_whole and signature == _SIGNATURE and not has_alpha_or_version
    if not is_plain or width * height > MAX_PLAIN_PIXELS:
        return None
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    return None if pixels is None else np.asarray(pixels, np.uint8)
