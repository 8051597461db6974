"""Scans: pictures too large for memory, read in tiles that are fields of their own.

The file is read once, from top to bottom, whatever its format, and only a few rows of tiles are
in memory at a time. A tile is named after the position of its upper left corner in px, as in
"scan.tif@y01024x02048". A cell cut by the edge of a tile isn't counted, as in any field.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from hemozoin.arrays import Pixels
from hemozoin.data.decoding.formats import format_of, head_of
from hemozoin.data.source import Entry
from hemozoin.errors import DataError

#: Pictures of up to this many px are not scans: the cameras of microscopes have fewer.
_LARGEST_FIELD = 32_000_000

#: Largest width and height of a tile in px: about two fields of a microscope's camera.
_TILE = 2048, 1024

#: A file with fewer bytes is not opened as a scan: no picture of so many cells is that small.
_SMALLEST_FILE = 2**20

#: A picture with more px on a side is no scan: a row of tiles would take 600 MB, and a file can
#: claim any size.
_LONGEST_SIDE = 200_000

#: libvips' loader for each format. Without a name, libvips may start another program for a file.
_LOADERS = {"PNG": "pngload", "JPEG": "jpegload", "TIFF": "tiffload", "WEBP": "webpload"}

#: Rows of tiles in memory at a time: threads read tiles nearly in order, but not exactly.
_HELD = 2

#: Lines requested from libvips at a time: it needs as much memory again as is requested.
_LINES = 64


def open_scan(path: Path, entry: Entry) -> Scan | None:
    """Return a file, described by `entry`, as a scan; None where it is small enough for a field.

    Also None without libvips (`hemozoin[scans]`), and for a file that libvips can't read.
    """
    if entry.size < _SMALLEST_FILE:
        return None
    try:
        size = _loaded(path)
    except Exception:  # not installed, or no picture: `decode_field` raises the error for that
        return None
    if size.width * size.height <= _LARGEST_FIELD or max(size.width, size.height) > _LONGEST_SIDE:
        return None
    return Scan(path, entry, size.width, size.height)


class Scan:
    """The tiles of one large picture; threads may share it."""

    def __init__(self, path: Path, entry: Entry, width: int, height: int) -> None:
        self.path = path
        self._columns, self._rows = _parts(width, _TILE[0]), _parts(height, _TILE[1])
        digits = len(str(max(width, height)))
        self._tiles = {
            f"{entry.name}@y{top[0]:0{digits}}x{left[0]:0{digits}}": (row, left)
            for row, top in enumerate(self._rows)
            for left in self._columns
        }
        self._file, self._width = entry, width
        self._lock = Lock()
        self._picture: Any = None
        self._next = 0
        self._held: dict[int, Pixels] = {}

    def walk(self) -> Iterator[Entry]:
        """Yield every tile, from top left to bottom right, with the file's size and stamp.

        That is the order in which they are read, and the order of their names.
        """
        return (Entry(name, self._file.size, self._file.stamp) for name in self._tiles)

    def read(self, name: str) -> Pixels:
        """Return a tile, uint8 `[h, w, 3]`; raises DataError where the picture is damaged there."""
        row, (left, right) = self._tiles[name]
        with self._lock:
            try:
                pixels = self._row(row)[:, left:right]
            except Exception as error:  # libvips' messages have many lines
                why = " ".join(str(error).split())[-80:] or type(error).__name__
                raise DataError(f"{name}: the picture is damaged ({why})") from error
        return pixels.copy()  # a view would keep the whole row in memory

    def _row(self, row: int) -> Pixels:
        """Return a row of tiles, uint8 `[h, width, 3]`."""
        if row not in self._held:
            if self._picture is None or row < self._next:  # libvips can't go back
                self._picture = _open(self.path)
            top, bottom = self._rows[row]
            while len(self._held) >= _HELD:
                del self._held[min(self._held)]
            lines = [self._lines(start, bottom) for start in range(top, bottom, _LINES)]
            self._held[row] = np.concatenate(lines)
            self._next = row + 1
        return self._held[row]

    def _lines(self, start: int, end: int) -> Pixels:
        data = self._picture.fetch(0, start, self._width, min(_LINES, end - start))
        return np.frombuffer(data, np.uint8).reshape(-1, self._width, 3)


def _open(path: Path) -> Any:
    """Open a picture to be read from top to bottom: RGB, 8 bits, transparency laid on black.

    It is opened as a region, because libvips closes the file of a whole picture at its end.
    """
    import pyvips  # noqa: PLC0415

    picture = _loaded(path, access="sequential", fail_on="error").colourspace("srgb")
    opaque = picture.flatten() if picture.hasalpha() else picture
    return pyvips.Region.new(opaque.cast("uchar"))


def _loaded(path: Path, **options: str) -> Any:
    """Open a picture with libvips; raises any error for a file that is in no known format."""
    import pyvips  # noqa: PLC0415  (an optional extra)

    loader = _LOADERS[format_of(head_of(path)) or ""]
    return getattr(pyvips.Image, loader)(str(path), revalidate=True, **options)


def _parts(length: int, most: int) -> list[tuple[int, int]]:
    """Return start and end of equal parts of a length, none longer than `most`."""
    count = -(-length // most)
    edges = [round(part * length / count) for part in range(count + 1)]
    return list(pairwise(edges))
