"""Zips of cells that were damaged or made to do harm, for `inspect`, `train` and `predict`."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

from tests.conftest import draw_cell, make_cells, png
from tests.fuzz import mutations
from tests.fuzz.mutations import Mutation
from tests.fuzz.oracles import Case, import_all
from tests.fuzz.pictures import damaged, other_pixels
from tests.fuzz.seeds import OTHER_FILES, seeds
from tests.support.commands import QUICK

#: How the entries, the directory and the end of a zip begin.
LOCAL, CENTRAL, END = b"PK\3\4", b"PK\1\2", b"PK\5\6"

#: Numbers of an entry of the directory: flags, method, checksum, sizes, lengths, offsets.
_NUMBERS = [(6, "<H"), (8, "<H"), (10, "<H"), (16, "<I"), (20, "<I"), (24, "<I"), (28, "<H")]
_NUMBERS += [(30, "<H"), (32, "<H"), (34, "<H"), (38, "<I"), (42, "<I")]

#: Parts of names that are replaced by others of the same length: what a zip may not do, or may.
_PARTS = [b"../../../", b"/etc/xxxx", b"C:\\temp\\\\", b"\0" * 9, b"\x1b[2J\x1b[1m", b"/////////"]
_PARTS += [b"\xff\xfe\xfd" * 3, b"a" * 9, b"\n\r\t\n\r\t\n\r\t", b"=cmd|'/C'", b"\xe2\x80\xae" * 3]

#: Whole names.
_NAMES = ["../../evil.png", "/etc/passwd", "Parasitized/../../x.png", "C:\\x\\y.png", "con.png"]
_NAMES += ["Parasitized/" + "x" * 60_000 + ".png", "a/" * 500 + "b.png", "Parasitized\\1.png"]
_NAMES += ["Parasitized/.png", "Parasitized/Thumbs.db", "__MACOSX/Parasitized/._1.png", "1.png/"]
_NAMES += ["Parasitized/C1P1_\u202egnp.exe", "parasitized/1.PNG", "Uninfected", "Parasitized/1.zip"]


_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)

_DATES = ((1980, 1, 1, 0, 0, 0), (2107, 12, 31, 23, 59, 58))

#: Unknown, a link, a pipe, a device.
_FILE_MODES = (0, 0o120777, 0o010644, 0o020644)


class Zips:
    """Each zip is given to `inspect`, and some of them to another verb."""

    total = None

    def __init__(self, folder: Path) -> None:
        import_all()
        self._cell = draw_cell(np.random.default_rng(0), infected=False)
        self._pictures = seeds(self._cell)
        whole = make_cells(folder / "cells.zip", patients=3, per_class=2).read_bytes()
        self._wholes = [whole, rewritten(whole, zipfile.ZIP_DEFLATED)]

    def __call__(self, case: Case) -> None:
        path = case.folder / case.rng.choice(["cells.zip", "a b.ZIP", "cells.png"])
        path.write_bytes(self._zip(case.rng))
        outcome = case.run("inspect", path)
        for line in outcome.out.splitlines():
            assert line.isprintable(), repr(line)
        give_to_other_verbs(case, path)

    def _zip(self, rng: Random) -> bytes:
        whole = rng.choice(self._wholes)
        how = rng.random()
        if how < 0.45:
            return mutations.mutated(whole, rng, (*mutations.MUTATIONS, *ZIP_MUTATIONS))
        if how < 0.6:
            return mutations.mutated(whole, rng, ZIP_MUTATIONS)
        if how < 0.65:
            return mutations.spliced(whole, rng.choice(self._wholes), rng)
        return self._made(whole, rng)

    def _made(self, whole: bytes, rng: Random) -> bytes:
        """Return a zip with entries that no camera wrote."""
        buffer = io.BytesIO(whole)
        method = rng.choice(
            [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
        )
        with zipfile.ZipFile(buffer, "a", method) as archive:
            known = archive.namelist()
            archive.comment = rng.randbytes(rng.choice([0, 0, 60_000]))
            for number in range(rng.choice([1, 1, 3, 10])):
                new = f"cell_images/Parasitized/C{number}P{number}_cell_{number}.png"
                name = rng.choice([*_NAMES, *known, new, new, new])
                entry = zipfile.ZipInfo(
                    name, rng.choice([(1980, 1, 1, 0, 0, 0), (2107, 12, 31, 23, 59, 58)])
                )
                entry.external_attr = rng.choice(
                    [0, 0o120777 << 16, 0o010644 << 16, 0o020644 << 16]
                )
                entry.compress_type = method
                archive.NameToInfo.pop(name, None)  # zipfile warns about a second one
                archive.writestr(entry, self._content(whole, rng))
        return buffer.getvalue()

    def _content(self, whole: bytes, rng: Random) -> bytes:
        how = rng.randrange(7)
        if how == 0:
            return rng.choice(OTHER_FILES)
        if how == 1:
            return whole  # a zip in the zip
        if how == 2:
            return bytes(rng.choice([10**6, 10**8]))  # a bomb
        if how == 3:
            return png(Image.new("L", (rng.choice([1, 4000, 8000]), 4000)))
        if how == 4:
            return other_pixels(self._cell, rng)
        return damaged(self._pictures, rng)


def give_to_other_verbs(case: Case, data: Path) -> None:
    """Give one in ten data sets to `train`, and as many to `predict`, `evaluate` and `screen`."""
    verb = case.rng.choices(["none", "train", "predict", "evaluate", "screen"], [12, 2, 2, 2, 1])[0]
    out, allowed = case.folder / "out", case.rng.choice([(), ("--allow-unreadable",)])
    if verb == "train":
        case.run("train", data, "--out", out, *QUICK, *allowed)
    elif verb == "predict":
        case.run("predict", data, "--out", case.folder / case.rng.choice(["t.csv", "t.parquet"]))
    elif verb == "evaluate":
        case.run("evaluate", data, "--out", out, *allowed)
    elif verb == "screen":
        case.run("screen", data, "--out", out)


def rewritten(whole: bytes, method: int) -> bytes:
    """Return the zip with its entries compressed by another method."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(buffer, "w", method) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return buffer.getvalue()


# ---- changes of the records of a zip -------------------------------------------------------------


def starts(data: bytes | bytearray, signature: bytes) -> list[int]:
    """Return where the records with a signature begin."""
    return list(_starts(data, signature))


def _starts(data: bytes | bytearray, signature: bytes) -> Iterator[int]:
    at = data.find(signature)
    while at >= 0:
        yield at
        at = data.find(signature, at + 1)


def other_entries(data: bytearray, rng: Random) -> bytearray:
    """Change numbers of the directory."""
    at = starts(data, CENTRAL)
    for record in rng.sample(at, min(len(at), rng.choice([1, 3, 1000]))):
        offset, form = rng.choice(_NUMBERS)
        mutations.put_number(data, record + offset, form, rng)
    return data


def encrypted(data: bytearray, rng: Random) -> bytearray:
    """Mark entries as encrypted, in one of both headers or in both."""
    for signature, offset in ((CENTRAL, 8), (LOCAL, 6)):
        for record in starts(data, signature)[:: rng.choice([1, 3])]:
            if rng.random() < 0.7 and record + offset < len(data):
                data[record + offset] |= 1
    return data


def zip64(data: bytearray, rng: Random) -> bytearray:
    """Put the record and the locator of a ZIP64 before the end, with any numbers in them."""
    end = data.rfind(END)
    if end < 0:
        return data
    values = [rng.choice([*mutations.NUMBERS, len(data)]) for _ in range(6)]
    record = b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, *values[:4])
    locator = b"PK\6\7" + struct.pack("<IQI", 0, rng.choice([end, values[4]]), 1)
    for offset, form in ((8, "<H"), (10, "<H"), (12, "<I"), (16, "<I")):
        if rng.random() < 0.7 and end + offset + 4 <= len(data):
            struct.pack_into(form, data, end + offset, 0xFFFF if form == "<H" else 0xFFFFFFFF)
    return data[:end] + record + locator + data[end:]


def other_end(data: bytearray, rng: Random) -> bytearray:
    """Change the record at the end: the number of entries, the size and place of the directory."""
    offset, form = rng.choice([(4, "<H"), (6, "<H"), (8, "<H"), (10, "<H"), (12, "<I"), (16, "<I")])
    mutations.put_number(data, data.rfind(END) + offset, form, rng)
    return data


def other_names(data: bytearray, rng: Random) -> bytearray:
    """Replace the beginning or the end of names, in both headers or only in one of them."""
    old, new = rng.choice([b"cell_images/P", b"cell_images/U", b"cell_1.png"]), rng.choice(_PARTS)
    return bytearray(bytes(data).replace(old[: len(new)], new, rng.choice([1, 5, -1])))


def duplicated(data: bytearray, rng: Random) -> bytearray:
    """Give several entries the same name, or the same place in the file."""
    at = starts(data, CENTRAL)
    if len(at) > 4:
        source, *others = rng.sample(at, 4)
        for other in others:
            same = slice(42, 46) if rng.random() < 0.5 else slice(46, 86)
            part = data[source + same.start : source + same.stop]
            data[other + same.start : other + same.start + len(part)] = part
    return data


#: Changes that know where a zip has what.
ZIP_MUTATIONS: tuple[Mutation, ...] = (
    *(other_entries, encrypted, zip64, other_end, other_names, duplicated),
)
