"""The network in 8 bits: a graph of quantized convolutions (Jacob et al. 2018, arXiv 1712.05877).

    pixels ── view, in float ── uint8 ── MobileNet ── float ── features, probabilities, map

ONNX Runtime's convolution has one scale for all channels that come in, and depthwise filters
with their batch norm folded in leave channels that differ by a factor of a hundred: most would
get a few of the 256 levels. But a ReLU lets factors through, so each channel is divided by one of
its own, and the layer behind multiplies by it (Nagel et al. 2019, arXiv 1906.04721, section 4.1).
The 8 bits cut off what is below 0 and above their range, which is all that the ReLU would do.

A zero point that is 0 is left out, as ONNX allows: it would make the file 6 % larger.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import numpy_helper

from hemozoin.arrays import Array, Floats, Pixels, batches
from hemozoin.export.activation_ranges import HELD, Ranges, measure_ranges
from hemozoin.export.graph_parts import Convolution, GraphParts, split_graph
from hemozoin.export.rotation import for_all_rotations, turned
from hemozoin.model.bundle import Bundle
from hemozoin.model.onnx_builder import OnnxBuilder
from hemozoin.model.onnx_export import onnx_model
from hemozoin.model.session import BATCH, Session

#: Levels of a uint8 above 0, and of a weight to either side. An int8 has 127, but processors
#: without VNNI add two products in 16 bits, and 2 · 255 · 127 doesn't fit. 63 lose nothing.
_ABOVE, _SIDE = 255, 63

#: Layers that run once for all turns: up to the second that halves the map.
_EARLY = 4

#: A bias is an int32; this leaves room for what the convolution adds to it.
_LARGEST_BIAS = 2**30


class _Step(NamedTuple):
    """What lies between two levels, and which level is 0 (None: the lowest)."""

    scale: np.float32
    zero: Pixels | None = None

    def constants(self) -> list[Array]:
        return [np.asarray(self.scale)] + ([] if self.zero is None else [self.zero])


#: Of channels that run from 0 to 1.
_OF_RANGE = _Step(np.float32(1 / _ABOVE))


def quantize(bundle: Bundle, pixels: Pixels, held: float = HELD) -> bytes:
    """Return the ONNX file of a bundle's network in 8 bits.

    Inputs, outputs and metadata are those of `model.graph.onnx_model`. The ranges are those of
    `pixels`, uint8 `[N, S, S, 3]`, some hundred cells that the network was trained on; they hold
    the share `held` (0..1) of a channel's values. Weights are int8, each channel with its own
    scale; the view, and what follows the last convolution, stay in float.
    """
    model = onnx.load_from_string(onnx_model(bundle))
    parts = split_graph(model.graph)
    ranges = measure_ranges(model, parts, pixels, held)
    g = OnnxBuilder()
    step = _view_step(ranges)
    x = _rounded_view(g, parts.seen, step, bundle.preprocessing.size)
    x = _convolutions(g, x, step, parts, ranges, bundle)
    last = parts.convolutions[-1]
    g("DequantizeLinear", x, _divisors(ranges.limits[last.name]) / _ABOVE, name=last.output, axis=1)
    _put_together(model, parts, g.finish({}, {}))
    missing = _mean_features(onnx_model(bundle), pixels) - _mean_features(_bytes(model), pixels)
    _correct(model.graph, parts.head, missing)
    return _bytes(model)


def _mean_features(graph: bytes, pixels: Pixels) -> Floats:
    answer = Session(graph, "features")
    parts = [answer(batch).features for batch in batches(pixels, BATCH)]
    mean: Floats = np.concatenate(parts).mean(axis=0)
    return mean


def _correct(graph: onnx.GraphProto, head: list[onnx.NodeProto], missing: Floats) -> None:
    """Give the biases of the head what its features `[C]` lack on average.

    All that was rounded leaves them a little too high or low (Nagel et al. 2019, section 4.2),
    and every probability with them.
    """
    arrays = {array.name: array for array in graph.initializer}
    for node in head:
        if node.op_type in ("Gemm", "Conv"):
            weight, bias = (numpy_helper.to_array(arrays[name]) for name in node.input[1:])
            corrected = bias + weight.reshape(len(weight), -1) @ missing
            name = node.input[2]
            arrays[name].CopyFrom(numpy_helper.from_array(corrected.astype(np.float32), name))


def _bytes(model: onnx.ModelProto) -> bytes:
    written: bytes = model.SerializeToString()
    return written


def _view_step(ranges: Ranges) -> _Step:
    low, high = ranges.view
    scale = (high - low) / _ABOVE
    return _Step(np.float32(scale), np.array(round(-low / scale), np.uint8))


def _rounded_view(g: OnnxBuilder, seen: str, step: _Step, size: int) -> str:
    """Add the way from the view to uint8 `[N, 3, S, S]`.

    ONNX Runtime likes its quantized convolutions with the channels last, and would compute the
    whole view so too, four times slower: a change of shape keeps it from that.
    """
    flat = g("Reshape", seen, np.array([0, -1]), name="view_flat")
    rounded = g("QuantizeLinear", flat, *step.constants(), name="view_rounded")
    return g("Reshape", rounded, np.array([0, 3, size, size]), name="view_uint8")


def _convolutions(
    g: OnnxBuilder, x: str, step: _Step, parts: GraphParts, ranges: Ranges, bundle: Bundle
) -> str:
    """Add all layers, the early ones for all turns at once."""
    before = np.ones(3, np.float32)
    size, turns = bundle.preprocessing.size, bundle.orientations
    for number, convolution in enumerate(parts.convolutions, 1):
        divisors = _divisors(ranges.limits[convolution.name])
        layer = _divided(convolution, before, divisors)
        if number <= _EARLY:
            layer = for_all_rotations(layer, turns, size, sees_cell=number == 1)
            size = -(-size // layer.stride)
        x = _convolution(g, x, step, layer)
        if number == _EARLY:
            x = turned(g, x, turns, len(divisors), size)
        before, step = divisors, _OF_RANGE
    return x


def _divisors(limits: Floats) -> Floats:
    """Return what each channel is divided by, so that the layer runs from 0 to 1.

    A channel's own limit would give all of them every level, but then the weights behind, which
    share 8 bits too, take on what differed: half of it each, on a scale of factors.
    """
    divisors: Floats = np.sqrt(limits * limits.max())
    return divisors


def _divided(convolution: Convolution, before: Floats, divisors: Floats) -> Convolution:
    """Return the layer for channels that were divided before, and are to be behind it."""
    factor = before[:, None] if convolution.is_depthwise else before[None, :]
    factor = factor / divisors[:, None]
    return replace(
        convolution,
        weight=convolution.weight * factor[:, :, None, None],
        bias=convolution.bias / divisors,
    )


def _convolution(g: OnnxBuilder, x: str, step: _Step, layer: Convolution) -> str:
    """Add one layer, uint8 `[N, C, H, W]` to uint8 `[N, C', ⌈H/stride⌉, …]`."""
    scale = np.abs(layer.weight).max(axis=(1, 2, 3)) / _SIDE
    # A channel with hardly any weight has a bias alone, and that must fit too.
    scale = np.maximum(scale, np.abs(layer.bias) / step.scale / _LARGEST_BIAS)
    scale = scale.clip(min=1e-12).astype(np.float32)
    weight = np.round(layer.weight / scale[:, None, None, None]).astype(np.int8)
    bias = np.round(layer.bias / (scale * step.scale)).astype(np.int32)
    name = layer.name
    result = g(
        "Conv",
        g("DequantizeLinear", x, *step.constants(), name=f"{name}_x"),
        g("DequantizeLinear", weight, scale, name=f"{name}_w", axis=0),
        g("DequantizeLinear", bias, scale * step.scale, name=f"{name}_b", axis=0),
        name=name,
        kernel_shape=weight.shape[2:],
        strides=[layer.stride] * 2,
        pads=layer.pads,
        group=layer.groups,
    )
    return g("QuantizeLinear", result, *_OF_RANGE.constants(), name=f"{name}_uint8")


def _put_together(model: onnx.ModelProto, parts: GraphParts, middle: onnx.GraphProto) -> None:
    """Exchange what is between view and head for the 8 bits."""
    graph = model.graph
    _replace(graph.node, [*parts.view, *middle.node, *parts.head])
    used = {name for node in graph.node for name in node.input}
    arrays = [*graph.initializer, *middle.initializer]
    _replace(graph.initializer, (array for array in arrays if array.name in used))
    onnx.checker.check_model(model)


def _replace(field: Any, values: Iterable[Any]) -> None:
    kept = list(values)
    del field[:]
    field.extend(kept)
