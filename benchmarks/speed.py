"""How fast cells are told apart, beside the usual MobileNets, in one run.

    python benchmarks/speed.py cell_images.zip

End to end, from PNG files to a CSV: `nano`, in fp32 and int8; timm's `mobilenetv1_100` and Keras'
MobileNet at their usual 224 px, with fresh weights, which are as fast as trained ones; and decoding
alone. Network alone, on cells in memory: `nano` on ONNX Runtime and the same network in torch, in
batches of 64 and of 1. Every contender decodes in threads ahead of its network and may use all
cores; they take turns, `--repeats` times, and each turn of all gives one ratio. A row a contender
and turn goes to benchmarks/results/speed.csv. Needs timm, Keras and TensorFlow: see CONTRIBUTING.
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

import rows
from hemozoin.arrays import Pixels
from hemozoin.data.picture import decode
from hemozoin.data.preprocess import prepare
from hemozoin.data.source import open_source
from hemozoin.export.parity import in_torch
from hemozoin.model.bundle import load_bundle
from hemozoin.model.prediction_table import write_csv
from hemozoin.model.predictor import Predictor, predict_paths
from hemozoin.model.registry import find_model
from hemozoin.threads import in_threads
from without_torchvision import NoTorchvision

BATCH, USUAL = 64, 224

#: What is timed: cells in, and nothing out.
Work = Callable[[], object]


def main() -> None:
    """Time every contender."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--cells", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cells = _write_png(given.data, Path(folder) / "cells", given.cells)
        table = Path(folder) / "cells.csv"
        _race("end to end", _end_to_end(given.model, cells, table), given.cells, given.repeats)
        pixels = _in_memory(given.model, cells)
    for batch in (BATCH, 1):
        some = pixels[: BATCH * 8 if batch > 1 else 200]
        network = _networks(given.model, some, batch)
        _race(f"network, batch {batch}", network, len(some), given.repeats)


def _race(what: str, contenders: dict[str, Work], cells: int, repeats: int) -> None:
    """Let the contenders take turns and write down their cells per second."""
    for work in contenders.values():
        work()  # to be warm
    for turn in range(repeats):
        for name, work in contenders.items():
            started = time.perf_counter()
            work()
            speed = cells / (time.perf_counter() - started)
            row: rows.Row = {"what": what, "contender": name, "turn": turn, "cells": cells}
            rows.append(
                "speed.csv", row | {"cells_per_second": round(speed, 1)} | rows.conditions()
            )
            print(f"{what}: {name}: {speed:,.0f} cells/s", file=sys.stderr)


def _end_to_end(model: str, cells: Path, table: Path) -> dict[str, Work]:
    how = load_bundle(find_model(model)).preprocessing
    timm, keras = _timm(), _keras()
    return {
        "decoding alone": lambda: [*in_threads(lambda p: prepare(_open(p), how), _files(cells))],
        "hemozoin": lambda: _ours(Predictor.load(model), cells, table),
        "hemozoin int8": lambda: _ours(Predictor.load(model, "int8"), cells, table),
        f"timm, {USUAL} px": lambda: _usual(timm, cells, table),
        f"Keras, {USUAL} px": lambda: _usual(keras, cells, table),
    }


def _ours(predictor: Predictor, cells: Path, table: Path) -> None:
    with table.open("w", newline="") as file:
        write_csv(predict_paths([cells], predictor), file)


def _usual(network: Callable[[Pixels], Any], cells: Path, table: Path) -> None:
    """Do what a tutorial does, with its decoding in threads: files, 224 px, network, CSV."""
    files = _files(cells)
    decoded = in_threads(lambda path: np.asarray(_open(path).resize((USUAL, USUAL))), files)
    batches = iter(lambda: list(islice(decoded, BATCH)), [])
    with table.open("w", newline="") as file:
        table_of = csv.writer(file)
        named = iter(files)
        for batch in batches:
            for p in network(np.stack(batch)):
                table_of.writerow([next(named).name, float(p)])


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
    eager = in_torch(fp32.bundle)
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


if __name__ == "__main__":
    main()
