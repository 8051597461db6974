"""The range of the activations on real cells, which 8 bits have to cover."""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True, eq=False)
class ActivationRanges:
    """The range of the network's inputs, and the upper limit of each channel of each layer."""

    inputs: tuple[float, float]
    #: Name of the layer to float `[C]`, above 0.
    limits: dict[str, Floats]


def measure_ranges(
    model: onnx.ModelProto, parts: GraphParts, pixels: Pixels, quantile: float = QUANTILE
) -> ActivationRanges:
    """Return the ranges on cells, uint8 `[N, S, S, 3]`: the widest of all batches."""
    outputs = [parts.inputs, *(convolution.output for convolution in parts.convolutions)]
    session = _session_with_outputs(model, outputs)
    by_batch: list[list[Floats]] = []
    for batch in batches(pixels, _BATCH):
        inputs, *maps = session.run(outputs, {"pixels": np.asarray(batch)})
        ends = np.quantile(inputs, (1 - quantile, quantile)) * (-1, 1)
        by_batch.append([ends, *(np.quantile(map_, quantile, axis=(0, 2, 3)) for map_ in maps)])
    ends, *limits = (np.max(of_batches, axis=0) for of_batches in zip(*by_batch, strict=True))
    names = (convolution.name for convolution in parts.convolutions)
    raised = (limit.clip(min=max(limit.max() * _LOWEST_SHARE, 1e-6)) for limit in limits)
    low, high = ends.clip(min=0)
    return ActivationRanges((-low, high), dict(zip(names, raised, strict=True)))


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
