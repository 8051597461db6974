"""One pass over all pictures: size, mean colour, a hash, and thumbnails of a few."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b

import polars as pl
from PIL import Image, ImageChops, ImageStat

from hemozoin.data.inspect.contact_sheet import Tile, choose_cells
from hemozoin.data.picture import decode_cell, thumbnail
from hemozoin.data.preprocess import Preprocessing
from hemozoin.data.source import Source
from hemozoin.errors import DataError
from hemozoin.progress import track
from hemozoin.threads import in_threads

_SIZE = {"width": pl.Int64, "height": pl.Int64}
_COLOUR = {"red": pl.Float64, "green": pl.Float64, "blue": pl.Float64}
_MEASURED = {**_SIZE, **_COLOUR, "pixels": pl.UInt64}

#: For each grey level 255 where it belongs to a cell, 0 where to the background.
_IS_CELL = [255 * (level > Preprocessing().background) for level in range(256)]

#: A value for each of `_MEASURED`.
Values = tuple[float | None, ...]


@dataclass(frozen=True)
class Measured:
    """What the pass brings.

    `cells` is the table of cells with the columns `width`, `height` (px), `red`, `green`,
    `blue` (0..255, means over the cell's own pixels; null where all is black) and `pixels`
    (a hash of size and pixels), all null for a picture that can't be read; `unreadable` has
    one line for each of these. Names are made printable.
    """

    cells: pl.DataFrame
    unreadable: tuple[str, ...]
    sheet: tuple[Tile, ...]


def measure_cells(source: Source, cells: pl.DataFrame) -> Measured:
    """Decode every picture of `cells` (from `index_cells`) once; bad ones are listed.

    Memory holds a few numbers per cell and a few batches of pictures.
    """
    values: list[Values] = []
    unreadable, jpegs = [], {}
    looks = _look_at_all(source, cells["file"].to_list(), set(choose_cells(cells)))
    for row, look in enumerate(track(looks, "Inspecting cells", len(cells))):
        if isinstance(look, DataError):
            unreadable.append(printable(str(look)))
            values.append((None,) * len(_MEASURED))
            continue
        values.append(look[0])
        if look[1]:
            jpegs[row] = look[1]
    measures = pl.DataFrame(values, _MEASURED, orient="row")
    names = pl.col("file", "patient").map_elements(printable, return_dtype=pl.String)
    table = pl.concat([cells.with_columns(names), measures], how="horizontal")
    files, labels, patients = table["file"], table["label"], table["patient"]
    sheet = tuple(Tile(files[k], labels[k], patients[k], jpeg) for k, jpeg in jpegs.items())
    return Measured(table, tuple(unreadable), sheet)


def _look_at_all(
    source: Source, files: list[str], on_sheet: set[int]
) -> Iterator[tuple[Values, bytes | None] | DataError]:
    """Return each file's values and, for the rows `on_sheet`, its thumbnail, in order."""

    def look(row: int) -> tuple[Values, bytes | None] | DataError:
        try:
            image = decode_cell(source.read(files[row]), files[row])
        except DataError as error:
            return error
        return _values(image), thumbnail(image) if row in on_sheet else None

    return in_threads(look, range(len(files)))


def _values(image: Image.Image) -> Values:
    return (*image.size, *_mean_colour(image), _hash(image))


def _mean_colour(image: Image.Image) -> Values:
    """Return the means of R, G and B over the pixels that `Preprocessing` takes for the cell."""
    red, green, blue = image.split()
    brightest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    stat = ImageStat.Stat(image, brightest.point(_IS_CELL))
    return tuple(stat.mean) if stat.count[0] else (None, None, None)


def _hash(image: Image.Image) -> int:
    """Hash size and pixels: the same picture in another file format is the same picture."""
    digest = blake2b(repr(image.size).encode(), digest_size=8)
    digest.update(image.tobytes())
    return int.from_bytes(digest.digest())


def printable(name: str) -> str:
    """Escape what could steer a terminal or break a line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
