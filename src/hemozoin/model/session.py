"""A graph of ours on ONNX Runtime: cells in, answers out."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import onnxruntime

from hemozoin.arrays import Floats, Pixels
from hemozoin.classes import CLASSES, POSITIVE
from hemozoin.errors import ModelError

#: Cells per step. Larger ones fall out of the cache of a CPU.
BATCH = 32

#: What stands in the metadata of every graph of ours.
_METADATA = ("format", "classes", "preprocessing", "threshold")


@dataclass(frozen=True, eq=False)
class NetworkOutput:
    """What the network says of N cells."""

    #: float `[N]`, in 0..1, calibrated.
    p_parasitized: Floats
    #: float `[N, C]`, what the last layer sees.
    features: Floats
    #: float `[N, H, W]`: log odds of parasitized at each place, uncalibrated.
    map: Floats


class Session:
    """One open graph, which may answer in many threads at once.

    `name` is what errors call it. Raises ModelError for a file that is no graph of ours.
    """

    def __init__(self, graph: bytes, name: str) -> None:
        try:
            self._session = onnxruntime.InferenceSession(
                graph, _options(), providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime has a dozen, without a common base
            raise ModelError(f"{name}: not a readable ONNX file") from error
        #: What stands in the file beside the graph, as text.
        self.metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        _require_ours(self.metadata, name)

    def __call__(self, pixels: Pixels) -> NetworkOutput:
        """Answer for prepared cells, uint8 `[N, S, S, 3]`."""
        outputs = ["probabilities", "features", "map"]
        found = self._session.run(outputs, {"pixels": np.ascontiguousarray(pixels)})
        probabilities, features, maps = found
        return NetworkOutput(probabilities[:, POSITIVE], features, maps)


def _options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    # Each core has a batch of its own, see `Predictor`: they need not wait for each other.
    options.intra_op_num_threads = 1
    options.log_severity_level = 3  # errors; what they say is in the exception
    return options


def _require_ours(metadata: dict[str, str], name: str) -> None:
    if missing := [key for key in _METADATA if key not in metadata]:
        raise ModelError(f"{name}: not made by hemozoin; its metadata lack {', '.join(missing)}")
    if metadata["classes"] != json.dumps(CLASSES):
        raise ModelError(f"{name}: needs the classes {' and '.join(CLASSES)}, in this order")
