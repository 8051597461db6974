"""How large the numbers in a network get on real cells: what 8 bits have to hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from hemozoin.cells.picture import Pixels
from hemozoin.exporting.parts import Array, Parts

#: Share of a channel's values that 8 bits hold; of the others only the limit is kept. Chosen by
#: benchmarks/export.py: with the highest value as the limit all others get too few levels.
HELD = 0.9999

POWER = 0.5
AGG = lambda x: np.max(x, axis=0)
#: A channel's range is at least this share of the widest one of its layer: what stayed dark on
#: these cells may light up on others.
_NARROWEST = 0.01

#: Cells whose numbers are held in memory together: 100 MB at α = .25.
_BATCH = 64


@dataclass(frozen=True, eq=False)
class Ranges:
    """What lies between 0 and the limit of its channel, by name of the layer; and the view's."""

    view: tuple[float, float]
    #: float `[C]`, above 0.
    channels: dict[str, Array]


def measure_ranges(
    model: onnx.ModelProto, parts: Parts, pixels: Pixels, held: float = HELD
) -> Ranges:
    """Return the ranges on these cells, uint8 `[N, S, S, 3]`: a mean over batches."""
    outputs = [parts.seen, *(convolution.output for convolution in parts.convolutions)]
    session = _opened(model, outputs)
    found: list[list[Array]] = []
    for k in range(0, len(pixels), _BATCH):
        view, *maps = session.run(outputs, {"pixels": np.asarray(pixels[k : k + _BATCH])})
        limits = [np.quantile(map_, held, axis=(0, 2, 3)) for map_ in maps]
        found.append([np.quantile(view, (1 - held, held)), *limits])
    view, *limits = (AGG(batches) for batches in zip(*found, strict=True))
    names = (convolution.name for convolution in parts.convolutions)
    widened = (limit.clip(min=max(limit.max() * _NARROWEST, 1e-6)) for limit in limits)
    widened = (w**POWER * w.max() ** (1 - POWER) for w in widened)
    return Ranges((min(view[0], 0), max(view[1], 0)), dict(zip(names, widened, strict=True)))


def _opened(model: onnx.ModelProto, outputs: list[str]) -> onnxruntime.InferenceSession:
    """Open a graph so that it returns what else flows through it."""
    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    for name in outputs:
        exposed.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    return onnxruntime.InferenceSession(
        exposed.SerializeToString(), providers=["CPUExecutionProvider"]
    )
