"""An ONNX file written by hemozoin, on ONNX Runtime: prepared cells in, network output out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hemozoin.arrays import Floats, Pixels
from hemozoin.classes import POSITIVE
from hemozoin.errors import ModelError
from hemozoin.model.checks.graph import CELLS, read_graph
from hemozoin.model.checks.shapes import Work
from hemozoin.onnx_runtime import onnxruntime

#: Cells per batch. Larger batches don't fit the cache of a core: 32 take a tenth longer per cell.
BATCH = 16

#: The outputs of a graph, in the order of the fields of `NetworkOutput`.
_OUTPUTS = ["probabilities", "features", "map"]


@dataclass(frozen=True, eq=False)
class NetworkOutput:
    """The network's output for N cells."""

    #: float `[N]`, in [0, 1], calibrated.
    p_parasitized: Floats
    #: float `[N, C]`, the input of the last layer.
    features: Floats
    #: float `[N, H, W]`: log odds of parasitized at each position, uncalibrated.
    map: Floats


class Session:
    """One open ONNX file, which many threads may use at once.

    `name` is its name in error messages. The file is checked before ONNX Runtime opens it, and
    runs once. Raises ModelError for a file not written by hemozoin, for one that needs more than
    `most` work, and for one whose output is not made of probabilities.
    """

    def __init__(self, graph: bytes, name: str, most: Work | None = None) -> None:
        #: The content of the file.
        self.graph = read_graph(graph, name, most)
        self._name = name
        try:
            self._session = onnxruntime.InferenceSession(
                graph, _options(), providers=["CPUExecutionProvider"]
            )
            outputs = self._run(_first_cells(self.graph.size))
        except Exception as error:  # ONNX Runtime raises many classes without a common base
            raise ModelError(f"{name}: ONNX Runtime can't run it; export it again") from error
        self._require_probabilities(outputs)

    def __call__(self, pixels: Pixels) -> NetworkOutput:
        """Return the output for prepared cells, uint8 `[N, S, S, 3]`.

        Raises ModelError where a probability is not a number.
        """
        probabilities, features, maps = self._run(pixels)
        p_parasitized = probabilities[:, POSITIVE]
        if np.isnan(p_parasitized).any():
            raise ModelError(f"{self._name}: a probability is not a number; train it again")
        return NetworkOutput(p_parasitized, features, maps)

    def _run(self, pixels: Pixels) -> list[Floats]:
        outputs: list[Floats] = self._session.run(
            _OUTPUTS, {"pixels": np.ascontiguousarray(pixels)}
        )
        return outputs

    def _require_probabilities(self, outputs: list[Floats]) -> None:
        """Raise ModelError unless the outputs have their shapes, and rows of p add up to 1."""
        p = outputs[0]
        shapes = [self.graph.shapes[name] for name in _OUTPUTS]
        valid = [output.shape for output in outputs] == shapes
        if not valid or not all(np.isfinite(output).all() for output in outputs):
            raise ModelError(f"{self._name}: its output is not made of numbers; export it again")
        if p.min() < 0 or np.abs(p.sum(axis=1) - 1).max() > 1e-3:
            raise ModelError(f"{self._name}: its output is no probability; export it again")


def _first_cells(size: int) -> Pixels:
    """Return two cells for a first run: one with all levels, and a black one."""
    cells = np.zeros((CELLS, size, size, 3), np.uint8)
    cells[0] = np.arange(size * size * 3).reshape(size, size, 3) % 256
    return cells


def _options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    # Each core works on a batch of its own, see `Predictor`, so cores need not wait for each other.
    options.intra_op_num_threads = 1
    options.log_severity_level = 4  # nothing on standard error; the exception has the text
    return options
