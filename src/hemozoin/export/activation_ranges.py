"""The range of the activations on real cells, which 8 bits have to cover."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper

from hemozoin.arrays import Floats, Pixels, batches
from hemozoin.export.graph_parts import GraphParts
from hemozoin.onnx_runtime import onnxruntime

#: Quantile of a channel's values in a batch that is its limit; higher values are clipped. With the
#: maximum as the limit, all other values get too few levels (benchmarks/export.py).
QUANTILE = 0.9999

#: A channel's limit is at least this share of its layer's highest limit: a channel that is near 0
#: on these cells may be active on others.
_LOWEST_SHARE = 0.01

#: Cells whose activations are in memory together: 100 MB at α = 0.25.
_BATCH = 64


def measure_limits(
    model: onnx.ModelProto, parts: GraphParts, pixels: Pixels, quantile: float = QUANTILE
) -> dict[str, Floats]:
    """Return the upper limit of each channel of each layer: its name to float `[C]`, above 0.

    It is the highest of all batches of cells, uint8 `[N, S, S, 3]`. The lower limit is 0, by ReLU.
    """
    outputs = [convolution.output for convolution in parts.convolutions]
    session = _session_with_outputs(model, outputs)
    by_batch: list[list[Floats]] = []
    for batch in batches(pixels, _BATCH):
        maps = session.run(outputs, {"pixels": np.asarray(batch)})
        by_batch.append([np.quantile(map_, quantile, axis=(0, 2, 3)) for map_ in maps])
    limits = (np.max(of_batches, axis=0) for of_batches in zip(*by_batch, strict=True))
    names = (convolution.name for convolution in parts.convolutions)
    raised = (limit.clip(min=max(limit.max() * _LOWEST_SHARE, 1e-6)) for limit in limits)
    return dict(zip(names, raised, strict=True))


def _session_with_outputs(
    model: onnx.ModelProto, outputs: list[str]
) -> onnxruntime.InferenceSession:
    """Return a session of the graph that can also return these inner values."""
    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    for name in outputs:
        exposed.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    return onnxruntime.InferenceSession(
        exposed.SerializeToString(), providers=["CPUExecutionProvider"]
    )
