"""Decoded cells, kept once in one memory-mapped array.

A store is two files in the cache folder: `KEY.npy`, uint8 `[readable cells, size, size, 3]`,
and `KEY.json`, the cells that could not be read. The key is made from every file's name, size
and stamp and from the preprocessing, so a change of either makes another store. Both are
written under another name and moved when whole: a store that was cut short is never seen.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import PIL
import polars as pl

from hemozoin.arrays import Pixels
from hemozoin.data.picture import decode_cell
from hemozoin.data.preprocess import Preprocessing, prepare
from hemozoin.data.source import Source
from hemozoin.errors import DataError
from hemozoin.files import replace_file, replacing
from hemozoin.progress import say, track
from hemozoin.threads import in_threads

#: Up to this share of unreadable pictures is listed and passed over.
UNREADABLE_ALLOWED = 0.01

#: Raised when `prepare` changes its answer, so that older stores are not used any more.
_VERSION = 2

#: After this many seconds an unfinished store was left behind by a run that was killed.
_ABANDONED = 24 * 3600

#: Unreadable pictures that are named on the screen; `Store.unreadable` has them all.
_LISTED = 10

#: Why cells could not be read: row in the table -> one line.
Errors = dict[int, str]


@dataclass(frozen=True)
class Store:
    """The cells that could be read, and their pixels.

    `cells` is the table of cells; `pixels` is uint8 `[cells, size, size, 3]`, RGB, one row
    per row of the table; `unreadable` holds one line per picture that was passed over.
    """

    cells: pl.DataFrame
    pixels: Pixels
    unreadable: tuple[str, ...]


def open_store(
    source: Source, cells: pl.DataFrame, how: Preprocessing, allow_unreadable: bool = False
) -> Store:
    """Return the decoded cells, from the cache where it has them.

    Raises DataError where more than `UNREADABLE_ALLOWED` of the pictures can't be read
    (unless `allow_unreadable`), where none can, or where the cache can't be written.
    """
    path = cache_folder() / f"{_key(source, cells, how)}.npy"
    found = _load(path, len(cells), how)
    if found is None:
        _build(path, source, cells, how, allow_unreadable)
        found = _load(path, len(cells), how)
    if found is None:
        raise DataError(f"{path}: can't be read back after writing; is the disk failing?")
    pixels, errors = found
    _judge(errors, len(cells), allow_unreadable)
    _list(errors)
    readable = np.delete(np.arange(len(cells)), list(errors))
    return Store(cells[readable] if errors else cells, pixels, tuple(errors.values()))


def cache_folder() -> Path:
    """Return `$HEMOZOIN_CACHE`, or `hemozoin` in the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("HEMOZOIN_CACHE") or Path(home) / "hemozoin")


def _key(source: Source, cells: pl.DataFrame, how: Preprocessing) -> str:
    made_by = f"{_VERSION} Pillow {PIL.__version__} {how} {source.path.resolve()}"
    digest = hashlib.sha256(made_by.encode(errors="replace"))
    digest.update(cells.select("file", "size", "stamp").write_csv().encode())
    return digest.hexdigest()[:24]


def _load(path: Path, count: int, how: Preprocessing) -> tuple[Pixels, Errors] | None:
    """Map a finished store; None where there is none, or a damaged one."""
    try:
        lines = json.loads(path.with_suffix(".json").read_text())
        errors = {int(row): str(line) for row, line in lines.items()}
        # Copy-on-write: torch wants an array it might write to, and the file stays as it is.
        pixels: Pixels = np.lib.format.open_memmap(path, mode="c")
    except (OSError, ValueError, AttributeError):
        return None
    whole = pixels.shape == (count - len(errors), how.size, how.size, 3)
    return (pixels, errors) if whole and pixels.dtype == np.uint8 else None


def _build(
    path: Path, source: Source, cells: pl.DataFrame, how: Preprocessing, allow_unreadable: bool
) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        with replacing(path) as file:
            errors = _decode_into(file, source, cells, how)
            _judge(errors, len(cells), allow_unreadable)
            replace_file(path.with_suffix(".json"), json.dumps(errors))
    except OSError as error:
        raise DataError(
            f"{path.parent}: can't keep decoded cells there ({error.strerror or error}); make room,"
            " or name another folder in HEMOZOIN_CACHE"
        ) from error


def _sweep(folder: Path) -> None:
    """Remove what runs that were killed have left behind."""
    for partial in folder.glob("*.partial"):
        with contextlib.suppress(FileNotFoundError):  # another process was faster
            if time.time() - partial.stat().st_mtime > _ABANDONED:
                partial.unlink()


def _decode_into(file: BinaryIO, source: Source, cells: pl.DataFrame, how: Preprocessing) -> Errors:
    """Write the cells that can be read as .npy.

    They are written, not mapped: on a full disk a write is an error, a map kills the process.
    """
    errors: Errors = {}
    _write_header(file, len(cells), how)
    decoded = decode_all(((source, name) for name in cells["file"]), how)
    for row, cell in enumerate(track(decoded, "Decoding cells", len(cells))):
        if isinstance(cell, DataError):
            errors[row] = str(cell)
        else:
            file.write(cell.tobytes())
    file.seek(0)
    _write_header(file, len(cells) - len(errors), how)
    return errors


def _write_header(file: BinaryIO, count: int, how: Preprocessing) -> None:
    """Write a header of .npy; numpy leaves room in it for any other count."""
    shape = (count, how.size, how.size, 3)
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


def decode_all(
    pictures: Iterable[tuple[Source, str]], how: Preprocessing
) -> Iterator[Pixels | DataError]:
    """Yield each picture's pixels, uint8 `[size, size, 3]`, or why it has none, in order.

    A few batches for each core are held, however many pictures there are.
    """
    return in_threads(lambda picture: decode_one(*picture, how), pictures)


def decode_one(source: Source, name: str, how: Preprocessing) -> Pixels | DataError:
    """Return a picture's pixels, uint8 `[size, size, 3]`, or why it has none."""
    try:
        return prepare(decode_cell(source.read(name), name), how)
    except DataError as error:
        return error


def _judge(errors: Errors, count: int, allowed: bool) -> None:
    first = next(iter(errors.values()), "")
    if len(errors) == count:
        raise DataError(f"none of the {count} pictures can be read, the first: {first}")
    if len(errors) / count > UNREADABLE_ALLOWED and not allowed:
        raise DataError(
            f"{len(errors)} of {count} pictures can't be read, the first: {first};"
            " go on without them with --allow-unreadable"
        )


def _list(errors: Errors) -> None:
    for line in list(errors.values())[:_LISTED]:
        say(f"passed over: {line}")
    if len(errors) > _LISTED:
        say(f"passed over: {len(errors) - _LISTED} more")
