"""Read what `hemozoin screen` wrote about a slide: counts, cells, outlines and pictures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

from PIL import Image

from hemozoin.csv_files import read_csv
from hemozoin.errors import DataError
from hemozoin.files import read_regular_file
from hemozoin.images import to_jpeg
from hemozoin.json_files import parse_json
from hemozoin.review.found_cells import CLUMP
from hemozoin.smear.output.folder import CELLS, CLUMPS, FIELDS, OVERLAYS
from hemozoin.smear.picture import decode_field

#: The folder with what was found in each field.
_FIELDS = ".fields"

#: Numbers of pictures, decoded, that are kept: a reader goes from cell to cell of a field.
_DECODED = 3

#: Two pictures are decoded at a time, whoever asks: a large one takes 200 MB.
_DECODING = BoundedSemaphore(2)

#: Number of slides whose cells are kept.
_SLIDES = 4

#: Side of the picture of a cell in px, and the cells' diameters that it shows.
_SIDE, _SURROUNDINGS = 560, 4.0

#: Columns of cells.csv with numbers.
_NUMBERS = {"cell": int, "x": int, "y": int, "width": int, "height": int, "p_parasitized": float}


@dataclass(frozen=True)
class SlideFiles:
    """The folder with the results of a slide, and the one with its pictures, if it has one."""

    results: Path
    pictures: Path

    def names(self) -> list[str]:
        """Return the names of the files in the folder of the results."""
        return sorted(path.name for path in self.results.glob("*") if path.is_file())

    def fields_done(self) -> int:
        """Return the number of fields that are screened, also of one that is not finished."""
        return sum(1 for _ in (self.results / _FIELDS).glob("*.json"))

    def fields(self) -> list[dict[str, str]]:
        """Return the rows of fields.csv."""
        return [*_rows(self.results / FIELDS)]

    def counted_cells(self) -> tuple[dict[str, Any], ...]:
        """Return the rows of cells.csv, those of fields that are counted, and then the clumps.

        Numbers are numbers, and each cell has an id, FIELD:NUMBER. The rows are kept in memory, so
        they must not be changed.
        """
        return _counted_cells(self.results, stamp_of(self.results / CELLS))

    def field(self, name: str) -> dict[str, Any] | None:
        """Return what was found in a field, with outlines; None for an unknown one."""
        for path in (self.results / _FIELDS).glob("*.json"):
            if path.stem == name:
                with suppress(OSError, ValueError, KeyError, TypeError):
                    found: dict[str, Any] = parse_json(read_regular_file(path))["field"]
                    return found
        return None

    def cell(self, field: str, number: int) -> tuple[dict[str, Any] | None, float]:
        """Return a red cell of a field by its number, with its outline; None for an unknown one.

        With it comes what was taken from the log odds of the field's cells.
        """
        found = self.field(field) or {"cells": ()}
        cell = next((cell for cell in found["cells"] if cell["cell"] == number), None)
        return cell, found.get("log_odds_shift", 0.0)

    def own_picture(self, field: str) -> Path | None:
        """Return the uploaded picture of a field; None where it is elsewhere."""
        return _file_in(self.pictures, field)

    def picture(self, field: str) -> Path | None:
        """Return the picture of a field, or, where that is elsewhere, its overlay."""
        return self.own_picture(field) or self.overlay(f"{field}.jpg")

    def overlay(self, name: str) -> Path | None:
        """Return the picture of a field with its outlines, by its file's name; None without."""
        return _file_in(self.results / OVERLAYS, name)

    def cell_picture(self, field: str, x: float, y: float, diameter: float) -> bytes:
        """Return a JPEG of the surroundings of a place, at the field's (x, y) in px.

        Raises DataError if the picture is missing or damaged.
        """
        return surroundings(self._pixels(field), x, y, diameter)

    def as_jpeg(self, field: str) -> bytes:
        """Return the picture of a field as a JPEG; raises DataError as `cell_picture` does."""
        return to_jpeg(self._pixels(field), 90)

    def _pixels(self, field: str) -> Image.Image:
        path = self.picture(field)
        if path is None:
            raise DataError(f"{field}: its picture is missing")
        with _DECODING:
            return _decoded(path, path.stat().st_mtime_ns)


def stamp_of(path: Path) -> int:
    """Return a number that changes with a file's content; 0 where there is none."""
    try:
        found = path.stat()
    except OSError:
        return 0
    return hash((found.st_mtime_ns, found.st_size))


@lru_cache(_SLIDES)
def _counted_cells(results: Path, _: int) -> tuple[dict[str, Any], ...]:
    counted = {row["field"] for row in _rows(results / FIELDS) if row["usable"] == "true"}
    no_decision = {"decision": CLUMP, "reason": ""}
    clumps = (row | no_decision for row in _rows(results / CLUMPS))
    rows = (row for row in chain(_rows(results / CELLS), clumps) if row["field"] in counted)
    return tuple(
        {
            "id": f"{row['field']}:{row['cell']}",
            **{name: value for name, value in row.items() if name != "slide"},
            **{name: number(row[name]) for name, number in _NUMBERS.items()},
            "reason": row["reason"] or None,
        }
        for row in rows
    )


def _file_in(folder: Path, name: str) -> Path | None:
    """Return the file of a folder with a name, which is compared, never used as a path."""
    return next((path for path in folder.glob("*") if path.name == name and path.is_file()), None)


def surroundings(picture: Image.Image, x: float, y: float, diameter: float) -> bytes:
    """Return a JPEG of the square around a place, four diameters wide, black outside."""
    half = max(8.0, diameter) * _SURROUNDINGS / 2
    box = (round(x - half), round(y - half), round(x + half), round(y + half))
    inside = picture.crop(box)
    return to_jpeg(inside.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC), 90, subsampling=0)


@lru_cache(_DECODED)
def _decoded(path: Path, stamp: int) -> Image.Image:
    """Return a picture, decoded as for screening; `stamp` changes when its file does."""
    try:
        return decode_field(read_regular_file(path), path.name)
    except OSError as error:
        raise DataError(f"{path.name}: {error.strerror}") from error


def _rows(path: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a table that `hemozoin screen` wrote; none if there is none."""
    if path.is_file():
        header, *rows = read_csv(path)
        yield from (dict(zip(header, row, strict=True)) for row in rows)
