"""How fast cells are classified, compared with the usual MobileNets, in one run.

    python benchmarks/speed.py cell_images.zip

End to end, from PNG files to a CSV: `nano` in fp32 and int8; timm's `mobilenetv1_100` and Keras'
MobileNet at their usual 224 px, with random weights, which are as fast as trained ones; and
decoding alone. Network alone, on cells in memory: `nano` on ONNX Runtime and the same network in
torch, in batches of 64 and of 1. Each method decodes in threads ahead of its network and may use
all cores. The methods are timed alternately, `--repeats` times, and each repeat gives one ratio.
One row per method and repeat goes to benchmarks/results/speed.csv. Needs timm, Keras and
TensorFlow: see CONTRIBUTING.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import markdown_tables as md
import rows
from hemozoin.arrays import Pixels
from hemozoin.data.picture import decode
from hemozoin.data.preprocess import prepare
from hemozoin.data.source import open_source
from hemozoin.export.parity import torch_predictor
from hemozoin.model.bundle import load_bundle
from hemozoin.model.prediction_table import write_csv
from hemozoin.model.predictor import Predictor, predict_paths
from hemozoin.model.registry import find_model
from hemozoin.threads import in_threads
from without_torchvision import NoTorchvision

FILE = "speed.csv"

BATCH, USUAL = 64, 224

#: What is timed.
Work = Callable[[], object]

#: The method that the others are compared with, by task.
REFERENCES = {"end to end": "hemozoin"}
REFERENCE = "ONNX Runtime"


def main() -> None:
    """Time every method."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--cells", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cells = _write_png(given.data, Path(folder) / "cells", given.cells)
        predictions = Path(folder) / "cells.csv"
        methods = _end_to_end(given.model, cells, predictions)
        _time("end to end", methods, given.cells, given.repeats)
        pixels = _in_memory(given.model, cells)
    for batch in (BATCH, 1):
        some = pixels[: BATCH * 8 if batch > 1 else 200]
        methods = _networks(given.model, some, batch)
        _time(f"network, batch {batch}", methods, len(some), given.repeats)


def _time(task: str, methods: dict[str, Work], cells: int, repeats: int) -> None:
    """Time the methods alternately and write down their cells per second."""
    for work in methods.values():
        work()  # warm up
    for repeat in range(repeats):
        for name, work in methods.items():
            started = time.perf_counter()
            work()
            speed = cells / (time.perf_counter() - started)
            row: rows.Row = {"task": task, "method": name, "repeat": repeat, "cells": cells}
            rows.append(FILE, row | {"cells_per_second": round(speed, 1)} | rows.conditions())
            print(f"{task}: {name}: {speed:,.0f} cells/s", file=sys.stderr)


def _end_to_end(model: str, cells: Path, predictions: Path) -> dict[str, Work]:
    how = load_bundle(find_model(model)).preprocessing
    timm, keras = _timm(), _keras()
    return {
        "decoding alone": lambda: [*in_threads(lambda p: prepare(_open(p), how), _files(cells))],
        "hemozoin": lambda: _hemozoin(Predictor.load(model), cells, predictions),
        "hemozoin int8": lambda: _hemozoin(Predictor.load(model, "int8"), cells, predictions),
        f"timm, {USUAL} px": lambda: _usual(timm, cells, predictions),
        f"Keras, {USUAL} px": lambda: _usual(keras, cells, predictions),
    }


def _hemozoin(predictor: Predictor, cells: Path, predictions: Path) -> None:
    with predictions.open("w", newline="") as file:
        write_csv(predict_paths([cells], predictor), file)


def _usual(network: Callable[[Pixels], Any], cells: Path, predictions: Path) -> None:
    """Do what tutorials do, but decode in threads: files, 224 px, network, CSV."""
    files = _files(cells)
    decoded = in_threads(lambda path: np.asarray(_open(path).resize((USUAL, USUAL))), files)
    batches = iter(lambda: list(islice(decoded, BATCH)), [])
    with predictions.open("w", newline="") as file:
        writer = csv.writer(file)
        names = iter(files)
        for batch in batches:
            for p in network(np.stack(batch)):
                writer.writerow([next(names).name, float(p)])


def _timm() -> Callable[[Pixels], Any]:
    sys.meta_path.insert(0, NoTorchvision)
    made = importlib.import_module("timm").create_model("mobilenetv1_100", num_classes=2).eval()
    made = made.to(memory_format=torch.channels_last)

    def network(cells: Pixels) -> Any:
        with torch.inference_mode():
            scaled = torch.from_numpy(cells).permute(0, 3, 1, 2) / 127.5 - 1
            return made(scaled).softmax(1)[:, 1].numpy()

    return network


def _keras() -> Callable[[Pixels], Any]:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    keras: Any = importlib.import_module("keras")
    made = keras.applications.MobileNet(weights=None, classes=2)

    def network(cells: Pixels) -> Any:
        return made.predict_on_batch(cells / np.float32(127.5) - 1)[:, 1]

    return network


def _networks(model: str, pixels: Pixels, batch: int) -> dict[str, Work]:
    batches = [pixels[k : k + batch] for k in range(0, len(pixels), batch)]
    fp32, int8 = Predictor.load(model), Predictor.load(model, "int8")
    eager = torch_predictor(fp32.bundle)
    return {
        "ONNX Runtime": lambda: [fp32(one) for one in batches],
        "ONNX Runtime int8": lambda: [int8(one) for one in batches],
        "torch eager": lambda: [eager(one) for one in batches],
    }


def _write_png(data: Path, folder: Path, count: int) -> Path:
    """Write some of the cells as PNG files, as NLM's are."""
    folder.mkdir()
    source = open_source(data)
    names = (entry.name for entry in source.walk() if entry.name.endswith((".png", ".webp")))
    for number, name in enumerate(islice(names, count)):
        decode(source.read(name)).save(folder / f"{number}.png")
    return folder


def _in_memory(model: str, cells: Path) -> Pixels:
    how = load_bundle(find_model(model)).preprocessing
    return np.stack([prepare(_open(path), how) for path in _files(cells)[: BATCH * 8]])


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.png"))


def _open(path: Path) -> Image.Image:
    return Image.open(path).convert("RGB")


def table() -> str:
    """Return the results in Markdown: a line per method, with its speed and a ratio."""
    found = rows.read(FILE)
    speeds = {
        key: [float(run["cells_per_second"]) for run in runs]
        for key, runs in md.groups(found, "task", "method").items()
    }
    lines = []
    for (task, name), speed in speeds.items():
        ours = speeds[task, REFERENCES.get(task, REFERENCE)]
        ratios = [mine / other for mine, other in zip(ours, speed, strict=True)]
        lines.append(
            (f"{task}: {name}", md.median_and_range(speed, 0), md.median_and_range(ratios, 1))
        )
    repeats = len({row["repeat"] for row in found})
    note = f"Median (min to max) of {repeats} repeats in one run. {md.machine(found)}"
    return md.table(("method", "cells per second", "hemozoin's speed / its speed"), lines, note)


if __name__ == "__main__":
    main()
