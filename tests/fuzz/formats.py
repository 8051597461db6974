"""Edits of pictures that know their format: its numbers, its parts, its checksums."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from random import Random

from tests.fuzz.mutations import mutated, put_number

#: Where a number is, and its form for `struct`.
Number = tuple[int, str]

#: Start and end of a part that can be left out, repeated or moved.
Part = tuple[int, int]

#: Bytes of a PNG's signature, and of a JPEG's beginning.
_PNG_HEAD, _JPEG_HEAD = 8, 2

#: Numbers in the header of a BMP and of a GIF.
_BMP = [(2, "<I"), (10, "<I"), (14, "<I"), (18, "<I"), (22, "<I"), (26, "<H"), (28, "<H")]
_BMP += [(30, "<I"), (34, "<I"), (46, "<I"), (50, "<I")]
_GIF = ((6, "<H"), (8, "<H"), (10, "<B"), (11, "<B"), (12, "<B"))


def edited(data: bytes, others: list[bytes], rng: Random) -> bytes:
    """Return a picture with another number, or with other parts; PNG gets right checksums.

    `others` are pictures whose parts may be used.
    """
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 4])):
        parts, found = [*_parts(changed)], [*_numbers(changed)]
        if parts and rng.random() < 0.4:
            changed = _with_other_parts(changed, parts, rng.choice(others), rng)
        elif found:
            put_number(changed, *rng.choice(found), rng)
    if rng.random() < 0.1:
        changed = bytearray(mutated(bytes(changed), rng))
    return with_checksums(changed) if rng.random() < 0.9 else bytes(changed)


def _with_other_parts(data: bytearray, parts: list[Part], other: bytes, rng: Random) -> bytearray:
    start, end = rng.choice(parts)
    how = rng.randrange(4)
    if how == 0:
        return data[:start] + data[end:]
    if how == 1:
        times = rng.choice([1, 2, 50, 5000]) if end - start < 1000 else 1
        return data[:end] + data[start:end] * times + data[end:]
    if how == 2:
        to, _ = rng.choice(parts)
        part, rest = data[start:end], data[:start] + data[end:]
        return rest[:to] + part + rest[to:]
    theirs = [*_parts(other)] or [(0, min(len(other), 1000))]
    first, last = rng.choice(theirs)
    return data[:start] + other[first:last] + data[rng.choice([start, end]) :]


def _numbers(data: bytes | bytearray) -> Iterator[Number]:
    """Yield where a picture has sizes, depths, counts and offsets."""
    if data[:4] == b"\x89PNG":
        for start, end in _parts(data):
            yield start, ">I"
            yield from _numbers_of_chunk(bytes(data[start + 4 : start + 8]), start + 8, end - 4)
    elif data[:2] == b"\xff\xd8":
        for start, end in _parts(data):
            yield start + 2, ">H"
            yield from ((at, ">H") for at in range(start + 4, min(end, start + 12)))
            yield from ((at, ">B") for at in range(start + 4, min(end, start + 24)))
    elif data[:2] in (b"II", b"MM"):
        yield from _tiff_numbers(data)
    elif data[:2] == b"BM":
        yield from _BMP
    elif data[:3] == b"GIF":
        yield from _GIF
        at = data.find(b",")
        yield from ((at + 1 + 2 * k, "<H") for k in range(4))
        yield at + 10, "<B"
    elif data[:4] == b"RIFF":
        yield 4, "<I"
        for start, end in _parts(data):
            yield start + 4, "<I"
            yield from ((at, "<I") for at in range(start + 8, min(end, start + 24)))
    else:  # AVIF has its boxes at the beginning, PPM its sizes
        yield from ((at, ">I") for at in range(0, min(len(data) - 4, 400)))
        yield from ((at, ">B") for at in range(0, min(len(data), 20)))


def _numbers_of_chunk(name: bytes, start: int, end: int) -> Iterator[Number]:
    if name == b"IHDR":
        yield from ((start, ">I"), (start + 4, ">I"))
        yield from ((start + k, ">B") for k in range(8, 13))
    elif name in (b"acTL", b"fcTL", b"pHYs", b"gAMA", b"eXIf", b"iCCP", b"tRNS", b"PLTE"):
        yield from ((at, ">I") for at in range(start, end - 3, 4))
        yield from ((at, ">B") for at in range(start, min(end, start + 30)))


def _parts(data: bytes | bytearray) -> Iterator[Part]:
    """Yield the chunks of a PNG or WebP, the segments of a JPEG, the entries of a TIFF."""
    if data[:4] == b"\x89PNG":
        yield from _chunks(data, _PNG_HEAD, ">I", 12)
    elif data[:4] == b"RIFF":
        yield from _chunks(data, 12, "<4xI", 8)
    elif data[:2] == b"\xff\xd8":
        at = _JPEG_HEAD
        while at + 4 <= len(data) and data[at] == 0xFF:
            (length,) = struct.unpack_from(">H", data, at + 2)
            end = len(data) if data[at + 1] == 0xDA else at + 2 + max(2, length)
            yield at, min(end, len(data))
            at = end
    elif data[:2] in (b"II", b"MM"):
        yield from ((at, at + 12) for at in _tiff_entries(data))


def _chunks(data: bytes | bytearray, at: int, form: str, around: int) -> Iterator[Part]:
    while at + around <= len(data):
        (length,) = struct.unpack_from(form, data, at)
        end = at + around + length + (length % 2 if form != ">I" else 0)
        yield at, min(end, len(data))
        at = end


def _tiff_numbers(data: bytes | bytearray) -> Iterator[Number]:
    order = "<" if data[:2] == b"II" else ">"
    yield 4, f"{order}I"
    at = 8
    for at in _tiff_entries(data):
        yield from ((at, f"{order}H"), (at + 2, f"{order}H"), (at + 4, f"{order}I"))
        yield from ((at + 8, f"{order}I"), (at + 8, f"{order}H"))
    yield at + 12, f"{order}I"  # where the next page is


def _tiff_entries(data: bytes | bytearray) -> Iterator[int]:
    """Yield where the entries of the first page's directory are."""
    order = "<" if data[:2] == b"II" else ">"
    if len(data) < 8:
        return
    (at,) = struct.unpack_from(f"{order}I", data, 4)
    if at + 2 > len(data):
        return
    (count,) = struct.unpack_from(f"{order}H", data, at)
    for number in range(min(count, 100)):
        if at + 14 + 12 * number <= len(data):
            yield at + 2 + 12 * number


def with_checksums(data: bytes | bytearray) -> bytes:
    """Return a PNG with the right checksum in each chunk; any other file as it is."""
    changed = bytearray(data)
    if changed[:4] == b"\x89PNG":
        for start, end in [*_parts(changed)]:
            struct.pack_into(">I", changed, end - 4, zlib.crc32(changed[start + 4 : end - 4]))
    return bytes(changed)
