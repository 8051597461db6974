"""An ONNX file written by hemozoin, on ONNX Runtime: prepared cells in, network output out."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import onnxruntime

from hemozoin.arrays import Floats, Pixels
from hemozoin.classes import CLASSES, POSITIVE
from hemozoin.errors import ModelError

#: Cells per batch. Larger batches don't fit the cache of a CPU.
BATCH = 32

#: The metadata keys that every ONNX file of hemozoin has.
_METADATA = ("format", "classes", "preprocessing", "threshold")


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

    `name` is its name in error messages. Raises ModelError for a file not written by hemozoin.
    """

    def __init__(self, graph: bytes, name: str) -> None:
        try:
            self._session = onnxruntime.InferenceSession(
                graph, _options(), providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime raises many classes without a common base
            raise ModelError(f"{name}: not a readable ONNX file") from error
        #: The metadata of the file, as text.
        self.metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        _require_metadata(self.metadata, name)

    def __call__(self, pixels: Pixels) -> NetworkOutput:
        """Return the output for prepared cells, uint8 `[N, S, S, 3]`."""
        names = ["probabilities", "features", "map"]
        outputs = self._session.run(names, {"pixels": np.ascontiguousarray(pixels)})
        probabilities, features, maps = outputs
        return NetworkOutput(probabilities[:, POSITIVE], features, maps)


def _options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    # Each core works on a batch of its own, see `Predictor`, so cores need not wait for each other.
    options.intra_op_num_threads = 1
    options.log_severity_level = 3  # errors only; the exception has their text
    return options


def _require_metadata(metadata: dict[str, str], name: str) -> None:
    if missing := [key for key in _METADATA if key not in metadata]:
        raise ModelError(f"{name}: not made by hemozoin; its metadata lack {', '.join(missing)}")
    if metadata["classes"] != json.dumps(CLASSES):
        raise ModelError(f"{name}: needs the classes {' and '.join(CLASSES)}, in this order")
