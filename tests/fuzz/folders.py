"""Folders of cells, and tables of patients, labels and splits, that no one would make."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from random import Random

import numpy as np

from tests.conftest import draw_cell, make_cells, png
from tests.fuzz import mutations
from tests.fuzz.oracles import Case, import_all
from tests.fuzz.pictures import damaged, other_pixels
from tests.fuzz.seeds import OTHER_FILES, excessive, seeds
from tests.fuzz.zips import give_to_other_verbs
from tests.support.commands import QUICK, succeed

#: Folders of classes, and others.
_FOLDERS = ["Parasitized", "Uninfected", "parasitized", "cell_images/Parasitized", "train", "test"]
_FOLDERS += ["train/Parasitized", "test/Uninfected", "ring", ".hidden", "Parasitized/deeper", ""]
_FOLDERS += ["`a`\n# b", "=1+1", "Parasitized ", "Uninfected\u202e"]

#: Names of files as bytes: a file system allows nearly all.
_NAMES = [
    b"1.png",
    b"C9P9ThinF_IMG_20150918_144104_cell_1.png",
    b"=cmd.png",
    b"-rf.png",
    b"a\nb.png",
]
_NAMES += [b"\xff\xfe.png", b"\x1b[2J.png", b"x" * 250 + b".png", b".png", b"Thumbs.db", b"1.csv"]
_NAMES += [
    b"\xe2\x80\xae.png",
    b"a,b.png",
    b'"a".png',
    b"1.zip",
    b".DS_Store",
    b"`a`.jpg",
    b"c.tif",
]


class Folders:
    """Each folder is given to `inspect`, and some of them to another verb."""

    total = None

    def __init__(self, folder: Path) -> None:
        import_all()
        self._whole = make_cells(folder / "cells", patients=3, per_class=2)
        self._cell = draw_cell(np.random.default_rng(0), infected=False)
        self._pictures = seeds(self._cell)

    def __call__(self, case: Case) -> None:
        data, rng = case.folder / "cells", case.rng
        shutil.copytree(self._whole, data)
        for _ in range(rng.choice([1, 2, 5, 20])):
            self._change(data, rng)
        outcome = case.run("inspect", data)
        for line in outcome.out.splitlines():
            assert line.isprintable(), repr(line)
        give_to_other_verbs(case, data)

    def _change(self, data: Path, rng: Random) -> None:
        """Add something to the folder, or replace or remove something in it."""
        present = sorted(path for path in data.rglob("*") if path.is_file())
        if rng.random() < 0.3 and present:
            path = rng.choice(present)
            path.unlink()
            if rng.random() < 0.3:
                return
        else:
            path = data / rng.choice(_FOLDERS) / os.fsdecode(rng.choice(_NAMES))
        if not path.parent.exists():
            path.parent.mkdir(parents=True)
        if os.path.lexists(path) or not path.parent.is_dir():
            return
        self._put(path, rng)

    def _put(self, path: Path, rng: Random) -> None:
        how = rng.random()
        if how < 0.06:
            os.mkfifo(path)
        elif how < 0.12:
            path.symlink_to(rng.choice(["/dev/zero", "/dev/full", "..", path.name, "/etc/passwd"]))
        elif how < 0.16:
            path.mkdir()
        elif how < 0.2:
            path.symlink_to(path.parent)
        elif how < 0.3:
            path.write_bytes(rng.choice(OTHER_FILES))
        elif how < 0.35:
            path.write_bytes(excessive(rng))
        elif how < 0.6:
            path.write_bytes(other_pixels(self._cell, rng))
        elif how < 0.7:
            path.write_bytes(png(self._cell))
        else:
            path.write_bytes(damaged(self._pictures, rng))


#: Values of a table.
_VALUES = [
    "",
    "C1",
    "=1+1",
    "+1",
    "-1",
    "@a",
    '"',
    '""',
    ",",
    ";",
    "\t",
    "\n",
    "\0",
    "NaN",
    "1e999",
]
_VALUES += ["Parasitized", "Uninfected", "x" * 200_000, "\x1b[2J", "\u202e", "9" * 5000, "train"]

_HEADS = ["cell,patient", "cell,corrected_label", "cell,patient,label,split", "patient", "", "cell"]
_HEADS += ["cell,cell,patient", "a" * 100_000, "cell;patient", "sep=;\ncell;patient"]


class Tables:
    """Each table is given to `inspect` or `train` as the patients, the labels or the split."""

    total = None

    def __init__(self, folder: Path) -> None:
        import_all()
        data = make_cells(folder / "cells.zip", patients=9, per_class=2)
        with_cache = os.environ["HEMOZOIN_CACHE"]
        os.environ["HEMOZOIN_CACHE"] = str(folder / "cache")
        succeed("train", data, "--out", folder / "run", *QUICK)
        os.environ["HEMOZOIN_CACHE"] = with_cache
        self._data, self._cache = data, folder / "cache"
        self._split = (folder / "run" / "split.csv").read_text()

    def __call__(self, case: Case) -> None:
        table = case.folder / case.rng.choice(["t.csv", "t.CSV", "t.xlsx", "t.txt"])
        option = case.rng.choice(["--patients", "--labels", "--split"])
        if case.rng.random() < 0.03:
            os.mkfifo(table)
        elif case.rng.random() < 0.03:
            table.symlink_to("/dev/zero")
        else:
            table.write_bytes(self._table(case.rng))
        if option == "--split":
            shutil.copytree(self._cache, case.folder / "cache")
            case.run("train", self._data, "--out", case.folder / "run", *QUICK, option, table)
        else:
            case.run("inspect", self._data, option, table)

    def _table(self, rng: Random) -> bytes:
        columns = rng.choice([("cell", "patient"), ("cell", "label"), ("cell", "label", "split")])
        text = self._valid(columns)
        for _ in range(rng.choice([0, 1, 1, 3])):
            text = changed_table(text, rng)
        text = text.replace(",", rng.choice([",", ",", ";", "\t", "|"]))
        text = text.replace("\n", rng.choice(["\n", "\n", "\r\n", "\r", "\n\n"]))
        encoding = rng.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-be", "latin-1"])
        data = text.encode(encoding, errors="replace")
        return mutations.mutated(data, rng) if rng.random() < 0.3 else data

    def _valid(self, columns: tuple[str, ...]) -> str:
        rows = [line.split(",") for line in self._split.splitlines()]
        at = [rows[0].index(column) for column in columns]
        lines = [",".join(row[k] for k in at) for row in rows]
        return "\n".join(lines).replace(
            "cell,label", "cell,corrected_label", "split" not in columns
        )


def changed_table(text: str, rng: Random) -> str:
    """Return a table with another value, line or head."""
    lines = text.split("\n")
    number = rng.randrange(len(lines))
    how = rng.randrange(6)
    if how == 0:
        lines[0] = rng.choice(_HEADS)
    elif how == 1:
        del lines[number]
    elif how == 2:
        lines[number:number] = [lines[number]] * rng.choice([1, 5000])
    elif how == 3:
        lines[number] += rng.choice([",", '"', ",x" * 1000, "\0", " "])
    else:
        values = lines[number].split(",")
        values[rng.randrange(len(values))] = rng.choice(_VALUES)
        lines[number] = ",".join(values)
    return "\n".join(lines)
