"""What a network loses in int8, by the way it is quantized, and what it gains in speed.

    python benchmarks/export.py cell_images.zip runs/nano/fold*

Each run's variants are tested on its own test patients, which neither the network nor the
calibration has seen: one row per variant in benchmarks/results/int8.csv. Then the first run's
network is timed with each backend, alternately, so that other work on the machine affects all of
them: one row per backend and batch size in benchmarks/results/throughput.csv, with `ratio` to fp32
at the same batch size. What has a row is not measured again.
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
import onnx
from onnx import numpy_helper

import markdown_tables as md
import rows
from hemozoin.arrays import Pixels
from hemozoin.export.export import CALIBRATION_CELLS
from hemozoin.export.int8 import quantize
from hemozoin.export.parity import Parity, compare_backends, torch_predictor
from hemozoin.model.bundle import INT8_GRAPH, Bundle, load_bundle
from hemozoin.model.onnx_export import onnx_model, with_graph
from hemozoin.model.predictor import Predictor
from split_cells import cells_of

FILE, SPEED_FILE = "int8.csv", "throughput.csv"

BATCHES = (1, 64)

#: Seconds for which a backend is timed before the next one, and how often that is repeated.
SECONDS, REPEATS = 0.3, 15

Quantize = Callable[[Bundle, Pixels], bytes]


class _Reader:
    """Cells in the form that ONNX Runtime's quantizer reads."""

    def __init__(self, pixels: Pixels) -> None:
        self._batches = iter([{"pixels": pixels[k : k + 64]} for k in range(0, len(pixels), 64)])

    def get_next(self) -> dict[str, Pixels] | None:
        return next(self._batches, None)


def static(bundle: Bundle, pixels: Pixels, method: str, per_channel: bool) -> bytes:
    """Return the fp32 graph quantized by ONNX Runtime's own quantizer, convolutions only.

    `method` is a member of its CalibrationMethod.
    """
    from onnxruntime import quantization  # noqa: PLC0415 - after hemozoin turned telemetry off

    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        fp32, int8 = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
        fp32.write_bytes(onnx_model(bundle))
        quantization.quantize_static(
            fp32,
            int8,
            _Reader(pixels),
            op_types_to_quantize=["Conv", "Relu"],
            per_channel=per_channel,
            activation_type=quantization.QuantType.QUInt8,
            calibrate_method=quantization.CalibrationMethod[method],
        )
        return _as_hemozoin_writes(onnx.load(int8))


def _as_hemozoin_writes(model: onnx.ModelProto) -> bytes:
    """Return the file with its arrays as raw bytes: `Predictor` opens no other."""
    del model.graph.value_info[:]
    for array in model.graph.initializer:
        array.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(array), array.name))
    content: bytes = model.SerializeToString()
    return content


#: Number of calibration cells and the quantizer, by name; `hemozoin export` does the first.
VARIANTS: dict[str, tuple[int, Quantize]] = {
    "hemozoin": (CALIBRATION_CELLS, quantize),
    "64 cells": (64, quantize),
    "range to the maximum": (CALIBRATION_CELLS, partial(quantize, quantile=1.0)),
    "range to the 0.999 quantile": (CALIBRATION_CELLS, partial(quantize, quantile=0.999)),
    "quantize_static, per channel, maximum": (
        CALIBRATION_CELLS,
        partial(static, method="MinMax", per_channel=True),
    ),
    "quantize_static, per channel, percentile": (
        CALIBRATION_CELLS,
        partial(static, method="Percentile", per_channel=True),
    ),
    "quantize_static, per tensor, percentile": (
        CALIBRATION_CELLS,
        partial(static, method="Percentile", per_channel=False),
    ),
}


def main() -> None:
    """Measure what has no row yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    given = parser.parse_args()
    for run in given.runs:
        _test_variants(run, given.data)
    _time_backends(given.runs[0], given.data)


def _test_variants(run: Path, data: Path) -> None:
    done = rows.measured(FILE, "run", "variant")
    bundle = with_graph(load_bundle(run / "model"))
    cells, pixels = cells_of(run, "test", data, bundle.preprocessing)
    for variant, (count, quantizer) in VARIANTS.items():
        if (_name(run), variant) not in done:
            graph = quantizer(bundle, _training_cells(run, data, bundle, count))
            whole = replace(bundle, graphs={**bundle.graphs, INT8_GRAPH: graph})
            row: rows.Row = {"run": _name(run), "alpha": bundle.architecture.alpha}
            row |= {"variant": variant, "calibration_cells": count, "bytes": len(graph)}
            rows.append(FILE, row | _metrics(compare_backends(whole, cells, pixels)))


def _name(run: Path) -> str:
    """Return "nano/fold1"."""
    return "/".join(run.parts[-2:])


def _metrics(parity: Parity) -> rows.Row:
    assert parity.int8
    return {
        "cells": parity.cells,
        "patients": parity.patients,
        "auc": round(parity.torch.auc, 5),
        "accuracy": round(parity.torch.accuracy, 5),
        "auc_drop": round(parity.torch.auc - parity.int8.auc, 5),
        "accuracy_drop": round(parity.torch.accuracy - parity.int8.accuracy, 5),
        "largest_difference": round(parity.int8.difference, 4),
        "decisions_changed": parity.int8.changed,
        "onnx_difference": f"{parity.onnx.difference:.1e}",
    }


def _time_backends(run: Path, data: Path) -> None:
    if (_name(run),) in rows.measured(SPEED_FILE, "run"):
        return
    bundle = with_graph(load_bundle(run / "model"))
    cells = _training_cells(run, data, bundle, 1024)
    backends = _backends(bundle, cells)
    for batch in BATCHES:
        speeds = _cells_per_second(backends, cells, batch)
        fp32 = statistics.median(speeds["fp32"])
        for backend, found in speeds.items():
            median, sd = statistics.median(found), statistics.stdev(found)
            row: rows.Row = {"run": _name(run), "alpha": bundle.architecture.alpha}
            row |= {"backend": backend, "batch": batch, "n": REPEATS}
            row |= {"cells_per_second": round(median), "sd": round(sd)}
            row |= {"ratio": round(median / fp32, 3)}
            rows.append(SPEED_FILE, row | rows.conditions())


def _backends(bundle: Bundle, cells: Pixels) -> dict[str, Callable[[Pixels], object]]:
    def in_int8(variant: str) -> Callable[[Pixels], object]:
        count, quantizer = VARIANTS[variant]
        graph = quantizer(bundle, cells[:count])
        quantized = replace(bundle, graphs={**bundle.graphs, INT8_GRAPH: graph})
        return Predictor(quantized, "int8").output

    return {
        "torch eager": torch_predictor(bundle),
        "fp32": Predictor(bundle).output,
        "int8": in_int8("hemozoin"),
        "quantize_static": in_int8("quantize_static, per channel, percentile"),
    }


def _cells_per_second(
    backends: dict[str, Callable[[Pixels], object]], cells: Pixels, batch: int
) -> dict[str, list[float]]:
    """Return the cells per second of every backend, one value per repeat."""
    found: dict[str, list[float]] = {backend: [] for backend in backends}
    for repeat in range(REPEATS + 1):
        for backend, run in backends.items():
            speed = _speed(run, _batches(cells, batch))
            if repeat:  # the first one warms up
                found[backend].append(speed)
    return found


def _speed(run: Callable[[Pixels], object], batches: Iterator[Pixels]) -> float:
    started, count = time.perf_counter(), 0
    while time.perf_counter() - started < SECONDS:
        batch = next(batches)
        run(batch)
        count += len(batch)
    return count / (time.perf_counter() - started)


def _batches(cells: Pixels, batch: int) -> Iterator[Pixels]:
    """Yield batches of the cells, over and over."""
    while True:
        yield from (cells[k : k + batch] for k in range(0, len(cells), batch))


def _training_cells(run: Path, data: Path, bundle: Bundle, count: int) -> Pixels:
    """Return `count` of a run's training cells, drawn at random."""
    _, pixels = cells_of(run, "train", data, bundle.preprocessing)
    rng = np.random.default_rng(0)
    return pixels[np.sort(rng.choice(len(pixels), count, replace=False))]


def table() -> str:
    """Return the results in Markdown: the loss of each variant on the runs' test patients."""
    lines = []
    for (variant,), runs in md.groups(rows.read(FILE), "variant").items():
        changed = sum(int(row["decisions_changed"]) for row in runs)
        cells = sum(int(row["cells"]) for row in runs)
        losses = md.spreads(runs, ("auc_drop", "accuracy_drop"))
        lines.append((variant, len(runs), *losses, f"{changed:,} of {cells:,}"))
    note = (
        "Compared with the fp32 network, on test patients that neither it nor the calibration has"
        " seen: mean ± standard deviation over n folds of a cross-validation. `hemozoin` is that of"
        " `hemozoin export`."
    )
    columns = ("quantization", "n", "AUC lost", "accuracy lost", "decisions changed")
    return md.table(columns, lines, note)


if __name__ == "__main__":
    main()
