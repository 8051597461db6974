"""ICC profiles of colour spaces, written by hand."""

from __future__ import annotations

import struct

import numpy as np

#: Colours of the three primaries as XYZ under D50, one row each, and the gamma.
ADOBE_RGB = (
    [[0.60974, 0.31111, 0.01947], [0.20528, 0.62567, 0.06087], [0.14919, 0.06322, 0.74457]],
    2.2,
)
DISPLAY_P3 = (
    [[0.51512, 0.24120, -0.00105], [0.29198, 0.69225, 0.04189], [0.15710, 0.06657, 0.78407]],
    2.2,
)
SRGB = (
    [[0.43607, 0.22249, 0.01392], [0.38515, 0.71687, 0.09708], [0.14307, 0.06061, 0.71410]],
    2.2,
)

Space = tuple[list[list[float]], float]


def write_profile(space: Space) -> bytes:
    """Return the profile of a screen with these primaries and this gamma."""
    primaries, gamma = space
    tags = {b"wtpt": _xyz([0.9642, 1.0, 0.8249])}
    for letter, primary in zip(b"rgb", primaries, strict=True):
        tags[bytes([letter]) + b"XYZ"] = _xyz(primary)
        tags[bytes([letter]) + b"TRC"] = b"curv" + struct.pack(">4xIH2x", 1, round(gamma * 256))
    tags[b"desc"] = b"desc" + struct.pack(">4xI", 2) + b"x\0" + bytes(78)
    tags[b"cprt"] = b"text\0\0\0\0none\0\0\0\0"
    table, body, at = b"", b"", 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    size = at + len(body)
    header = struct.pack(">I4xI", size, 0x02400000) + b"mntrRGB XYZ " + bytes(12) + b"acsp"
    header = header.ljust(68, b"\0") + _numbers([0.9642, 1.0, 0.8249])
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def to_srgb(colour: list[int], space: Space) -> list[int]:
    """Return a colour of this space in sRGB, 0..255, as the standards define it."""
    primaries, gamma = space
    xyz = (np.array(colour) / 255) ** gamma @ np.array(primaries)
    linear = (xyz @ np.linalg.inv(np.array(SRGB[0]))).clip(0, 1)
    curve = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return [int(value) for value in (255 * curve).round()]


def _xyz(values: list[float]) -> bytes:
    return b"XYZ \0\0\0\0" + _numbers(values)


def _numbers(values: list[float]) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)
