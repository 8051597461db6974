"""How the time of predicting a cell is spent, from its PNG file to a row of the CSV.

    python benchmarks/cell_stages.py cell_images.zip

All times are those of the processor, which other programs change little. The steps, decoding alone
(Pillow and the same preparation, without a network) and the whole are measured in one process, one
after another, `--repeats` times; each repeat gives one ratio. Start-up is not included. One row per
step and repeat goes to benchmarks/results/cell_stages.csv, which is overwritten.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

import markdown_tables as md
import rows
from hemozoin.arrays import Pixels, batches
from hemozoin.data.picture import decode
from hemozoin.data.preprocess import prepare
from hemozoin.data.source import open_source
from hemozoin.data.store import decode_all
from hemozoin.model.prediction_table import write_csv
from hemozoin.model.predictor import Predictor, predict_paths
from hemozoin.model.session import BATCH
from hemozoin.threads import in_threads

FILE = "cell_stages.csv"

MODEL = "nano"

#: What the others are compared with.
DECODING = "decoding alone: Pillow, prepare"


def main() -> None:
    """Time every step and the whole, alternately."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--cells", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        _write_png(given.data, Path(folder), given.cells)
        work = _steps(Path(folder))
        for step in work.values():
            step()  # warm up
        rows.remove(FILE)
        for repeat in range(given.repeats):
            for name, step in work.items():
                start = time.process_time()
                step()
                microseconds = 1e6 * (time.process_time() - start) / given.cells
                row: rows.Row = {"step": name, "repeat": repeat, "cells": given.cells}
                rows.append(FILE, row | {"microseconds": round(microseconds)} | rows.conditions())


def _write_png(data: Path, folder: Path, count: int) -> None:
    """Write some of the cells as PNG files, as NLM's are."""
    source = open_source(data)
    names = [entry.name for entry in source.walk() if entry.name.endswith((".png", ".webp"))]
    for number, name in enumerate(islice(names, 0, None, max(1, len(names) // count))):
        if number < count:
            decode(source.read(name)).save(folder / f"{number}.png")


def _steps(folder: Path) -> dict[str, Callable[[], object]]:
    fp32, int8 = Predictor.load(MODEL), Predictor.load(MODEL, "int8")
    how, source = fp32.bundle.preprocessing, open_source(folder)
    files = [entry.name for entry in source.entries()]
    pixels = np.stack([_with_pillow(folder / name, fp32) for name in files])
    detector = fp32.bundle.ood_detector
    return {
        DECODING: lambda: [*in_threads(lambda name: _with_pillow(folder / name, fp32), files)],
        "read, decode, prepare": lambda: [*decode_all(((source, name) for name in files), how)],
        "out-of-distribution detector": lambda: [
            detector.is_out_of_distribution(some) for some in batches(pixels, BATCH)
        ],
        "network, fp32": lambda: [fp32.output(some) for some in batches(pixels, BATCH)],
        "network, int8": lambda: [int8.output(some) for some in batches(pixels, BATCH)],
        "the whole, fp32": lambda: write_csv(predict_paths([folder], fp32), io.StringIO()),
        "the whole, int8": lambda: write_csv(predict_paths([folder], int8), io.StringIO()),
    }


def _with_pillow(path: Path, predictor: Predictor) -> Pixels:
    return prepare(Image.open(path).convert("RGB"), predictor.bundle.preprocessing)


def table() -> str:
    """Return the results in Markdown: a line per step, with the share of decoding alone."""
    found = rows.read(FILE)
    times = {
        step: [float(run["microseconds"]) for run in runs]
        for (step,), runs in md.groups(found, "step").items()
    }
    lines = [
        (step, md.median_and_range(each, 0), md.median_and_range(_ratios(times, each), 2))
        for step, each in times.items()
    ]
    note = (
        f"Processor time; median (min to max) of {len(times[DECODING])} repeats in one run, of"
        f" {found[0]['cells']} cells each. {md.machine(found)}"
    )
    return md.table(("step", "µs per cell", "decoding alone / step"), lines, note)


def _ratios(times: dict[str, list[float]], each: list[float]) -> list[float]:
    return [alone / one for alone, one in zip(times[DECODING], each, strict=True)]


if __name__ == "__main__":
    main()
