"""The same network in torch, in ONNX and in int8, compared on the same cells.

Rounding may change a probability a little. AUC and accuracy must not get worse.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from hemozoin.arrays import Floats, Pixels, batches
from hemozoin.classes import POSITIVE
from hemozoin.data.cells import LabelledCells
from hemozoin.errors import DataError, ModelError
from hemozoin.metrics.classification import compute_metrics
from hemozoin.metrics.predictions import LabelledPredictions
from hemozoin.model.bundle import INT8_GRAPH, Bundle
from hemozoin.model.predictor import Predictor
from hemozoin.training.classifier import Classifier

#: Largest allowed difference between a probability of the ONNX graph and torch's.
DIFFERENCE = 1e-4

#: Largest allowed drop of int8's AUC and accuracy below torch's. With fewer than 500 cells a
#: single cell is more than that, so one cell may always change.
AUC_DROP, ACCURACY_DROP = 0.001, 0.002

#: Allowed rounding error of a difference of metrics.
_ROUNDING = 1e-9

#: Cells per step of torch. Larger batches do not fit the cache of a CPU.
_BATCH = 256


@dataclass(frozen=True)
class BackendResult:
    """The results of one backend.

    `difference` is the largest difference of p_parasitized from torch's, `changed` the number of
    cells on the other side of the threshold.
    """

    auc: float
    accuracy: float
    difference: float
    changed: int


@dataclass(frozen=True)
class Parity:
    """The results of three backends on the same cells; `int8` is None without an int8 graph."""

    cells: int
    patients: int | None
    torch: BackendResult
    onnx: BackendResult
    int8: BackendResult | None

    def failures(self) -> list[str]:
        """Return each value that is over its limit, with the limit; empty if there is none."""
        checks = [("ONNX: largest difference", self.onnx.difference, DIFFERENCE)]
        if self.int8:
            auc, accuracy = self.torch.auc, self.torch.accuracy
            accuracy_drop = max(ACCURACY_DROP, 1 / self.cells)
            checks.append(("int8: AUC drop", auc - self.int8.auc, AUC_DROP))
            checks.append(("int8: accuracy drop", accuracy - self.int8.accuracy, accuracy_drop))
        return [
            f"{name} {value:.3g} (limit {limit:.2g})"
            for name, value, limit in checks
            if not value <= limit + _ROUNDING  # NaN fails too
        ]

    def require(self) -> None:
        """Raise ModelError where a value is over its limit."""
        if failures := self.failures():
            raise ModelError(f"not exported, a graph differs from torch: {'; '.join(failures)}")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    def text(self) -> str:
        """Return a table for a terminal."""
        lines = [
            f"{self._tested_on():<28} AUC      accuracy  largest difference  changed decisions"
        ]
        for name, result in self._by_backend().items():
            lines.append(
                f"  {name:<26} {result.auc:.4f}   {result.accuracy:.4f}   "
                f"{result.difference:<18.2g}  {result.changed}"
            )
        return "\n".join(lines)

    def _by_backend(self) -> dict[str, BackendResult]:
        named = {"torch": self.torch, "ONNX": self.onnx, "int8": self.int8}
        return {name: result for name, result in named.items() if result}

    def _tested_on(self) -> str:
        """Return the numbers of cells and, if known, patients."""
        known = "" if self.patients is None else f" of {self.patients:,} patients"
        return f"{self.cells:,} cells{known}"


def compare_backends(bundle: Bundle, cells: LabelledCells, pixels: Pixels) -> Parity:
    """Run a bundle's weights in torch, and its graphs, on labelled cells.

    `pixels` are theirs, uint8 `[N, S, S, 3]`. Raises DataError where all cells are of one class:
    AUC is undefined then.
    """
    if len({*cells.label}) < 2:
        raise DataError("the check needs cells of both classes")
    reference = torch_predictor(bundle)(pixels)
    predictions = LabelledPredictions.from_cells(cells, reference)

    def result(p: Floats) -> BackendResult:
        return _compare(predictions, p, bundle.threshold.value)

    has_int8 = INT8_GRAPH in bundle.graphs
    return Parity(
        cells=len(cells),
        patients=None if predictions.patient is None else len(set(predictions.patient)),
        torch=result(reference),
        onnx=result(Predictor(bundle)(pixels).astype(np.float64)),
        int8=result(Predictor(bundle, "int8")(pixels).astype(np.float64)) if has_int8 else None,
    )


def torch_predictor(bundle: Bundle) -> Callable[[Pixels], Floats]:
    """Return a function that runs the bundle's weights in torch.

    It takes uint8 `[N, S, S, 3]` and returns p_parasitized, float `[N]`.
    """
    classifier = Classifier(bundle.architecture, bundle.input_transform, bundle.orientations).eval()
    classifier.load_state_dict({k: torch.from_numpy(w) for k, w in bundle.weights.items()})

    @torch.inference_mode()
    def predict(pixels: Pixels) -> Floats:
        parts = [classifier(torch.from_numpy(np.array(batch))) for batch in batches(pixels, _BATCH)]
        p = torch.cat(parts)
        return p[:, POSITIVE].double().numpy()

    return predict


def _compare(reference: LabelledPredictions, p: Floats, threshold: float) -> BackendResult:
    if not np.isfinite(p).all():
        return BackendResult(math.nan, math.nan, math.nan, len(p))
    predictions = LabelledPredictions(reference.truth, p, reference.patient)
    metrics = compute_metrics(predictions, threshold)
    return BackendResult(
        auc=metrics["roc_auc"],
        accuracy=metrics["accuracy"],
        difference=float(np.abs(p - reference.p).max()),
        changed=int(((p >= threshold) != (reference.p >= threshold)).sum()),
    )
