"""Pictures too large to be held, as scanners make of a whole smear: read in tiles, each a field.

The file is read once, from top to bottom, so that a few rows of it are held however many there
are, whatever its format. A tile is named after the place of its upper left corner in px, as in
"scan.tif@y01024x02048", and a cell that its edge cuts isn't counted, as in any field.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from hemozoin.arrays import Pixels
from hemozoin.data.source import Entry
from hemozoin.errors import DataError

#: Up to so many px a picture is held whole: more than a microscope's camera has.
_LARGEST_FIELD = 32_000_000

#: Width and height of a tile in px at most: about two fields of a microscope's camera.
_TILE = 2048, 1024

#: A file of fewer bytes isn't looked into: no picture of so many cells is so small.
_SMALLEST_FILE = 2**20

#: Rows of tiles that are held: threads take tiles in order, but not quite.
_HELD = 2

#: Lines that libvips is asked for at a time: it holds as much of what it is asked for again.
_LINES = 64


def open_scan(path: Path, entry: Entry) -> Scan | None:
    """Open a file, described by `entry`, as a scan; None where it can be held as one picture.

    None as well without libvips (`hemozoin[scans]`), and for what it can't read.
    """
    if entry.size < _SMALLEST_FILE:
        return None
    try:
        import pyvips  # noqa: PLC0415  (an extra, and few have scans)

        size = pyvips.Image.new_from_file(str(path), revalidate=True)
    except Exception:  # not installed, or no picture: that is told where pictures are decoded
        return None
    if size.width * size.height <= _LARGEST_FIELD:
        return None
    return Scan(path, entry, size.width, size.height)


class Scan:
    """The tiles of one picture, from top left to bottom right: a source of pictures."""

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
        self._one_at_a_time = Lock()
        self._picture: Any = None
        self._next = 0
        self._held: dict[int, Pixels] = {}

    def walk(self) -> Iterator[Entry]:
        """Yield every tile, with the size and the stamp of the file, in the order of reading."""
        return (Entry(name, self._file.size, self._file.stamp) for name in self._tiles)

    def entries(self) -> list[Entry]:
        """Return every tile, in the order of reading, which is that of the names."""
        return list(self.walk())

    def read(self, name: str) -> bytes:
        """Return a tile as a PPM file; raises DataError where the picture is damaged there."""
        row, (left, right) = self._tiles[name]
        with self._one_at_a_time:
            try:
                pixels = self._row(row)[:, left:right]
            except Exception as error:  # libvips' own, of many lines
                why = " ".join(str(error).split())[-80:] or type(error).__name__
                raise DataError(f"{name}: the picture is damaged ({why})") from error
        return b"P6 %d %d 255\n" % (right - left, len(pixels)) + pixels.tobytes()

    def _row(self, row: int) -> Pixels:
        """Return a row of tiles, uint8 `[h, width, 3]`."""
        if row not in self._held:
            if self._picture is None or row < self._next:  # there is no way back in a file
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
    """Open a picture to be read from top to bottom, RGB on black, 8 bits.

    As a region: what is computed of a picture as a whole would close the file at its end.
    """
    import pyvips  # noqa: PLC0415

    how = {"access": "sequential", "fail_on": "error", "revalidate": True}
    picture = pyvips.Image.new_from_file(str(path), **how)
    colours = picture.colourspace("srgb")
    plain = colours.flatten() if colours.hasalpha() else colours
    return pyvips.Region.new(plain.cast("uchar"))


def _parts(length: int, most: int) -> list[tuple[int, int]]:
    """Return where equal parts of a length begin and end, none longer than `most`."""
    count = -(-length // most)
    edges = [round(part * length / count) for part in range(count + 1)]
    return list(pairwise(edges))
