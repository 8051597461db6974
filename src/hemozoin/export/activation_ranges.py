"""How large the numbers in a network get on real cells: what 8 bits have to hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from hemozoin.arrays import Floats, Pixels, batches
from hemozoin.export.graph_parts import GraphParts

#: Share of a channel's values in a batch that 8 bits hold; a rarer one is cut off. With the highest
#: value as the limit all others get too few levels (benchmarks/export.py).
HELD = 0.9999

#: A channel's limit is at least this share of the highest one of its layer: what stayed dark on
#: these cells may light up on others.
_LOWEST = 0.01

#: Cells whose numbers are held in memory together: 100 MB at α = .25.
_BATCH = 64


@dataclass(frozen=True, eq=False)
class Ranges:
    """What the view lies between, and how high each channel of each layer goes above 0."""

    view: tuple[float, float]
    #: Name of the layer to float `[C]`, above 0.
    limits: dict[str, Floats]


def measure_ranges(
    model: onnx.ModelProto, parts: GraphParts, pixels: Pixels, held: float = HELD
) -> Ranges:
    """Return the ranges on cells, uint8 `[N, S, S, 3]`: of each batch, the widest of all."""
    outputs = [parts.seen, *(convolution.output for convolution in parts.convolutions)]
    session = _opened(model, outputs)
    found: list[list[Floats]] = []
    for batch in batches(pixels, _BATCH):
        view, *maps = session.run(outputs, {"pixels": np.asarray(batch)})
        ends = np.quantile(view, (1 - held, held)) * (-1, 1)
        found.append([ends, *(np.quantile(channels, held, axis=(0, 2, 3)) for channels in maps)])
    ends, *limits = (np.max(batches, axis=0) for batches in zip(*found, strict=True))
    names = (convolution.name for convolution in parts.convolutions)
    raised = (limit.clip(min=max(limit.max() * _LOWEST, 1e-6)) for limit in limits)
    low, high = ends.clip(min=0)
    return Ranges((-low, high), dict(zip(names, raised, strict=True)))


def _opened(model: onnx.ModelProto, outputs: list[str]) -> onnxruntime.InferenceSession:
    """Open a graph so that it returns what else flows through it."""
    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    for name in outputs:
        exposed.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    return onnxruntime.InferenceSession(
        exposed.SerializeToString(), providers=["CPUExecutionProvider"]
    )
