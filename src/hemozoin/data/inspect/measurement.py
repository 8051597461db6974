"""One pass over all pictures: size, mean colour, hash, and the thumbnails of a few."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageChops, ImageStat

from hemozoin.arrays import texts
from hemozoin.data.cells import Cells
from hemozoin.data.inspect.contact_sheet import Tile, choose_cells
from hemozoin.data.inspect.findings import MeasuredCells
from hemozoin.data.picture import process_cell, unexpected_errors
from hemozoin.data.preprocess import Preprocessing
from hemozoin.data.source import Source
from hemozoin.errors import DataError
from hemozoin.images import thumbnail
from hemozoin.progress import printable, track
from hemozoin.threads import in_threads

#: Maps each grey level to 255 if it belongs to a cell, to 0 if it is background.
_CELL_MASK = [255 * (level > Preprocessing().background) for level in range(256)]

_UNKNOWN = float("nan")


class _Measures(NamedTuple):
    """A value for each column that `MeasuredCells` adds to the table of cells."""

    width: float = _UNKNOWN
    height: float = _UNKNOWN
    red: float = _UNKNOWN
    green: float = _UNKNOWN
    blue: float = _UNKNOWN
    pixel_hash: int = 0


@dataclass(frozen=True, eq=False)
class Measurement:
    """The results of the pass; `unreadable` has a line per picture that can't be read."""

    cells: MeasuredCells
    unreadable: tuple[str, ...]
    sheet: tuple[Tile, ...]


def measure_cells(source: Source, cells: Cells) -> Measurement:
    """Decode and measure every picture of `cells` (from `index_cells`) once.

    Only a few pictures are in memory at a time.
    """
    measures: list[_Measures] = []
    unreadable, jpegs = [], {}
    results = _measure_all(source, cells.file.tolist(), set(choose_cells(cells)))
    for row, result in enumerate(track(results, "Inspecting cells", len(cells))):
        if isinstance(result, DataError):
            unreadable.append(printable(str(result)))
            measures.append(_Measures())
            continue
        measures.append(result[0])
        if result[1]:
            jpegs[row] = result[1]
    table = _measured(cells, measures)
    sheet = (
        Tile(table.file[row], table.label[row], table.patient[row], jpeg)
        for row, jpeg in jpegs.items()
    )
    return Measurement(table, tuple(unreadable), tuple(sheet))


def _measured(cells: Cells, measures: list[_Measures]) -> MeasuredCells:
    columns = {field.name: getattr(cells, field.name) for field in fields(Cells)}
    columns["file"] = texts(map(printable, cells.file))
    columns["patient"] = texts(name if name is None else printable(name) for name in cells.patient)
    *values, hashes = zip(*measures, strict=True)
    columns |= dict(zip(_Measures._fields, map(np.array, values), strict=False))
    return MeasuredCells(**columns, pixel_hash=np.array(hashes, np.uint64))


def _measure_all(
    source: Source, files: list[str], on_sheet: set[int]
) -> Iterator[tuple[_Measures, bytes | None] | DataError]:
    """Yield the values of each file and, if its row is `on_sheet`, its thumbnail, in order."""

    def measure(row: int) -> tuple[_Measures, bytes | None] | DataError:
        name = files[row]
        try:
            with unexpected_errors(name):
                data = source.read(name)
            return process_cell(
                data,
                name,
                lambda cell: _measure(Image.fromarray(cell), row in on_sheet),
            )
        except DataError as error:
            return error

    return in_threads(measure, range(len(files)))


def _measure(image: Image.Image, with_thumbnail: bool) -> tuple[_Measures, bytes | None]:
    red, green, blue = _mean_colour(image)
    measures = _Measures(*image.size, red, green, blue, _hash(image))
    return measures, thumbnail(image) if with_thumbnail else None


def _mean_colour(image: Image.Image) -> Sequence[float]:
    """Return the means of R, G and B over the pixels that are not background."""
    red, green, blue = image.split()
    brightest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    stat = ImageStat.Stat(image, brightest.point(_CELL_MASK))
    return stat.mean if stat.count[0] else (_UNKNOWN,) * 3


def _hash(image: Image.Image) -> int:
    """Hash size and pixels, so that the same picture in another file format has the same hash."""
    digest = blake2b(repr(image.size).encode(), digest_size=8)
    digest.update(image.tobytes())
    return int.from_bytes(digest.digest())
