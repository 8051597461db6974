"""How time and memory grow with the number of cells and fields.

    python benchmarks/scale.py cell_images.zip --cells 10000 100000 1000000 --fields 10 100 1000

For each number of cells: listed in a folder, in subfolders of 10,000 files each; listed in a zip;
and predicted with `hemozoin predict --out` from the folder. The files of the folder are hard links
to 1,000 of the cells in PNG. The zip has as many stored members, drawn cells of 24 px, with gaps
between them, so that its length is that of a zip of NLM's cells at 30 kB each (30 GB for a million)
but its disk space is not. For each number of fields: `hemozoin screen` on a folder of hard links to
10 drawn fields. Each measurement is a process of its own, with its time, the processor's time, and
its peak memory: one row in benchmarks/results/scale.csv. What has a row is not measured again.
`docs/scale.svg` is drawn anew.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

import markdown_tables as md
import rows
from hemozoin.data.picture import decode_cell
from hemozoin.data.source import open_source
from hemozoin.images import to_png
from hemozoin.synthetic.cell import draw_cell, draw_patient
from hemozoin.synthetic.smear import draw_smear

FILE, FIGURE = "scale.csv", Path(__file__).parents[1] / "docs" / "scale.svg"

#: Files in a folder, distinct cells and fields, and bytes of the zip for each cell.
IN_FOLDER, DISTINCT_CELLS, DISTINCT_FIELDS, IN_ZIP = 10_000, 1_000, 10, 30_000

#: Most links to a file that every file system allows.
MOST_LINKS = 30_000

#: Lists the pictures of a folder or zip, as `hemozoin predict` does before it opens them.
LISTING = """
import sys
from collections import deque
from pathlib import Path
from hemozoin.model.pictures import open_pictures
source, names = open_pictures(Path(sys.argv[1]))
deque(names, maxlen=0)
"""

#: The tasks, with what they count.
TASKS = {
    "list a folder": "cells",
    "list a zip": "cells",
    "predict": "cells",
    "screen": "fields",
}


def main() -> None:
    """Measure what has no row yet, and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--cells", type=int, nargs="*", default=[])
    parser.add_argument("--fields", type=int, nargs="*", default=[])
    parser.add_argument("--tasks", nargs="*", choices=TASKS, default=[*TASKS])
    given = parser.parse_args()
    done = rows.measured(FILE, "task", "count")
    counts = {"cells": given.cells, "fields": given.fields}
    for task in given.tasks:
        for count in counts[TASKS[task]]:
            if (task, str(count)) not in done:
                _measure(task, count, given.data)
    draw()


def _measure(task: str, count: int, data: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        if task == "list a zip":
            pictures = _write_zip(where / "cells.zip", count)
        elif task == "screen":
            pictures = _link(_fields(), where, count)
        else:
            pictures = _link(_cells(data), where, count)
        hemozoin = [sys.executable, "-m", "hemozoin"]
        command = {
            "predict": [*hemozoin, "predict", pictures, "--out", where / "out.csv"],
            "screen": [*hemozoin, "screen", pictures, "--out", where / "out"],
        }.get(task, [sys.executable, "-c", LISTING, pictures])
        row: rows.Row = {"task": task, "count": count, **_run(list(map(str, command)))}
        rows.append(FILE, row | rows.conditions())
        print(row, file=sys.stderr)


def _run(command: list[str]) -> rows.Row:
    """Return the time, the processor's time in s, and the peak memory in MB of a process."""
    started, peak, process_id = time.perf_counter(), 0, 0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not process_id:
        peak = max(peak, _peak_kb(process.pid))
        time.sleep(0.02)
        process_id, status, usage = os.wait4(process.pid, os.WNOHANG)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} failed")
    return {
        "seconds": round(time.perf_counter() - started, 2),
        "processor_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_mb": round(peak / 1024),
    }


def _peak_kb(process_id: int) -> int:
    """Return the peak memory of a process so far in kB; `ru_maxrss` counts that of its parent."""
    status = Path(f"/proc/{process_id}/status").read_text(encoding="utf-8")
    found = re.search(r"VmHWM:\s+(\d+)", status)
    return int(found[1]) if found else 0


def _cells(data: Path) -> Iterable[bytes]:
    source = open_source(data)
    names = (entry.name for entry in source.walk() if entry.name.endswith((".png", ".webp")))
    return (to_png(decode_cell(source.read(name))) for name in islice(names, DISTINCT_CELLS))


def _fields() -> Iterable[bytes]:
    for seed in range(DISTINCT_FIELDS):
        rng = np.random.default_rng(seed)
        smear = draw_smear(rng, draw_patient(rng), size=(640, 480), cells=40, diameter=60.0)
        yield to_png(Image.fromarray(smear.pixels))


def _link(pictures: Iterable[bytes], folder: Path, count: int) -> Path:
    """Return a folder with this number of hard links to the pictures."""
    originals, linked = folder / "originals", folder / "pictures"
    originals.mkdir()
    content = list(pictures)
    for number in range(count):
        copy, kind = divmod(number, len(content))
        original = originals / f"{kind}_{copy // MOST_LINKS}.png"
        if copy % MOST_LINKS == 0:
            original.write_bytes(content[kind])
        subfolder = linked / f"{number // IN_FOLDER:04}"
        if number % IN_FOLDER == 0:
            subfolder.mkdir(parents=True)
        (subfolder / f"{number:07}.png").hardlink_to(original)
    return linked


def _write_zip(path: Path, count: int) -> Path:
    """Write a zip with this number of stored members, one after each `IN_ZIP` bytes."""
    rng = np.random.default_rng(0)
    cell = Image.fromarray(draw_cell(rng, draw_patient(rng), infected=True)).resize((24, 24))
    content = to_png(cell)
    with path.open("wb") as file, zipfile.ZipFile(file, "w") as archive:
        for number in range(count):
            archive.start_dir = number * IN_ZIP  # where the next member begins
            archive.writestr(f"cells/{number // IN_FOLDER:04}/{number:07}.png", content)
    return path


def table() -> str:
    """Return the results in Markdown: a line per measurement."""
    found = rows.read(FILE)
    lines = [
        (
            row["task"],
            f"{int(row['count']):,} {TASKS[row['task']]}",
            f"{float(row['processor_seconds']):,.1f}",
            f"{1e3 * float(row['processor_seconds']) / int(row['count']):,.3f}",
            f"{int(row['peak_mb']):,}",
        )
        for row in found
    ]
    columns = ("task", "of", "processor's time in s", "in ms for each", "peak memory in MB")
    note = (
        f"The processor's time of all threads, since others used the machine. {md.machine(found)}"
    )
    return md.table(columns, lines, note)


def draw() -> None:
    """Draw the processor's time and the memory over the number of cells or fields."""
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes = figure.subplots(1, 2)
    for name, measured in md.groups(rows.read(FILE), "task").items():
        counts = [int(row["count"]) for row in measured]
        for axis, column in zip(axes, ("processor_seconds", "peak_mb"), strict=True):
            values = [float(row[column]) for row in measured]
            axis.loglog(counts, values, marker="o", label=f"{name[0]} ({TASKS[name[0]]})")
    for axis, title in zip(axes, ("processor's time in s", "peak memory in MB"), strict=True):
        axis.set(xlabel="number of cells or fields", title=title)
    axes[1].legend(fontsize=8)
    save(figure, FIGURE)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as SVG, without the time of drawing."""
    content = io.BytesIO()
    figure.savefig(content, format="svg", metadata={"Date": None})
    path.write_bytes(content.getvalue())


if __name__ == "__main__":
    main()
