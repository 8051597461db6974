"""The row of a finished run: its results, read from its files, and its latency, measured here."""

from __future__ import annotations

import os
import platform
import statistics
import time
from typing import Any

import numpy as np
import torch

from hemozoin.about import VERSION
from hemozoin.csv_files import read_csv_table
from hemozoin.evaluation.evaluation import AS_GIVEN
from hemozoin.files import read_regular_file
from hemozoin.json_files import parse_json
from hemozoin.model.bundle import GRAPH, Bundle, load_bundle
from hemozoin.model.session import Session
from hemozoin.paper.sweep.grid import SweepNetwork
from hemozoin.paper.sweep.rows import SweepRow
from hemozoin.training.checkpoint import EPOCH_COLUMNS
from hemozoin.training.recipe import Recipe
from hemozoin.training.runs.folder import RunFolder

#: Predictions that are timed. A tenth as many run before them, untimed, to warm up.
_TIMED = 200


def measure_run(
    run: RunFolder, network: SweepNetwork, recipe: Recipe, tables: tuple[int, ...]
) -> SweepRow:
    """Return the row of a finished run. The latency is measured during the call."""
    cost = network.cost()
    metrics = parse_json(read_regular_file(run.metrics_file))[AS_GIVEN.replace(" ", "_")]
    results = read_csv_table(run.results, EPOCH_COLUMNS)
    return SweepRow(
        tables=" ".join(map(str, tables)),
        network=network.name,
        alpha=network.alpha,
        size=network.size,
        body=network.body,
        seed=recipe.seed,
        epochs=recipe.epochs,
        mult_adds=cost.mult_adds,
        parameters=cost.parameters,
        **_with_interval("accuracy", metrics["accuracy"]),
        **_with_interval("auc", metrics["roc_auc"]),
        cells=metrics["cells"],
        patients=metrics["patients"] or 0,
        training_seconds=round(sum(map(float, results["seconds"])), 2),
        latency_ms=round(measure_latency(load_bundle(run.model)), 3),
        threads=torch.get_num_threads(),
        cores=os.cpu_count() or 1,
        machine=platform.machine(),
        torch=torch.__version__,
        hemozoin=VERSION,
    )


def _with_interval(name: str, estimate: dict[str, Any]) -> dict[str, float]:
    """Return a metric and its interval as columns of a row, NaN where it isn't defined."""
    columns = {name: "value", f"{name}_low": "low", f"{name}_high": "high"}
    values = {column: estimate[key] for column, key in columns.items()}
    return {key: float("nan") if x is None else round(x, 6) for key, x in values.items()}


def measure_latency(bundle: Bundle) -> float:
    """Return the median time for the prediction of one cell, in milliseconds.

    It is for one thread of ONNX Runtime and the whole graph from pixels to probability, with rot90
    test-time augmentation. The cell is noise: the time of a convolution does not depend on pixels.
    """
    size = bundle.preprocessing.size
    cell = np.random.default_rng(0).integers(1, 256, (1, size, size, 3), dtype=np.uint8)
    session = Session(bundle.graphs[GRAPH], GRAPH)
    times = []
    for _ in range(_TIMED + _TIMED // 10):
        started = time.perf_counter()
        session(cell)
        times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times[-_TIMED:])
