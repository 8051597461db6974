"""Zips that were damaged or made to do harm: a usable data set, or one line about the error."""

from __future__ import annotations

import random
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hemozoin.data.dataset import decode_cells
from hemozoin.data.options import CellOptions
from hemozoin.data.preprocess import Preprocessing
from hemozoin.errors import DataError
from tests.conftest import make_cells
from tests.support.commands import hemozoin

#: Zips of each kind.
TIMES = 40

LOCAL, CENTRAL, END = b"PK\3\4", b"PK\1\2", b"PK\5\6"

#: Parts of names that are replaced by others of the same length: what a zip may not do, or may.
NAMES = [
    b"../../../",
    b"/etc/xxxx",
    b"C:\\temp\\\\",
    b"\0" * 9,
    b"\x1b[2J\x1b[1m",
    b"\xff\xfe\xfd" * 3,
]
NAMES += [
    b"a" * 9,
    b"\n\r\t\n\r\t\n\r\t",
    b"=cmd|'/C'",
    b"Uninfecte",
    b"/////////",
    b"\xe2\x80\xae" * 3,
]

Damage = Callable[[bytearray, random.Random], bytearray]


def starts(data: bytes | bytearray, signature: bytes) -> list[int]:
    """Return where the records with a signature begin."""
    return list(_starts(data, signature))


def _starts(data: bytes | bytearray, signature: bytes) -> Iterator[int]:
    at = data.find(signature)
    while at >= 0:
        yield at
        at = data.find(signature, at + 1)


def flipped(data: bytearray, rng: random.Random) -> bytearray:
    for _ in range(rng.choice([1, 2, 10, 100])):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return data


def flipped_directory(data: bytearray, rng: random.Random) -> bytearray:
    first = data.index(CENTRAL)
    for _ in range(rng.choice([1, 2, 10])):
        data[rng.randrange(first, len(data))] = rng.randrange(256)
    return data


def truncated(data: bytearray, rng: random.Random) -> bytearray:
    """Cut off the end, or a part from the middle so that the directory is still at the end."""
    start, stop = sorted(rng.randrange(len(data)) for _ in range(2))
    return data[:start] if rng.random() < 0.5 else data[:start] + data[stop:]


def other_numbers(data: bytearray, rng: random.Random) -> bytearray:
    """Change numbers of the directory: flags, methods, checksums, sizes, lengths, offsets."""
    fields = [(6, "<H"), (8, "<H"), (10, "<H"), (16, "<I"), (20, "<I"), (24, "<I"), (28, "<H")]
    fields += [(30, "<H"), (32, "<H"), (34, "<H"), (38, "<I"), (42, "<I")]
    at = starts(data, CENTRAL)
    for record in rng.sample(at, rng.choice([1, 3, len(at)])):
        offset, form = rng.choice(fields)
        most = 2**16 if form == "<H" else 2**32
        value = rng.choice([0, 1, most - 1, most // 2, rng.randrange(most)])
        struct.pack_into(form, data, record + offset, value)
    return data


def other_end(data: bytearray, rng: random.Random) -> bytearray:
    """Change the record at the end: the number of entries, the size and place of the directory."""
    end = data.rindex(END)
    offset, form = rng.choice([(4, "<H"), (6, "<H"), (8, "<H"), (10, "<H"), (12, "<I"), (16, "<I")])
    most = 2**16 if form == "<H" else 2**32
    struct.pack_into(form, data, end + offset, rng.choice([0, 1, most - 1, rng.randrange(most)]))
    return data


def other_names(data: bytearray, rng: random.Random) -> bytearray:
    """Replace the beginning or the end of names, in both headers or only in one of them."""
    old, new = rng.choice([b"cell_images/P", b"cell_images/U", b"cell_1.png"]), rng.choice(NAMES)
    changed = bytes(data).replace(old[: len(new)], new, rng.choice([1, 5, -1]))
    return bytearray(changed)


def duplicated(data: bytearray, rng: random.Random) -> bytearray:
    """Give several entries the same name, or the same place in the file."""
    at = starts(data, CENTRAL)
    source, *others = rng.sample(at, 4)
    for other in others:
        same = slice(42, 46) if rng.random() < 0.5 else slice(46, 86)
        data[other + same.start : other + same.stop] = data[
            source + same.start : source + same.stop
        ]
    return data


KINDS: list[Damage] = [
    flipped,
    flipped_directory,
    truncated,
    other_numbers,
    other_end,
    other_names,
    duplicated,
]


@pytest.fixture(scope="module")
def valid_zip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("zips")
    return make_cells(folder / "cells.zip", patients=3, per_class=2).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("damage", KINDS)
def test_a_damaged_zip(damage: Damage, valid_zip: bytes, tmp_path: Path) -> None:
    results = [check(damage, valid_zip, tmp_path / f"{seed}.zip", seed) for seed in range(TIMES)]
    assert "refused" in results or "skipped" in results


def check(damage: Damage, valid_zip: bytes, path: Path, seed: int) -> str:
    """Damage a zip, give it to both ways in, and return what became of it."""
    path.write_bytes(damage(bytearray(valid_zip), random.Random(seed)))
    inspected = hemozoin("inspect", path)
    assert inspected.code in (0, 2), (seed, inspected)
    for line in inspected.err.split("\n"):
        assert line.isprintable(), (seed, line)
        assert len(line) < 400, (seed, line)
    assert all(line.isprintable() for line in inspected.out.split("\n")), (seed, inspected.out)
    try:
        store = decode_cells(path, CellOptions(allow_unreadable=True), Preprocessing(32))
    except DataError as error:
        assert inspected.code == 2 or "can be read" in str(error), (seed, inspected, error)
        return "refused"
    assert inspected.code == 0, (seed, inspected)
    assert len(store.cells) == len(store.pixels)
    return "skipped" if store.unreadable else "read"


def test_a_name_of_60000_characters(tmp_path: Path, valid_zip: bytes) -> None:
    data = make_cells(tmp_path / "cells.zip", patients=3, per_class=2)
    with_name(data, "Parasitized/" + "x" * 60_000 + ".png")
    outcome = hemozoin("inspect", data)
    assert outcome.code == 0
    with_name(data, "../" + "x" * 60_000)
    outcome = hemozoin("inspect", data)
    assert outcome.code == 2
    assert len(outcome.err) < 400
    assert outcome.err.endswith("points outside the zip; don't trust this file\n")


def with_name(path: Path, name: str) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, b"no picture")
