"""TIFF files, written tag by tag: with any number of pages, and pages below pages."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

#: The order of bytes in a number: the lowest first, or last.
Order = Literal["<", ">"]

#: A tag's value: a whole number or several, text, or other bytes.
Value = int | Sequence[int] | str | bytes


@dataclass
class Page:
    """A page: its samples, `[H, W]` or `[H, W, C]`, further tags, and the pages below it."""

    samples: npt.NDArray[np.generic]
    tags: Mapping[int, Value] = field(default_factory=dict)
    below: Sequence[Page] = ()


def write_tiff(*pages: Page, order: Order = "<", big: bool = False) -> bytes:
    """Return an uncompressed TIFF or BigTIFF with these pages."""
    writer = _Writer(order, big)
    writer.chain(pages)
    return bytes(writer.data)


class _Writer:
    def __init__(self, order: Order, big: bool) -> None:
        self.order, self.big = order, big
        self.offset, self.count = ("Q", "Q") if big else ("I", "H")
        name = {"<": b"II", ">": b"MM"}[order]
        version = struct.pack(f"{order}HHH", 43, 8, 0) if big else struct.pack(f"{order}H", 42)
        self.data = bytearray(name + version)
        self.first = len(self.data)
        self.data += self.pack(self.offset, 0)

    def pack(self, form: str, *values: int) -> bytes:
        return struct.pack(self.order + form, *values)

    def chain(self, pages: Sequence[Page]) -> None:
        link = self.first
        for page in pages:
            start, following = self.page(page)
            size = struct.calcsize(f"={self.offset}")
            self.data[link : link + size] = self.pack(self.offset, start)
            link = following

    def page(self, page: Page) -> tuple[int, int]:
        """Add a page, and return where it is, and where the position of the next one belongs."""
        below = [self.page(one)[0] for one in page.below]
        samples = page.samples.astype(page.samples.dtype.newbyteorder(self.order))
        strip = self.append(samples.tobytes())
        height, width, *channels = samples.shape
        number, bits = (channels or [1])[0], samples.dtype.itemsize * 8
        form = {"u": 1, "i": 2, "f": 3}[samples.dtype.kind]
        tags: dict[int, Value] = {256: width, 257: height, 258: [bits] * number, 259: 1}
        tags |= {262: 1 if number < 3 else 2, 273: strip, 277: number, 278: height}
        tags |= {279: samples.nbytes, 339: [form] * number, **({330: below} if below else {})}
        return self.directory(tags | dict(page.tags))

    def directory(self, tags: dict[int, Value]) -> tuple[int, int]:
        size = 8 if self.big else 4
        entries = b""
        for tag, value in sorted(tags.items()):
            kind, count, raw = self.value(tag, value)
            place = raw.ljust(size, b"\0")
            if len(raw) > size:
                place = self.pack(self.offset, self.append(raw))
            entries += self.pack("HH" + self.offset, tag, kind, count) + place
        start = self.append(self.pack(self.count, len(tags)) + entries)
        return start, self.append(bytes(size))

    def value(self, tag: int, value: Value) -> tuple[int, int, bytes]:
        if isinstance(value, str):
            raw = value.encode() + b"\0"
            return 2, len(raw), raw
        if isinstance(value, bytes):
            return 7, len(value), value
        values = [value] if isinstance(value, int) else list(value)
        if tag in (258, 262, 277, 338, 339, 340, 341):
            return 3, len(values), self.pack(f"{len(values)}H", *values)
        return 4, len(values), self.pack(f"{len(values)}I", *values)

    def append(self, raw: bytes) -> int:
        """Add bytes, and return where they are."""
        start = len(self.data)
        self.data += raw
        return start
