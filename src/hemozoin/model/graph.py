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
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from hemozoin.about import VERSION
from hemozoin.cells.index import PARASITIZED
from hemozoin.model.bundle import CLASSES, FORMAT, GRAPH, Bundle, Weights
from hemozoin.model.view import VIEWS
from hemozoin.paper.mobilenet import Architecture, Layer, layers

#: Opset 18 with IR 8 is of December 2022: runtimes in browsers and on phones know it by now.
_OPSET, _IR = 18, 8

_PARASITIZED = CLASSES.index(PARASITIZED)

Array = npt.NDArray[Any]


def onnx_model(bundle: Bundle) -> bytes:
    """Return the ONNX file of a bundle's network.

    Input `pixels`, uint8 `[N, S, S, 3]`, any N. Outputs: `probabilities` `[N, 2]`, calibrated,
    in the order of CLASSES; `features` `[N, C]`, pooled, a mean over the orientations; `map`
    `[N, H, W]`, the class-activation map (Zhou et al. 2016, arXiv 1512.04150): the log odds of
    parasitized at each place, before the temperature, whose mean is the log odds of the cell.
    Class names, preprocessing and threshold stand in its metadata.
    """
    *convolutions, pool, linear = layers(bundle.architecture, bundle.preprocessing.size)
    g = Graph()
    seen = VIEWS[bundle.view](g, "pixels")
    x = _with_turns(g, seen, bundle.orientations, bundle.preprocessing.size)
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


class Graph:
    """Nodes as they are added: `g("Relu", x)` returns the name of what comes out."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def __call__(
        self, kind: str, *inputs: str | float | Array, name: str | None = None, **attributes: Any
    ) -> str:
        """Add a node; numbers and arrays among its inputs become constants of the file."""
        name = name or f"{kind}_{len(self._nodes)}"
        taken = [x if isinstance(x, str) else self._constant(x, name) for x in inputs]
        self._nodes.append(helper.make_node(kind, taken, [name], name, **attributes))
        return name

    def finish(self, inputs: dict[str, Any], outputs: dict[str, Any]) -> onnx.GraphProto:
        """Return the graph with its inputs and outputs: name to (type, shape)."""
        return helper.make_graph(
            self._nodes, "hemozoin", _values(inputs), _values(outputs), self._constants
        )

    def as_float(self, x: str) -> str:
        """Add a cast to float32."""
        return self("Cast", x, to=TensorProto.FLOAT)

    def as_double(self, x: str) -> str:
        """Add a cast to float64."""
        return self("Cast", x, to=TensorProto.DOUBLE)

    def _constant(self, value: float | Array, owner: str) -> str:
        name = f"{owner}_constant_{len(self._constants)}"
        array = np.float32(value) if isinstance(value, float) else value
        self._constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name


def _values(named: dict[str, Any]) -> list[onnx.ValueInfoProto]:
    return [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(kind)), shape)
        for name, (kind, shape) in named.items()
    ]


# ---- the network --------------------------------------------------------------------------------


def _with_turns(g: Graph, seen: str, turns: int, size: int) -> str:
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
    g: Graph, x: str, layer: Layer, architecture: Architecture, weights: Weights
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


def _folded(weights: Weights, layer: str, epsilon: float) -> tuple[Array, Array]:
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


def _features(g: Graph, maps: str, turns: int, pool: Layer) -> str:
    """Add the mean over places and turns: `[turns · N, C, H, W]` to `[N, C]`."""
    pooled = g("GlobalAveragePool", maps)
    by_turn = g("Reshape", pooled, np.array([turns, -1, pool.channels_in]))
    return g("ReduceMean", by_turn, np.array([0]), keepdims=0, name="features")


def _probabilities(g: Graph, weights: Weights) -> str:
    """Add the classifier and a softmax at the fitted temperature: `[N, C]` to `[N, 2]`."""
    head, bias = weights["network.head.weight"], weights["network.head.bias"]
    logits = g("Gemm", "features", head, bias, name="logits", transB=1)
    calm = g("Div", logits, weights["temperature"].astype(np.float32))
    return g("Softmax", calm, axis=1, name="probabilities")


def _activation_map(g: Graph, maps: str, bundle: Bundle, pool: Layer) -> str:
    """Add the log odds at each place, each turn turned back: `[turns · N, C, H, W]` to `[N, H, W]`.

    The classifier is linear and the pool a mean, so they may change places.
    """
    head, bias = (bundle.weights[f"network.head.{name}"] for name in ("weight", "bias"))
    towards, against = head[_PARASITIZED], head[1 - _PARASITIZED]
    odds = g(
        "Conv",
        maps,
        (towards - against).reshape(1, -1, 1, 1),
        np.array([bias[_PARASITIZED] - bias[1 - _PARASITIZED]], np.float32),
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
