"""One pass over all pictures: size, mean colour, hash, and the thumbnails of a few."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b

import polars as pl
from PIL import Image, ImageChops, ImageStat

from hemozoin.data.inspect.contact_sheet import Tile, choose_cells
from hemozoin.data.picture import process_cell, unexpected_errors
from hemozoin.data.preprocess import Preprocessing
from hemozoin.data.source import Source
from hemozoin.errors import DataError
from hemozoin.images import thumbnail
from hemozoin.progress import printable, track
from hemozoin.threads import in_threads

_SIZE = {"width": pl.Int64, "height": pl.Int64}
_COLOUR = {"red": pl.Float64, "green": pl.Float64, "blue": pl.Float64}
_MEASURED = {**_SIZE, **_COLOUR, "pixels": pl.UInt64}

#: Maps each grey level to 255 if it belongs to a cell, to 0 if it is background.
_CELL_MASK = [255 * (level > Preprocessing().background) for level in range(256)]

#: A value for each column of `_MEASURED`.
Values = tuple[float | None, ...]


@dataclass(frozen=True)
class MeasuredCells:
    """The results of the pass.

    `cells` is the table of cells with the columns `width`, `height` (px), `red`, `green`,
    `blue` (0..255, means over the pixels of the cell; null if the picture is black) and `pixels`
    (a hash of size and pixels). For a picture that can't be read, all of these are null, and
    `unreadable` has a line. All names are printable.
    """

    cells: pl.DataFrame
    unreadable: tuple[str, ...]
    sheet: tuple[Tile, ...]


def measure_cells(source: Source, cells: pl.DataFrame) -> MeasuredCells:
    """Decode and measure every picture of `cells` (from `index_cells`) once.

    Only a few pictures are in memory at a time.
    """
    values: list[Values] = []
    unreadable, jpegs = [], {}
    results = _measure_all(source, cells["file"].to_list(), set(choose_cells(cells)))
    for row, result in enumerate(track(results, "Inspecting cells", len(cells))):
        if isinstance(result, DataError):
            unreadable.append(printable(str(result)))
            values.append((None,) * len(_MEASURED))
            continue
        values.append(result[0])
        if result[1]:
            jpegs[row] = result[1]
    measures = pl.DataFrame(values, _MEASURED, orient="row")
    names = pl.col("file", "patient").map_elements(printable, return_dtype=pl.String)
    table = pl.concat([cells.with_columns(names), measures], how="horizontal")
    files, labels, patients = table["file"], table["label"], table["patient"]
    sheet = tuple(Tile(files[k], labels[k], patients[k], jpeg) for k, jpeg in jpegs.items())
    return MeasuredCells(table, tuple(unreadable), sheet)


def _measure_all(
    source: Source, files: list[str], on_sheet: set[int]
) -> Iterator[tuple[Values, bytes | None] | DataError]:
    """Yield the values of each file and, if its row is `on_sheet`, its thumbnail, in order."""

    def measure(row: int) -> tuple[Values, bytes | None] | DataError:
        name = files[row]
        try:
            with unexpected_errors(name):
                data = source.read(name)
            return process_cell(
                data,
                name,
                lambda cell: (_values(cell), thumbnail(cell) if row in on_sheet else None),
            )
        except DataError as error:
            return error

    return in_threads(measure, range(len(files)))


def _values(image: Image.Image) -> Values:
    return (*image.size, *_mean_colour(image), _hash(image))


def _mean_colour(image: Image.Image) -> Values:
    """Return the means of R, G and B over the pixels that are not background."""
    red, green, blue = image.split()
    brightest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    stat = ImageStat.Stat(image, brightest.point(_CELL_MASK))
    return tuple(stat.mean) if stat.count[0] else (None, None, None)


def _hash(image: Image.Image) -> int:
    """Hash size and pixels, so that the same picture in another file format has the same hash."""
    digest = blake2b(repr(image.size).encode(), digest_size=8)
    digest.update(image.tobytes())
    return int.from_bytes(digest.digest())
