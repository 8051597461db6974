"""What an installation weighs, and how long a command takes to start.

    python benchmarks/install.py size
    python benchmarks/install.py startup
    python benchmarks/readme.py

The first command installs the package, then one extra after the other, into a new virtual
environment, which needs a package index; the size is what each adds. The
second takes the processor time of each command several times, in turn with Python that does
nothing. The results go to
benchmarks/results/install.csv and startup.csv, which are overwritten.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import numpy as np
from PIL import Image

import markdown_tables as md
import rows
from hemozoin.about import VERSION

SIZE_FILE, STARTUP_FILE = "install.csv", "startup.csv"

ROOT = Path(__file__).parents[1]

#: Extra -> what it is for, in the order of installation.
EXTRAS = {
    "": "prediction, evaluation, screening",
    "heic": "pictures of phones",
    "plots": "curves in reports, the page of `hemozoin explain`",
    "parquet": "predictions as Parquet",
    "scans": "scans of whole smears",
    "dask": "screening on many machines",
    "serve": "the page of `hemozoin serve`",
    "train": "training, export, sweeps; includes `plots`, not counted again",
}

NOTHING = "python -c pass"

#: The commands that are timed; CELL is the picture of a cell.
COMMANDS = {
    NOTHING: ("-c", "pass"),
    "import hemozoin": ("-c", "import hemozoin"),
    "hemozoin --help": ("-m", "hemozoin", "--help"),
    "hemozoin predict cell.png": ("-m", "hemozoin", "predict", "CELL"),
}


def main() -> None:
    """Measure one of the two."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("size", "startup"))
    parser.add_argument("--repeats", type=int, default=15)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if given.what == "size":
            _measure_sizes(Path(folder))
        else:
            _measure_startup(Path(folder) / "cell.png", given.repeats)


def _measure_sizes(folder: Path) -> None:
    rows.remove(SIZE_FILE)
    venv.create(folder, with_pip=True, symlinks=True)
    before = _megabytes(folder)
    for extra in EXTRAS:
        package = f"{ROOT}[{extra}]" if extra else str(ROOT)
        python = str(folder / "bin" / "python")
        subprocess.run([python, "-m", "pip", "--quiet", "install", package], check=True)
        after = _megabytes(folder)
        row = {"extra": extra, "megabytes": round(after - before)}
        conditions = {"python": platform.python_version(), "machine": platform.machine()}
        rows.append(SIZE_FILE, row | conditions | {"hemozoin": VERSION})
        before = after


def _megabytes(folder: Path) -> float:
    """Return the space on the disk, in units of 2^20 bytes."""
    files = (file.lstat() for file in folder.rglob("*"))
    return sum(512 * file.st_blocks for file in files) / 2**20


def _measure_startup(cell: Path, repeats: int) -> None:
    picture = np.zeros((80, 80, 3), np.uint8)
    picture[10:70, 10:70] = (200, 150, 180)
    Image.fromarray(picture).save(cell)
    rows.remove(STARTUP_FILE)
    for repeat in range(repeats + 1):
        for name, words in COMMANDS.items():
            seconds = _seconds([str(cell) if word == "CELL" else word for word in words])
            row = {"command": name, "seconds": round(seconds, 4), "cores": os.cpu_count()}
            if repeat:  # the first run fills the cache of the disk
                rows.append(STARTUP_FILE, row | {"machine": platform.machine()})


def _seconds(words: list[str]) -> float:
    """Return the processor time of a command, which other programs change little."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def size_table() -> str:
    """Return the sizes in Markdown: a line for each extra."""
    found = rows.read(SIZE_FILE)
    lines = [
        (
            f"`pip install '.[{row['extra']}]'`" if row["extra"] else "`pip install .`",
            EXTRAS[row["extra"]],
            f"+{row['megabytes']}" if row["extra"] else row["megabytes"],
        )
        for row in found
    ]
    note = (
        "MB on the disk, of 2^20 bytes, with all dependencies, in a new virtual environment; one"
        " extra installed after the other. torch is the build for processors. Python"
        f" {found[0]['python']}, {found[0]['machine']}, hemozoin {found[0]['hemozoin']}."
    )
    return md.table(("command", "for", "MB"), lines, note)


def startup_table() -> str:
    """Return the times in Markdown: a line for each command."""
    found = rows.read(STARTUP_FILE)
    seconds = {
        name: [float(row["seconds"]) for row in found if row["command"] == name]
        for name in COMMANDS
    }
    lines = [
        (
            f"`{name}`",
            md.median_and_range(values, 2),
            md.median_and_range(
                [one / none for one, none in zip(values, seconds[NOTHING], strict=True)], 0
            ),
        )
        for name, values in seconds.items()
    ]
    last = found[-1]
    note = (
        f"Median (min to max) of {len(seconds[NOTHING])} repeats in one run; {last['cores']} cores"
        f" ({last['machine']})."
    )
    return md.table(("command", "seconds of processor time", "times Python alone"), lines, note)


if __name__ == "__main__":
    main()
