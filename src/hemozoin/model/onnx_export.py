"""The network as an ONNX graph, written from the layer table and the weights.

pixels uint8 [N, S, S, 3]
  │  view
seen float [N, 3, S, S]
  │  its quarter turns, along the batch: [turns · N, 3, S, S]
  │  MobileNet, batch norm folded into its convolutions
maps [turns · N, C, H, W] ── classifier at each place, turned back ── map [N, H, W]
  │  mean over places and turns
features [N, C]
  │  classifier, softmax at the fitted temperature
probabilities [N, 2], ordered as CLASSES

Every weight is in the file once, and nothing of it was traced: the graph is the table.
"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
from onnx import helper

from hemozoin.about import VERSION
from hemozoin.arrays import Array, NamedArrays
from hemozoin.classes import CLASSES, POSITIVE
from hemozoin.mobilenet.architecture import Architecture, Layer, layers
from hemozoin.model.bundle import FORMAT, GRAPH, Bundle
from hemozoin.model.onnx_builder import OnnxBuilder
from hemozoin.model.transform import ONNX_TRANSFORMS

#: Opset 18 with IR 8 is of December 2022: runtimes in browsers and on phones know it by now.
_OPSET, _IR = 18, 8


def onnx_model(bundle: Bundle) -> bytes:
    """Return the ONNX file of a bundle's network.

    Input `pixels`, uint8 `[N, S, S, 3]`, any N. Outputs: `probabilities` `[N, 2]`, calibrated,
    in the order of CLASSES; `features` `[N, C]`, pooled, a mean over the orientations; `map`
    `[N, H, W]`, the class-activation map (Zhou et al. 2016, arXiv 1512.04150): the log odds of
    parasitized at each place, before the temperature, whose mean is the log odds of the cell.
    Class names, preprocessing and threshold stand in its metadata.
    """
    *convolutions, pool, linear = layers(bundle.architecture, bundle.preprocessing.size)
    g = OnnxBuilder()
    seen = ONNX_TRANSFORMS[bundle.view](g, "pixels")
    x = _with_rotations(g, seen, bundle.orientations, bundle.preprocessing.size)
    for layer in convolutions:
        x = _convolution(g, x, layer, bundle.architecture, bundle.weights)
    _features(g, x, bundle.orientations, pool)
    _probabilities(g, bundle.weights)
    _activation_map(g, x, bundle, pool)
    size, across = bundle.preprocessing.size, pool.size_in
    model = helper.make_model(
        g.finish(
            inputs={"pixels": (np.uint8, ("N", size, size, 3))},
            outputs={
                "probabilities": (np.float32, ("N", linear.channels_out)),
                "features": (np.float32, ("N", pool.channels_in)),
                "map": (np.float32, ("N", across, across)),
            },
        ),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR,
        producer_name="hemozoin",
        producer_version=VERSION,
    )
    helper.set_model_props(model, _metadata(bundle))
    written: bytes = model.SerializeToString()
    return written


def with_graph(bundle: Bundle) -> Bundle:
    """Return the bundle with GRAPH written anew, and without any other graph."""
    return replace(bundle, graphs={GRAPH: onnx_model(bundle)})


# ---- the network --------------------------------------------------------------------------------


def _with_rotations(g: OnnxBuilder, seen: str, turns: int, size: int) -> str:
    """Add the quarter turns of `[N, 3, S, S]` along the batch: `[turns · N, 3, S, S]`.

    Each is the one before, its axes swapped and its rows in reverse, as numpy's rot90 has it.
    Whole rows are moved quickly; a Slice that runs backwards takes numbers one by one.
    """
    turned = [seen]
    for _ in range(1, turns):
        swapped = g("Transpose", turned[-1], perm=[0, 1, 3, 2])
        turned.append(g("Gather", swapped, _reverse(size), axis=2))
    return g("Concat", *turned, axis=0)


def _reverse(size: int) -> Array:
    return np.arange(size - 1, -1, -1)


def _convolution(
    g: OnnxBuilder, x: str, layer: Layer, architecture: Architecture, weights: NamedArrays
) -> str:
    """Add convolution, batch norm and ReLU: `[N, C, H, W]` to `[N, C', ⌈H/stride⌉, …]`."""
    weight, bias = _folded(weights, layer.name, architecture.bn_epsilon)
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


def _folded(weights: NamedArrays, layer: str, epsilon: float) -> tuple[Array, Array]:
    """Return weight and bias of a convolution that does its batch norm's work as well."""
    at = f"network.body.{layer}"
    gamma, beta, mean, variance = (
        weights[f"{at}.norm.{name}"].astype(np.float64)
        for name in ("weight", "bias", "running_mean", "running_var")
    )
    gain = gamma / np.sqrt(variance + epsilon)
    weight = weights[f"{at}.conv.weight"] * gain[:, None, None, None]
    return weight.astype(np.float32), (beta - mean * gain).astype(np.float32)


def _pads(layer: Layer, architecture: Architecture) -> list[int]:
    """Return the rows and columns of 0 at top, left, bottom and right."""
    if architecture.padding == "same" and layer.stride == 2:
        return [layer.size_in % 2] * 2 + [1, 1]
    return [layer.kernel // 2] * 4


def _features(g: OnnxBuilder, maps: str, turns: int, pool: Layer) -> str:
    """Add the mean over places and turns: `[turns · N, C, H, W]` to `[N, C]`."""
    pooled = g("GlobalAveragePool", maps)
    by_turn = g("Reshape", pooled, np.array([turns, -1, pool.channels_in]))
    return g("ReduceMean", by_turn, np.array([0]), keepdims=0, name="features")


def _probabilities(g: OnnxBuilder, weights: NamedArrays) -> str:
    """Add the classifier and a softmax at the fitted temperature: `[N, C]` to `[N, 2]`."""
    head, bias = weights["network.head.weight"], weights["network.head.bias"]
    logits = g("Gemm", "features", head, bias, name="logits", transB=1)
    calm = g("Div", logits, weights["temperature"].astype(np.float32))
    return g("Softmax", calm, axis=1, name="probabilities")


def _activation_map(g: OnnxBuilder, maps: str, bundle: Bundle, pool: Layer) -> str:
    """Add the log odds at each place, each turn turned back: `[turns · N, C, H, W]` to `[N, H, W]`.

    The classifier is linear and the pool a mean, so they may change places.
    """
    head, bias = (bundle.weights[f"network.head.{name}"] for name in ("weight", "bias"))
    towards, against = head[POSITIVE], head[1 - POSITIVE]
    odds = g(
        "Conv",
        maps,
        (towards - against).reshape(1, -1, 1, 1),
        np.array([bias[POSITIVE] - bias[1 - POSITIVE]], np.float32),
        name="odds",
    )
    across, turns = pool.size_in, bundle.orientations
    by_turn = g("Reshape", odds, np.array([turns, -1, across, across]))
    parts = [g("Gather", by_turn, np.array(turn), axis=0) for turn in range(turns)]
    total = parts.pop()
    while parts:  # a turn back for each turn that a part is ahead of the next
        reverse = g("Gather", total, _reverse(across), axis=1)
        total = g("Add", parts.pop(), g("Transpose", reverse, perm=[0, 2, 1]))
    return g("Div", total, float(turns), name="map")


def _metadata(bundle: Bundle) -> dict[str, str]:
    """Return what a program that has nothing but the file must know."""
    return {
        "format": FORMAT,
        "hemozoin": VERSION,
        "classes": json.dumps(CLASSES),
        "preprocessing": json.dumps(bundle.preprocessing.to_dict()),
        "threshold": str(bundle.threshold.value),
    }
