"""Decoded cells, kept in a cache as one memory-mapped array.

A store is two files in the cache folder: `KEY.npy`, uint8 `[readable cells, size, size, 3]`,
and `KEY.json`, with the cells that could not be read and a checksum of the others. The key depends
on the name, size and stamp of every file and on the preprocessing, so a change of any of these
leads to another store. Both files are written under another name and renamed when complete: an
unfinished store is never used. A store whose checksum is wrong or missing is built again.
"""

from __future__ import annotations

import atexit
import hashlib
import io
import json
import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from math import prod
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import BinaryIO, NamedTuple

import cv2
import numpy as np
import PIL

from hemozoin.arrays import Pixels, batches
from hemozoin.csv_files import csv_table
from hemozoin.data.cells import Cells
from hemozoin.data.picture import decode_plain_cell, process_cell, unexpected_errors
from hemozoin.data.preprocess import Preprocessing, prepare, prepare_batch
from hemozoin.data.source import Source
from hemozoin.errors import DataError
from hemozoin.files import (
    is_disk_full,
    read_regular_file,
    remove_leftovers,
    replace_file,
    replacing,
)
from hemozoin.json_files import parse_json
from hemozoin.progress import print_status, track
from hemozoin.threads import batches_in_threads

#: Up to this share of unreadable pictures is reported and skipped.
UNREADABLE_ALLOWED = 0.01

#: Increased when the result of `prepare` changes, so that older stores are not used any more.
_VERSION = 3

#: The libraries that decode and prepare a cell: its pixels may depend on their versions.
_LIBRARIES = f"Pillow {PIL.__version__} OpenCV {cv2.__version__}"

#: Cells whose checksum is computed at a time.
_BATCH = 1024

#: Unreadable pictures that are named on the terminal; `Store.unreadable` has all of them.
_LISTED = 10

#: Row in the table of a cell that could not be read -> the reason, in one line.
Errors = dict[int, str]


@dataclass(frozen=True)
class Store:
    """The cells that could be read, and their pixels.

    `cells` is the table of cells; `pixels` is uint8 `[cells, size, size, 3]`, RGB, one row per
    row of the table; `unreadable` has one line per picture that was skipped.
    """

    cells: Cells
    pixels: Pixels
    unreadable: tuple[str, ...]


def open_store(
    source: Source,
    cells: Cells,
    preprocessing: Preprocessing,
    allow_unreadable: bool = False,
) -> Store:
    """Return the decoded cells, from the cache if they are there.

    Raises DataError if more than `UNREADABLE_ALLOWED` of the pictures can't be read (unless
    `allow_unreadable`), if none can be read, or if the cache can't be written.
    """
    path = cache_folder() / f"{_key(source, cells, preprocessing)}.npy"
    found = _load(path, len(cells), preprocessing)
    if found is None:
        _build(path, source, cells, preprocessing, allow_unreadable)
        found = _load(path, len(cells), preprocessing)
    if found is None:
        raise DataError(f"{path}: can't be read after writing; is the disk failing?")
    pixels, errors = found
    _require_readable(errors, len(cells), allow_unreadable)
    _report_unreadable(errors)
    readable = np.delete(np.arange(len(cells)), list(errors))
    return Store(cells.select(readable) if errors else cells, pixels, tuple(errors.values()))


def cache_folder() -> Path:
    """Return `$HEMOZOIN_CACHE`, or `hemozoin` in the user's cache folder.

    A user without a home folder, as in some containers, gets a folder that is removed at exit.
    """
    if given := os.environ.get("HEMOZOIN_CACHE"):
        return Path(given)
    try:
        caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:
        return _temporary_folder()
    return Path(caches) / "hemozoin"


@cache
def _temporary_folder() -> Path:
    folder = Path(mkdtemp(prefix="hemozoin-"))
    atexit.register(rmtree, folder, ignore_errors=True)
    return folder


def _key(source: Source, cells: Cells, preprocessing: Preprocessing) -> str:
    origin = f"{_VERSION} {_LIBRARIES} {preprocessing} {source.path.resolve()}"
    digest = hashlib.sha256(origin.encode(errors="replace"))
    columns = {"file": cells.file, "size": cells.size.tolist(), "stamp": cells.stamp.tolist()}
    digest.update(csv_table(columns).encode())
    return digest.hexdigest()[:24]


def _load(path: Path, count: int, preprocessing: Preprocessing) -> tuple[Pixels, Errors] | None:
    """Return the arrays of a finished store, or None if it is missing or damaged."""
    try:
        saved = parse_json(read_regular_file(path.with_suffix(".json")))
        errors = {int(row): str(line) for row, line in saved["unreadable"].items()}
        pixels = _open_array(path, count - len(errors), preprocessing)
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return None
    whole = errors.keys() <= {*range(count)} and saved["crc32"] == _checksum(pixels)
    return (pixels, errors) if whole else None


def _open_array(path: Path, count: int, preprocessing: Preprocessing) -> Pixels:
    """Open a .npy of `count` cells; raises ValueError for any other file."""
    header, shape = _header(count, preprocessing), _shape(count, preprocessing)
    if not path.is_file():  # a pipe would never end
        raise ValueError("not a regular file")
    with path.open("rb") as file:
        if file.read(len(header)) != header or path.stat().st_size != len(header) + prod(shape):
            raise ValueError("damaged")
        # Copy-on-write: torch requires a writable array, and the file must not change.
        return np.memmap(file, np.uint8, "c", offset=len(header), shape=shape)


def _checksum(pixels: Pixels) -> int:
    """Return the CRC-32 of the cells: a damaged disk is noticed, in 0.1 s for 20,000 cells."""
    checksum = 0
    for batch in batches(pixels, _BATCH):
        checksum = zlib.crc32(batch.data, checksum)
    return checksum


def _build(
    path: Path,
    source: Source,
    cells: Cells,
    preprocessing: Preprocessing,
    allow_unreadable: bool,
) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path.parent)
        with replacing(path) as file:
            errors, checksum = _decode_into(file, source, cells, preprocessing)
            _require_readable(errors, len(cells), allow_unreadable)
            saved = {"crc32": checksum, "unreadable": errors}
            replace_file(path.with_suffix(".json"), json.dumps(saved))
    except OSError as error:
        space = "free some space, or " if is_disk_full(error) else ""
        raise DataError(
            f"{path.parent}: can't write decoded cells there ({error.strerror or error});"
            f" {space}set HEMOZOIN_CACHE to another folder"
        ) from error


def _decode_into(
    file: BinaryIO, source: Source, cells: Cells, preprocessing: Preprocessing
) -> tuple[Errors, int]:
    """Write the readable cells as .npy; return the errors of the others, and the checksum.

    The file is written, not mapped: on a full disk, writing to a map would kill the process.
    """
    errors: Errors = {}
    checksum = 0
    file.write(_header(len(cells), preprocessing))
    decoded = decode_all(((source, name) for name in cells.file), preprocessing)
    for row, cell in enumerate(track(decoded, "Decoding cells", len(cells))):
        if isinstance(cell, DataError):
            errors[row] = str(cell)
        else:
            content = cell.tobytes()
            file.write(content)
            checksum = zlib.crc32(content, checksum)
    file.seek(0)
    file.write(_header(len(cells) - len(errors), preprocessing))
    return errors, checksum


def _header(count: int, preprocessing: Preprocessing) -> bytes:
    """Return a .npy header; numpy pads it, so that it can be overwritten with another count."""
    header, shape = io.BytesIO(), _shape(count, preprocessing)
    values = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, values)
    return header.getvalue()


def _shape(count: int, preprocessing: Preprocessing) -> tuple[int, int, int, int]:
    return (count, preprocessing.size, preprocessing.size, 3)


def decode_all(
    pictures: Iterable[tuple[Source, str]], preprocessing: Preprocessing
) -> Iterator[Pixels | DataError]:
    """Yield the pixels of each picture, uint8 `[size, size, 3]`, or its error, in order.

    At most a few batches per core are in memory, for any number of pictures.
    """
    return batches_in_threads(lambda batch: decode_batch(batch, preprocessing), pictures)


class _Decoded(NamedTuple):
    """A picture that is decoded, but not prepared."""

    name: str
    pixels: Pixels


def decode_batch(
    pictures: Iterable[tuple[Source, str]], preprocessing: Preprocessing
) -> list[Pixels | DataError]:
    """Return the pixels of each picture, uint8 `[size, size, 3]`, or its error.

    Plain pictures of cells are small: they are all decoded first, then prepared together.
    """
    cells = [_decode(source, name, preprocessing) for source, name in pictures]
    decoded = [cell for cell in cells if isinstance(cell, _Decoded)]
    prepared = iter(_prepare(decoded, preprocessing))
    return [next(prepared) if isinstance(cell, _Decoded) else cell for cell in cells]


def _decode(
    source: Source, name: str, preprocessing: Preprocessing
) -> _Decoded | Pixels | DataError:
    """Return a plain picture decoded, any other one prepared, or the error."""
    try:
        with unexpected_errors(name):
            data = source.read(name)
            pixels = decode_plain_cell(data)
        if pixels is not None:
            return _Decoded(name, pixels)
        return process_cell(data, name, lambda cell: prepare(cell, preprocessing))
    except DataError as error:
        return error


def _prepare(decoded: list[_Decoded], preprocessing: Preprocessing) -> list[Pixels | DataError]:
    try:
        return [*prepare_batch([cell.pixels for cell in decoded], preprocessing)]
    except Exception:  # one by one, so that the unexpected error is that of one picture
        return [_prepare_one(cell, preprocessing) for cell in decoded]


def _prepare_one(decoded: _Decoded, preprocessing: Preprocessing) -> Pixels | DataError:
    try:
        with unexpected_errors(decoded.name):
            return prepare(decoded.pixels, preprocessing)
    except DataError as error:
        return error


def _require_readable(errors: Errors, count: int, allowed: bool) -> None:
    first = next(iter(errors.values()), "")
    if len(errors) == count:
        raise DataError(f"none of the {count} pictures can be read, the first: {first}")
    if len(errors) / count > UNREADABLE_ALLOWED and not allowed:
        raise DataError(
            f"{len(errors)} of {count} pictures can't be read, the first: {first};"
            " continue without them with --allow-unreadable"
        )


def _report_unreadable(errors: Errors) -> None:
    for line in list(errors.values())[:_LISTED]:
        print_status(f"skipped: {line}")
    if len(errors) > _LISTED:
        print_status(f"skipped: {len(errors) - _LISTED} more")
