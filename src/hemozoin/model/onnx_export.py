"""The network as an ONNX graph, written from the layer table and the weights.

pixels uint8 [N, S, S, 3]
  │  input transform
transformed float [N, 3, S, S]
  │  rotations by multiples of 90°, along the batch: [rotations · N, 3, S, S]
  │  MobileNet, batch norm folded into its convolutions
maps [rotations · N, C, H, W] ── classifier at each position, rotated back ── map [N, H, W]
  │  mean over positions and rotations
features [N, C]
  │  classifier, softmax at the fitted temperature
probabilities [N, 2], ordered as CLASSES

Every weight is in the file once. The graph is built from the layer table, not by tracing torch.
"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import onnx
from onnx import helper

from hemozoin.about import VERSION
from hemozoin.arrays import Array, NamedArrays
from hemozoin.classes import CLASSES, POSITIVE
from hemozoin.mobilenet.architecture import Architecture, Layer, layers
from hemozoin.model.bundle import GRAPH, Bundle
from hemozoin.model.checks.config import FORMAT
from hemozoin.model.checks.graph import OPSET
from hemozoin.model.checks.weights import fold_batch_norm
from hemozoin.model.onnx_builder import OnnxBuilder
from hemozoin.model.transform import ONNX_TRANSFORMS

#: The version of the file format; it belongs to `OPSET`.
_IR = 8


def onnx_model(bundle: Bundle) -> bytes:
    """Return the ONNX file of a bundle's network.

    Input `pixels`, uint8 `[N, S, S, 3]`, any N. Outputs: `probabilities` `[N, 2]`, calibrated,
    in the order of CLASSES; `features` `[N, C]`, pooled, a mean over the rotations; `map`
    `[N, H, W]`, the class-activation map (Zhou et al. 2016, arXiv 1512.04150): the log odds of
    parasitized at each position, before the temperature; its mean is the log odds of the cell.
    The metadata have the class names, the preprocessing and the threshold.
    """
    *_, pool, linear = layers(bundle.architecture, bundle.preprocessing.size)
    size, map_size = bundle.preprocessing.size, pool.size_in
    g = OnnxBuilder()
    add_network(g, bundle)
    graph = g.finish(
        inputs={"pixels": (np.uint8, ("N", size, size, 3))},
        outputs={
            "probabilities": (np.float32, ("N", linear.channels_out)),
            "features": (np.float32, ("N", pool.channels_in)),
            "map": (np.float32, ("N", map_size, map_size)),
        },
    )
    return onnx_file(graph, bundle)


def add_network(g: OnnxBuilder, bundle: Bundle) -> None:
    """Add the network, from `pixels` to `probabilities`, `features` and `map`."""
    *convolutions, pool, _ = layers(bundle.architecture, bundle.preprocessing.size)
    size = bundle.preprocessing.size
    transformed = ONNX_TRANSFORMS[bundle.input_transform](g, "pixels", size)
    x = _with_rotations(g, transformed, bundle.orientations, size)
    for layer in convolutions:
        x = _convolution(g, x, layer, bundle.architecture, bundle.weights)
    _features(g, x, bundle.orientations, pool)
    _probabilities(g, bundle.weights)
    _activation_map(g, x, bundle, pool)


def onnx_file(graph: onnx.GraphProto, bundle: Bundle) -> bytes:
    """Return the ONNX file of a graph, with the metadata of the bundle."""
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=_IR,
        producer_name="hemozoin",
        producer_version=VERSION,
    )
    helper.set_model_props(model, _metadata(bundle))
    content: bytes = model.SerializeToString()
    return content


def with_graph(bundle: Bundle) -> Bundle:
    """Return the bundle with a new GRAPH, and without any other ONNX file."""
    return replace(bundle, graphs={GRAPH: onnx_model(bundle)})


# ---- the network --------------------------------------------------------------------------------


def _with_rotations(g: OnnxBuilder, transformed: str, rotations: int, size: int) -> str:
    """Add rotations by 90° of `[N, 3, S, S]` along the batch: `[rotations · N, 3, S, S]`.

    Each is the previous one with its axes swapped and its rows reversed, as in numpy's rot90.
    Gather moves whole rows, which is fast; a Slice with a negative step moves single numbers.
    """
    rotated = [transformed]
    for _ in range(1, rotations):
        swapped = g("Transpose", rotated[-1], perm=[0, 1, 3, 2])
        rotated.append(g("Gather", swapped, _reversed_indices(size), axis=2))
    return g("Concat", *rotated, axis=0)


def _reversed_indices(size: int) -> Array:
    return np.arange(size - 1, -1, -1)


def _convolution(
    g: OnnxBuilder, x: str, layer: Layer, architecture: Architecture, weights: NamedArrays
) -> str:
    """Add convolution, batch norm and ReLU: `[N, C, H, W]` to `[N, C', ⌈H/stride⌉, …]`."""
    weight, bias = fold_batch_norm(weights, layer.name, architecture.bn_epsilon)
    x = g(
        "Conv",
        *(x, weight, bias),
        name=layer.name,
        kernel_shape=[layer.kernel] * 2,
        strides=[layer.stride] * 2,
        pads=_pads(layer, architecture),
        group=layer.channels_in if layer.kind == "depthwise" else 1,
    )
    if architecture.activation == "relu6":
        return g("Clip", x, 0.0, 6.0)
    return g("Relu", x)


def _pads(layer: Layer, architecture: Architecture) -> list[int]:
    """Return the rows and columns of zeros at top, left, bottom and right."""
    if architecture.padding == "same" and layer.stride == 2:
        return [layer.size_in % 2] * 2 + [1, 1]
    return [layer.kernel // 2] * 4


def _features(g: OnnxBuilder, maps: str, rotations: int, pool: Layer) -> str:
    """Add the mean over positions and rotations: `[rotations · N, C, H, W]` to `[N, C]`."""
    pooled = g("GlobalAveragePool", maps)
    by_rotation = g("Reshape", pooled, np.array([rotations, -1, pool.channels_in]))
    return g("ReduceMean", by_rotation, np.array([0]), keepdims=0, name="features")


def _probabilities(g: OnnxBuilder, weights: NamedArrays) -> str:
    """Add the classifier and a softmax at the fitted temperature: `[N, C]` to `[N, 2]`."""
    head, bias = weights["network.head.weight"], weights["network.head.bias"]
    logits = g("Gemm", "features", head, bias, name="logits", transB=1)
    scaled = g("Div", logits, weights["temperature"].astype(np.float32))
    return g("Softmax", scaled, axis=1, name="probabilities")


def _activation_map(g: OnnxBuilder, maps: str, bundle: Bundle, pool: Layer) -> str:
    """Add the mean log odds over rotations: `[rotations · N, C, H, W]` to `[N, H, W]`.

    Each rotation is rotated back first. The classifier is linear and the pooling a mean, so the
    classifier may come before the pooling.
    """
    head, bias = (bundle.weights[f"network.head.{name}"] for name in ("weight", "bias"))
    odds = g(
        "Conv",
        maps,
        (head[POSITIVE] - head[1 - POSITIVE]).reshape(1, -1, 1, 1),
        np.array([bias[POSITIVE] - bias[1 - POSITIVE]], np.float32),
        name="odds",
    )
    size, rotations = pool.size_in, bundle.orientations
    by_rotation = g("Reshape", odds, np.array([rotations, -1, size, size]))
    maps_left = [g("Gather", by_rotation, np.array(k), axis=0) for k in range(rotations)]
    total = maps_left.pop()
    while maps_left:  # map k is rotated by 90° once more than map k - 1: rotate the sum back once
        reverse = g("Gather", total, _reversed_indices(size), axis=1)
        total = g("Add", maps_left.pop(), g("Transpose", reverse, perm=[0, 2, 1]))
    return g("Div", total, float(rotations), name="map")


def _metadata(bundle: Bundle) -> dict[str, str]:
    """Return the metadata that a program needs to use the file alone."""
    return {
        "format": FORMAT,
        "hemozoin": VERSION,
        "classes": json.dumps(CLASSES),
        "preprocessing": json.dumps(bundle.preprocessing.to_dict()),
        "threshold": str(bundle.threshold.value),
    }
