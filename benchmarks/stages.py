"""Where the time of screening a field goes, and how many fields a second the whole command does.

    python benchmarks/stages.py fields/iml

The stages are timed one after another in one process with one thread, on every picture of the
folder; the whole command, `hemozoin screen` as it is, from files to report, on them and on four
copies of each, so that what it takes to start can be told. All of it `--repeats` times, by turns.
A row a stage and turn goes to benchmarks/results/stages.csv.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import rows
from hemozoin.model.predictor import Predictor
from hemozoin.smear.output.overlay import draw_overlay
from hemozoin.smear.picture import decode_field
from hemozoin.smear.quality import find_flaws
from hemozoin.smear.screen import Screener, classify_cells
from hemozoin.smear.segmentation.foreground import cell_diameter
from hemozoin.smear.segmentation.objects import segment

MODEL, COPIES, ENDINGS = "nano", 4, {".jpg", ".png"}


def main() -> None:
    """Time the stages and the command by turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fields", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    pictures = sorted(p for p in given.fields.iterdir() if p.suffix.lower() in ENDINGS)
    predictor = Predictor.load(MODEL)
    stages(pictures[:1], predictor)  # to be warm
    for turn in range(given.repeats):
        for stage, seconds in stages(pictures, predictor).items():
            _write(stage, turn, len(pictures), seconds)
        for copies in (1, COPIES):
            seconds = command(pictures, copies)
            _write(
                f"hemozoin screen, {os.cpu_count()} cores", turn, len(pictures) * copies, seconds
            )


def _write(stage: str, turn: int, fields: int, seconds: float) -> None:
    row: rows.Row = {"stage": stage, "turn": turn, "fields": fields, "seconds": round(seconds, 3)}
    rows.append("stages.csv", row | rows.conditions())


def stages(pictures: list[Path], predictor: Predictor) -> dict[str, float]:
    """Return the seconds that each stage takes on all pictures together."""
    spent: defaultdict[str, float] = defaultdict(float)
    for path in pictures:
        with _timed(spent, "read and decode"):
            picture = decode_field(path.read_bytes(), path.name)
        with _timed(spent, "scale"):
            diameter = cell_diameter(picture)
        with _timed(spent, "bodies"):
            found = segment(picture, diameter)
        red = [body for body in found.bodies if body.kind == "red cell"]
        with _timed(spent, "network"):
            cells = tuple(classify_cells(picture, red, predictor))
        with _timed(spent, "quality"):
            find_flaws(picture, found, cells)
        field = Screener(predictor, diameter)(picture, path.name)
        with _timed(spent, "overlay"):
            draw_overlay(picture, field)
    return spent


@contextmanager
def _timed(spent: defaultdict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    spent[stage] += time.perf_counter() - start


def command(pictures: list[Path], copies: int) -> float:
    """Return the seconds that the command takes on so many copies of the pictures."""
    with tempfile.TemporaryDirectory() as folder:
        slide = Path(folder) / "slide"
        slide.mkdir()
        for path in pictures:
            for copy in range(copies):
                shutil.copyfile(path, slide / f"{copy}-{path.name}")
        line = [sys.executable, "-m", "hemozoin", "screen", str(slide), "--model", MODEL]
        start = time.perf_counter()
        subprocess.run([*line, "--out", f"{folder}/out"], check=True, capture_output=True)
        return time.perf_counter() - start


if __name__ == "__main__":
    main()
