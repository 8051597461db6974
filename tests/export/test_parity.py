"""The comparison of backends: its metrics are right, and every failure is named."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from hemozoin.errors import DataError, ModelError
from hemozoin.export.int8 import quantize
from hemozoin.export.parity import BackendResult, Parity, compare_backends
from hemozoin.model.bundle import INT8_GRAPH
from hemozoin.model.predictor import Predictor
from tests.support.bundles import some_bundle, some_cells, some_classifier
from tests.support.tables import labelled_cells, without_patients

PASSING = Parity(
    cells=1200,
    patients=7,
    torch=BackendResult(0.99, 0.96, 0, 0),
    onnx=BackendResult(0.99, 0.96, 1e-4, 0),
    int8=BackendResult(0.9891, 0.9581, 0.3, 9),
)


def test_values_at_their_limits_pass() -> None:
    assert PASSING.failures() == []
    PASSING.require()
    assert replace(PASSING, int8=None).failures() == []


def test_one_of_few_cells_may_change() -> None:
    of_16 = replace(PASSING, cells=16, torch=BackendResult(1, 1, 0, 0))
    assert replace(of_16, int8=BackendResult(1, 15 / 16, 0.3, 1)).failures() == []
    (line,) = replace(of_16, int8=BackendResult(1, 14 / 16, 0.3, 2)).failures()
    assert line == "int8: accuracy drop 0.125 (limit 0.062)"


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        (
            {"onnx": BackendResult(0.99, 0.96, 1.1e-4, 0)},
            "ONNX: largest difference 0.00011 .limit 0.0001",
        ),
        ({"int8": BackendResult(0.9889, 0.96, 0, 0)}, "int8: AUC drop 0.0011 .limit 0.001"),
        ({"int8": BackendResult(0.99, 0.9579, 0, 0)}, "int8: accuracy drop 0.0021 .limit 0.002"),
        ({"int8": BackendResult(math.nan, math.nan, math.nan, 9)}, "int8: AUC drop nan"),
        ({"onnx": BackendResult(0.99, 0.96, math.nan, 0)}, "ONNX: largest difference nan"),
    ],
)
def test_failures_are_named(changed: dict[str, BackendResult], line: str) -> None:
    with pytest.raises(ModelError, match=line):
        replace(PASSING, **changed).require()  # type: ignore[arg-type]


def test_the_table_shows_every_backend() -> None:
    heading, torch, onnx, int8 = PASSING.text().splitlines()
    assert heading.startswith("1,200 cells of 7 patients")
    assert torch.split() == ["torch", "0.9900", "0.9600", "0", "0"]
    assert onnx.split() == ["ONNX", "0.9900", "0.9600", "0.0001", "0"]
    assert int8.split() == ["int8", "0.9891", "0.9581", "0.3", "9"]
    assert len(replace(PASSING, int8=None).text().splitlines()) == 3
    assert PASSING.to_dict()["int8"]["changed"] == 9


def test_the_metrics_are_those_of_the_graphs() -> None:
    bundle, pixels = some_bundle(some_classifier()), some_cells(40, 32)
    bundle = replace(bundle, graphs={**bundle.graphs, INT8_GRAPH: quantize(bundle, pixels[:9])})
    fp32, int8 = (Predictor(bundle, precision)(pixels) for precision in ("fp32", "int8"))
    threshold = float(np.median(fp32))
    bundle = replace(bundle, threshold=replace(bundle.threshold, value=threshold))
    infected = fp32 >= threshold
    labels = np.where(infected, "parasitized", "uninfected")
    cells = labelled_cells(labels.tolist(), ["a", "b"] * 20)
    parity = compare_backends(bundle, cells, pixels)
    assert (parity.cells, parity.patients) == (40, 2)
    assert parity.torch.auc == 1
    assert parity.onnx.difference < 1e-5
    assert parity.int8 is not None
    assert parity.int8.difference == pytest.approx(np.abs(fp32 - int8).max(), abs=1e-5)
    assert parity.int8.difference > 0
    assert parity.int8.changed == ((int8 >= threshold) != infected).sum() > 0
    assert parity.int8.accuracy == 1 - parity.int8.changed / 40
    unknown = without_patients(cells)
    assert compare_backends(bundle, unknown, pixels).patients is None


def test_cells_of_one_class_have_no_auc() -> None:
    cells = labelled_cells(["uninfected"] * 3, ["a"] * 3)
    with pytest.raises(DataError, match="both classes"):
        compare_backends(some_bundle(some_classifier()), cells, some_cells(3, 32))
