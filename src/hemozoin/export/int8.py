"""The network in 8 bits: a graph of quantized convolutions (Jacob et al. 2018, arXiv 1712.05877).

    pixels ── input transform, first layers (float) ── uint8 ── the other layers
                                         features, probabilities, map ── float ──┘

The first convolution has three input channels, and the depthwise one after it eight at α = 0.25. In
8 bits ONNX Runtime takes two to three times as long for them as in float, so they stay in float.

ONNX Runtime's convolution has one scale for all input channels, and depthwise filters with their
batch norm folded in give channels whose ranges differ by a factor of a hundred: most channels
would get a few of the 256 levels. But scaling by a positive factor commutes with ReLU, so each
channel is divided by a factor of its own and the next layer's weights are multiplied by it
(Nagel et al. 2019, arXiv 1906.04721, section 4.1). The 8 bits clip values below 0 and above their
range, so no separate ReLU is needed.

Zero points that are 0 are left out, as ONNX allows: they would make the file 6 % larger.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from hemozoin.arrays import Floats, Pixels, batches
from hemozoin.export.activation_ranges import QUANTILE, measure_limits
from hemozoin.export.graph_parts import Convolution, GraphParts, split_graph
from hemozoin.export.rotation import add_rotations, for_all_rotations
from hemozoin.model.bundle import Bundle
from hemozoin.model.onnx_builder import OnnxBuilder
from hemozoin.model.onnx_export import onnx_model
from hemozoin.model.session import BATCH, Session

#: Highest level of an activation (uint8) and of a weight (int8, also negative). An int8 allows
#: 127, but processors without VNNI add two products in 16 bits, and 2 · 255 · 127 overflows. No
#: accuracy is lost with 63.
_HIGHEST_ACTIVATION, _HIGHEST_WEIGHT = 255, 63

#: Number of layers that run once for all rotations: up to the second one with stride 2.
_SHARED_LAYERS = 4

#: Largest bias: an int32 that leaves enough range for the sum that the convolution adds to it.
_LARGEST_BIAS = 2**30

#: The scale of activations, whose channels all range from 0 to 1 in 8 bits.
_SCALE = np.array(1 / _HIGHEST_ACTIVATION, np.float32)


def quantize(bundle: Bundle, pixels: Pixels, quantile: float = QUANTILE) -> bytes:
    """Return the ONNX file of a bundle's network in 8 bits.

    Inputs, outputs and metadata are those of `onnx_model`. The activation ranges are measured on
    `pixels`, uint8 `[N, S, S, 3]`, a few hundred training cells; a channel's limit is this
    `quantile` (0..1) of its values. Weights are int8 with a scale per channel; the input transform,
    the first layers and everything after the last convolution stay in float.
    """
    model = onnx.load_from_string(onnx_model(bundle))
    parts = split_graph(model.graph)
    limits = measure_limits(model, parts, pixels, quantile)
    g = OnnxBuilder()
    x = _convolutions(g, parts, limits, bundle)
    last = parts.convolutions[-1]
    scale = _divisors(limits[last.name]) / _HIGHEST_ACTIVATION
    g("DequantizeLinear", x, scale, name=last.output, axis=1)
    _replace_convolutions(model, parts, g.finish({}, {}))
    error = _mean_features(onnx_model(bundle), pixels) - _mean_features(_bytes(model), pixels)
    _correct_bias(model.graph, parts.head, error)
    return _bytes(model)


def _mean_features(graph: bytes, pixels: Pixels) -> Floats:
    """Return the mean of the features over the cells, float `[C]`."""
    session = Session(graph, "features")
    parts = [session(batch).features for batch in batches(pixels, BATCH)]
    mean: Floats = np.concatenate(parts).mean(axis=0)
    return mean


def _correct_bias(graph: onnx.GraphProto, head: list[onnx.NodeProto], error: Floats) -> None:
    """Add to the biases of the head what its features `[C]` are too low by on average.

    Rounding leaves the features slightly too high or low on average, and so all probabilities
    (Nagel et al. 2019, section 4.2).
    """
    arrays = {array.name: array for array in graph.initializer}
    for node in head:
        if node.op_type in ("Gemm", "Conv"):
            weight, bias = (numpy_helper.to_array(arrays[name]) for name in node.input[1:])
            corrected = bias + weight.reshape(len(weight), -1) @ error
            name = node.input[2]
            arrays[name].CopyFrom(numpy_helper.from_array(corrected.astype(np.float32), name))


def _bytes(model: onnx.ModelProto) -> bytes:
    serialized: bytes = model.SerializeToString()
    return serialized


def _convolutions(
    g: OnnxBuilder, parts: GraphParts, limits: Mapping[str, Floats], bundle: Bundle
) -> str:
    """Add all layers, the first ones for all rotations at once."""
    x, before = parts.inputs, np.ones(3, np.float32)
    size, rotations = bundle.preprocessing.size, bundle.orientations
    in_float = 2 if parts.convolutions[1].is_depthwise else 1
    for number, convolution in enumerate(parts.convolutions, 1):
        limit = limits[convolution.name]
        divisors = _divisors(limit) if number >= in_float else np.ones_like(limit)
        layer = _rescaled(convolution, before, divisors)
        if number <= _SHARED_LAYERS:
            layer = for_all_rotations(layer, rotations, size, is_first=number == 1)
            size = -(-size // layer.stride)
        if number <= in_float:
            x = g("Conv", x, layer.weight, layer.bias, name=layer.name, **_attributes(layer))
            x = _rounded(g, x, layer, size) if number == in_float else _rectified(g, x, layer)
        else:
            x = _layer(g, x, layer)
        if number == _SHARED_LAYERS:
            x = add_rotations(g, x, rotations, len(divisors), size)
        before = divisors
    return x


def _rectified(g: OnnxBuilder, x: str, layer: Convolution) -> str:
    return g("Clip", x, 0.0, 6.0) if layer.is_relu6 else g("Relu", x)


def _rounded(g: OnnxBuilder, x: str, layer: Convolution, size: int) -> str:
    """Add the rounding of the last float layer's output to uint8 `[N, C, S, S]`.

    ONNX Runtime prefers the channels last in quantized convolutions and would compute the float
    layers in this layout, too, four times slower. Reshaping to a flat array prevents this.
    """
    flat = g("Reshape", x, np.array([0, -1]), name="flat")
    rounded = g("QuantizeLinear", flat, _SCALE, name="flat_uint8")
    return g("Reshape", rounded, np.array([0, len(layer.bias), size, size]), name="first_uint8")


def _divisors(limits: Floats) -> Floats:
    """Return the number that each channel is divided by, so that the layer ranges from 0 to 1.

    Dividing by a channel's own limit would give every channel all levels, but would move the
    differences into the next layer's weights, which have 8 bits too. The geometric mean of the
    channel's and the layer's limit gives half of the difference (of the logarithms) to each.
    """
    divisors: Floats = np.sqrt(limits * limits.max())
    return divisors


def _rescaled(convolution: Convolution, before: Floats, divisors: Floats) -> Convolution:
    """Return the layer for input channels divided by `before`; divides its output by `divisors`."""
    factor = before[:, None] if convolution.is_depthwise else before[None, :]
    factor = factor / divisors[:, None]
    return replace(
        convolution,
        weight=convolution.weight * factor[:, :, None, None],
        bias=convolution.bias / divisors,
    )


def _layer(g: OnnxBuilder, x: str, layer: Convolution) -> str:
    """Add one layer in 8 bits, uint8 `[N, C, H, W]` to uint8 `[N, C', ⌈H/stride⌉, …]`."""
    scale = np.abs(layer.weight).max(axis=(1, 2, 3)) / _HIGHEST_WEIGHT
    # For a channel with weights near 0 the scale is raised until its bias fits too.
    scale = np.maximum(scale, np.abs(layer.bias) / _SCALE / _LARGEST_BIAS)
    scale = scale.clip(min=1e-12).astype(np.float32)
    weight = np.round(layer.weight / scale[:, None, None, None]).astype(np.int8)
    bias = np.round(layer.bias / (scale * _SCALE)).astype(np.int32)
    name = layer.name
    result = g(
        "Conv",
        g("DequantizeLinear", x, _SCALE, name=f"{name}_x"),
        g("DequantizeLinear", weight, scale, name=f"{name}_w", axis=0),
        g("DequantizeLinear", bias, scale * _SCALE, name=f"{name}_b", axis=0),
        name=name,
        **_attributes(layer),
    )
    return g("QuantizeLinear", result, _SCALE, name=f"{name}_uint8")


def _attributes(layer: Convolution) -> dict[str, Any]:
    """Return the attributes of the layer's node."""
    return {
        "kernel_shape": layer.weight.shape[2:],
        "strides": [layer.stride] * 2,
        "pads": layer.pads,
        "group": layer.groups,
    }


def _replace_convolutions(
    model: onnx.ModelProto, parts: GraphParts, quantized: onnx.GraphProto
) -> None:
    """Replace everything between input transform and head by the quantized layers."""
    graph = model.graph
    _set_field(graph.node, [*parts.input_transform, *quantized.node, *parts.head])
    used = {name for node in graph.node for name in node.input}
    arrays = [*graph.initializer, *quantized.initializer]
    _set_field(graph.initializer, (array for array in arrays if array.name in used))
    onnx.checker.check_model(model)


def _set_field(field: Any, values: Iterable[Any]) -> None:
    """Replace the content of a repeated field of a protobuf message."""
    kept = list(values)
    del field[:]
    field.extend(kept)
