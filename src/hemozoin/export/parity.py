"""Is it still the same network? torch, ONNX and int8 on the same cells.

Rounding may move a probability a little. What must not move is what the network is worth.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
import torch

from hemozoin.arrays import Floats, Pixels, batches
from hemozoin.classes import POSITIVE
from hemozoin.errors import DataError, ModelError
from hemozoin.metrics.classification import LabelledPredictions, compute_metrics
from hemozoin.model.bundle import INT8_GRAPH, Bundle
from hemozoin.model.predictor import Predictor
from hemozoin.training.classifier import Classifier

#: The most that a probability of the ONNX graph may differ from torch's.
DIFFERENCE = 1e-4

#: The most that int8 may lose of torch's AUC and accuracy. Of less than 500 cells a single one is
#: more, and says nothing: that one may change.
AUC_DROP, ACCURACY_DROP = 0.001, 0.002

#: Differences of figures that are equal but for their last bit.
_ROUNDING = 1e-9

#: Cells per step of torch. Larger ones fall out of the cache of a CPU.
_BATCH = 256


@dataclass(frozen=True)
class BackendResult:
    """What one way to run the network came to.

    `difference` is the largest one of p_parasitized from torch's, `changed` the number of cells
    on the other side of the threshold.
    """

    auc: float
    accuracy: float
    difference: float
    changed: int


@dataclass(frozen=True)
class Parity:
    """The same network run in three ways on the same cells; `int8` is None where there is none."""

    cells: int
    patients: int | None
    torch: BackendResult
    onnx: BackendResult
    int8: BackendResult | None

    def failures(self) -> list[str]:
        """Return each figure that is off, with its limit; empty where all is well."""
        limits = [("ONNX: largest difference", self.onnx.difference, DIFFERENCE)]
        if self.int8:
            auc, accuracy = self.torch.auc, self.torch.accuracy
            most = max(ACCURACY_DROP, 1 / self.cells)
            limits.append(("int8: AUC drop", auc - self.int8.auc, AUC_DROP))
            limits.append(("int8: accuracy drop", accuracy - self.int8.accuracy, most))
        return [
            f"{what} {value:.3g} (limit {limit:.2g})"
            for what, value, limit in limits
            if not value <= limit + _ROUNDING  # NaN is off too
        ]

    def require(self) -> None:
        """Raise ModelError where a figure is off."""
        if off := self.failures():
            raise ModelError(f"not exported, since it isn't the same network: {'; '.join(off)}")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    def text(self) -> str:
        """Return a table for a terminal."""
        lines = [f"{self.tested_on():<28} AUC      accuracy  largest difference  changed decisions"]
        for name, answered in self.ways().items():
            lines.append(
                f"  {name:<26} {answered.auc:.4f}   {answered.accuracy:.4f}   "
                f"{answered.difference:<18.2g}  {answered.changed}"
            )
        return "\n".join(lines)

    def ways(self) -> dict[str, BackendResult]:
        """Return what was compared, by name."""
        named = {"torch": self.torch, "ONNX": self.onnx, "int8": self.int8}
        return {name: answered for name, answered in named.items() if answered}

    def tested_on(self) -> str:
        """Tell on what."""
        known = "" if self.patients is None else f" of {self.patients:,} patients"
        return f"{self.cells:,} cells{known}"


def compare_backends(bundle: Bundle, cells: pl.DataFrame, pixels: Pixels) -> Parity:
    """Run a bundle's weights and its graphs on cells with `label` and `patient`.

    `pixels` are theirs, uint8 `[N, S, S, 3]`. Raises DataError where the cells are of one class:
    there is no AUC then.
    """
    if cells["label"].n_unique() < 2:
        raise DataError("the check needs cells of both classes")
    reference = in_torch(bundle)(pixels)
    predictions = LabelledPredictions.from_cells(cells, reference)

    def answered(p: Floats) -> BackendResult:
        return _answered(predictions, p, bundle.threshold.value)

    has_int8 = INT8_GRAPH in bundle.graphs
    return Parity(
        cells=len(cells),
        patients=None if predictions.patient is None else len(set(predictions.patient)),
        torch=answered(reference),
        onnx=answered(Predictor(bundle)(pixels).astype(np.float64)),
        int8=answered(Predictor(bundle, "int8")(pixels).astype(np.float64)) if has_int8 else None,
    )


def in_torch(bundle: Bundle) -> Callable[[Pixels], Floats]:
    """Return the bundle's weights in torch, ready to answer: p_parasitized, float `[N]`."""
    classifier = Classifier(bundle.architecture, bundle.view, bundle.orientations).eval()
    classifier.load_state_dict({k: torch.from_numpy(w) for k, w in bundle.weights.items()})

    @torch.inference_mode()
    def answer(pixels: Pixels) -> Floats:
        parts = [classifier(torch.from_numpy(np.array(batch))) for batch in batches(pixels, _BATCH)]
        p = torch.cat(parts)
        return p[:, POSITIVE].double().numpy()

    return answer


def _answered(predictions: LabelledPredictions, p: Floats, threshold: float) -> BackendResult:
    if not np.isfinite(p).all():
        return BackendResult(math.nan, math.nan, math.nan, len(p))
    figures = compute_metrics(
        LabelledPredictions(predictions.truth, p, predictions.patient), threshold
    )
    return BackendResult(
        auc=figures["roc_auc"],
        accuracy=figures["accuracy"],
        difference=float(np.abs(p - predictions.p).max()),
        changed=int(((p >= threshold) != (predictions.p >= threshold)).sum()),
    )
