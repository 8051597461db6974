"""Decoded cells, kept once in one memory-mapped array.

A store is two files in the cache folder: `KEY.npy`, uint8 `[cells, size, size, 3]`, and
`KEY.json`, the cells that could not be read. The key is made from every file's name, size
and stamp and from the preprocessing, so a change of either makes another store. Both are
written under another name and moved when whole: a store that was cut short is never seen.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from hemozoin.cells.picture import Pixels, decode
from hemozoin.cells.preprocess import Preprocessing, prepare
from hemozoin.cells.source import Source
from hemozoin.errors import DataError
from hemozoin.progress import say, track

#: Up to this share of unreadable pictures is listed and passed over.
UNREADABLE_ALLOWED = 0.01

#: Raised when `prepare` changes its answer, so that older stores are not used any more.
_VERSION = 1

#: Pictures decoded before they are asked for.
_AHEAD = 256


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
    (unless `allow_unreadable`), or none can.
    """
    path = cache_folder() / f"{_key(source, cells, how)}.npy"
    pixels, errors = _load(path, len(cells), how) or _build(path, source, cells, how)
    _judge_errors(errors, len(cells), allow_unreadable)
    if not errors:
        return Store(cells, pixels, ())
    readable = np.setdiff1d(np.arange(len(cells)), [int(row) for row in errors])
    return Store(cells[readable], pixels[readable], tuple(errors.values()))


def cache_folder() -> Path:
    """Return `$HEMOZOIN_CACHE`, or `hemozoin` in the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("HEMOZOIN_CACHE") or Path(home) / "hemozoin")


def _key(source: Source, cells: pl.DataFrame, how: Preprocessing) -> str:
    digest = hashlib.sha256(f"{_VERSION} {source.path.resolve()} {how}".encode())
    digest.update(cells.select("file", "size", "stamp").write_csv().encode())
    return digest.hexdigest()[:24]


def _load(path: Path, count: int, how: Preprocessing) -> tuple[Pixels, dict[str, str]] | None:
    """Map a finished store; None where there is none, or a damaged one."""
    try:
        errors: dict[str, str] = json.loads(path.with_suffix(".json").read_text())
        # Copy-on-write: torch wants an array it might write to, and the file stays as it is.
        pixels: Pixels = np.load(path, mmap_mode="c")
    except (OSError, ValueError, EOFError):
        return None
    whole = pixels.shape == (count, how.size, how.size, 3) and pixels.dtype == np.uint8
    return (pixels, errors) if whole else None


def _build(
    path: Path, source: Source, cells: pl.DataFrame, how: Preprocessing
) -> tuple[Pixels, dict[str, str]]:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.stem}.{os.getpid()}.partial")
    try:
        errors = _decode_into(partial, source, cells, how)
        path.with_suffix(".json").write_text(json.dumps(errors))
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    loaded = _load(path, len(cells), how)
    if loaded is None:
        raise DataError(f"{path}: the cache can't be read back; is the disk full or failing?")
    return loaded


def _decode_into(
    path: Path, source: Source, cells: pl.DataFrame, how: Preprocessing
) -> dict[str, str]:
    shape = (len(cells), how.size, how.size, 3)
    pixels = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    errors: dict[str, str] = {}
    decoded = decode_all(((source, file) for file in cells["file"]), how)
    for row, cell in enumerate(track(decoded, "Decoding cells", len(cells))):
        if isinstance(cell, DataError):
            errors[str(row)] = str(cell)
        else:
            pixels[row] = cell
    pixels.flush()
    return errors


def decode_all(
    pictures: Iterable[tuple[Source, str]], how: Preprocessing
) -> Iterator[Pixels | DataError]:
    """Yield each picture's pixels, uint8 `[size, size, 3]`, or why it has none, in order.

    Threads are enough: Pillow lets go of the interpreter while it decodes and resizes.
    At most `_AHEAD` pictures are held, however many there are.
    """

    def one(source: Source, file: str) -> Pixels | DataError:
        try:
            return prepare(decode(source.read(file), file), how)
        except DataError as error:
            return error

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        waiting: deque[Future[Pixels | DataError]] = deque()
        for source, file in pictures:
            waiting.append(pool.submit(one, source, file))
            if len(waiting) == _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _judge_errors(errors: dict[str, str], count: int, allowed: bool) -> None:
    for line in list(errors.values())[:5]:
        say(f"passed over: {line}")
    if len(errors) == count:
        raise DataError(f"none of the {count} pictures can be read, the first: {errors['0']}")
    if len(errors) > UNREADABLE_ALLOWED * count and not allowed:
        raise DataError(
            f"{len(errors)} of {count} pictures can't be read, the first:"
            f" {next(iter(errors.values()))}; go on without them with --allow-unreadable"
        )
