"""What a network loses in 8 bits, by how it is quantized, and what it gains in speed.

    python benchmarks/export.py cell_images.zip runs/nano/fold*

Each run's variants are judged on its own test patients, which neither the network nor the
calibration has seen: a row a variant in benchmarks/results/int8.csv. Then the first run's
network is timed in every way, side by side: the ways take turns, so that what else the machine
does meets all of them. A row a way and batch in benchmarks/results/throughput.csv, with `ratio`
to fp32 of the same batch. Rows that are there are not made again.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantType,
    quantize_static,
)

import rows
from hemozoin.arrays import Pixels
from hemozoin.data.dataset import decode_cells
from hemozoin.data.options import CellOptions
from hemozoin.data.split import read_split
from hemozoin.export.export import CALIBRATION
from hemozoin.export.int8 import quantize
from hemozoin.export.parity import Parity, compare_backends, in_torch
from hemozoin.model.bundle import INT8_GRAPH, Bundle, load_bundle
from hemozoin.model.onnx_export import onnx_model, with_graph
from hemozoin.model.predictor import Predictor

QUALITY, SPEED = "int8.csv", "throughput.csv"

BATCHES = (1, 64)

#: Seconds that one way runs before it is the next one's turn, and how often that is.
TURN, REPEATS = 0.3, 15

Quantize = Callable[[Bundle, Pixels], bytes]


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Cells as ONNX Runtime's own quantizer asks for them."""

    def __init__(self, pixels: Pixels) -> None:
        self._batches = iter([{"pixels": pixels[k : k + 64]} for k in range(0, len(pixels), 64)])

    def get_next(self) -> dict[str, Pixels] | None:
        return next(self._batches, None)


def static(bundle: Bundle, pixels: Pixels, method: CalibrationMethod, per_channel: bool) -> bytes:
    """Return what ONNX Runtime's quantizer makes of the fp32 graph, convolutions alone."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        given, made = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
        given.write_bytes(onnx_model(bundle))
        quantize_static(
            given,
            made,
            _Reader(pixels),
            op_types_to_quantize=["Conv", "Relu"],
            per_channel=per_channel,
            activation_type=QuantType.QUInt8,
            calibrate_method=method,
        )
        return made.read_bytes()


#: Number of cells and way to quantize, by name; the first is what `hemozoin export` does.
VARIANTS: dict[str, tuple[int, Quantize]] = {
    "hemozoin": (CALIBRATION, quantize),
    "64 cells": (64, quantize),
    "highest value held": (CALIBRATION, partial(quantize, held=1.0)),
    ".999 held": (CALIBRATION, partial(quantize, held=0.999)),
    "quantize_static, per channel, highest": (
        CALIBRATION,
        partial(static, method=CalibrationMethod.MinMax, per_channel=True),
    ),
    "quantize_static, per channel, percentile": (
        CALIBRATION,
        partial(static, method=CalibrationMethod.Percentile, per_channel=True),
    ),
    "quantize_static, per tensor, percentile": (
        CALIBRATION,
        partial(static, method=CalibrationMethod.Percentile, per_channel=False),
    ),
}


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    given = parser.parse_args()
    for run in given.runs:
        _judge(run, given.data)
    _race(given.runs[0], given.data)


def _judge(run: Path, data: Path) -> None:
    done = {(row["run"], row["variant"]) for row in rows.read(QUALITY)}
    bundle = with_graph(load_bundle(run / "model"))
    tested, test = _part(run, data, bundle, "test")
    for variant, (count, how) in VARIANTS.items():
        if (_name(run), variant) not in done:
            graph = how(bundle, _some(run, data, bundle, count))
            whole = replace(bundle, graphs={**bundle.graphs, INT8_GRAPH: graph})
            row: rows.Row = {"run": _name(run), "alpha": bundle.architecture.alpha}
            row |= {"variant": variant, "calibration_cells": count, "bytes": len(graph)}
            rows.append(QUALITY, row | _figures(compare_backends(whole, tested, test)))


def _name(run: Path) -> str:
    """Return "nano/fold1"."""
    return "/".join(run.parts[-2:])


def _figures(parity: Parity) -> rows.Row:
    assert parity.int8
    return {
        "cells": parity.cells,
        "patients": parity.patients,
        "auc": round(parity.torch.auc, 5),
        "accuracy": round(parity.torch.accuracy, 5),
        "auc_drop": round(parity.torch.auc - parity.int8.auc, 5),
        "accuracy_drop": round(parity.torch.accuracy - parity.int8.accuracy, 5),
        "largest_difference": round(parity.int8.difference, 4),
        "changed": parity.int8.changed,
        "onnx_difference": f"{parity.onnx.difference:.1e}",
    }


def _race(run: Path, data: Path) -> None:
    if any(row["run"] == _name(run) for row in rows.read(SPEED)):
        return
    bundle = with_graph(load_bundle(run / "model"))
    cells = _some(run, data, bundle, 1024)
    ways = _ways(bundle, cells)
    for batch in BATCHES:
        speeds = _timed(ways, cells, batch)
        fp32 = statistics.median(speeds["fp32"])
        for way, found in speeds.items():
            median, spread = statistics.median(found), statistics.stdev(found)
            row: rows.Row = {"run": _name(run), "alpha": bundle.architecture.alpha, "way": way}
            row |= {"batch": batch, "n": REPEATS, "cells_per_second": round(median)}
            row |= {"sd": round(spread), "ratio": round(median / fp32, 3)}
            rows.append(SPEED, row | rows.conditions())


def _ways(bundle: Bundle, cells: Pixels) -> dict[str, Callable[[Pixels], object]]:
    def in_8_bits(variant: str) -> Callable[[Pixels], object]:
        count, how = VARIANTS[variant]
        return Predictor(
            replace(bundle, graphs={**bundle.graphs, INT8_GRAPH: how(bundle, cells[:count])}),
            "int8",
        ).output

    return {
        "torch eager": in_torch(bundle),
        "fp32": Predictor(bundle).output,
        "int8": in_8_bits("hemozoin"),
        "quantize_static": in_8_bits("quantize_static, per channel, percentile"),
    }


def _timed(
    ways: dict[str, Callable[[Pixels], object]], cells: Pixels, batch: int
) -> dict[str, list[float]]:
    """Return cells per second of every way, a number for each of its turns."""
    found: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(REPEATS + 1):
        for way, answer in ways.items():
            speed = _speed(answer, _batches(cells, batch))
            if turn:  # the first one warms up
                found[way].append(speed)
    return found


def _speed(answer: Callable[[Pixels], object], batches: Iterator[Pixels]) -> float:
    started, count = time.perf_counter(), 0
    while time.perf_counter() - started < TURN:
        batch = next(batches)
        answer(batch)
        count += len(batch)
    return count / (time.perf_counter() - started)


def _batches(cells: Pixels, batch: int) -> Iterator[Pixels]:
    while True:
        yield from (cells[k : k + batch] for k in range(0, len(cells), batch))


def _some(run: Path, data: Path, bundle: Bundle, count: int) -> Pixels:
    """Return some of a run's training cells."""
    _, pixels = _part(run, data, bundle, "train")
    rng = np.random.default_rng(0)
    return pixels[np.sort(rng.choice(len(pixels), count, replace=False))]


def _part(run: Path, data: Path, bundle: Bundle, split: str) -> tuple[pl.DataFrame, Pixels]:
    store = decode_cells(data, CellOptions(), bundle.preprocessing)
    cells = read_split(store.cells.with_row_index("row"), run / "split.csv")
    cells = cells.filter(pl.col("split") == split)
    return cells, store.pixels[cells["row"].to_numpy()]


if __name__ == "__main__":
    main()
