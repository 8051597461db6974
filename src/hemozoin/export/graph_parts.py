"""The ONNX graph of a network, taken apart: view, convolutions, head.

It is a graph that `model/graph.py` has written, so every convolution has its layer's name and
is followed by its ReLU, and the only Concat before them puts the turns of the cell together.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx
from onnx import numpy_helper

from hemozoin.arrays import Floats


@dataclass(frozen=True, eq=False)
class Convolution:
    """A convolution with its batch norm folded in, and the ReLU behind it."""

    name: str
    #: float `[C_out, C_in / groups, k, k]` and `[C_out]`.
    weight: Floats
    bias: Floats
    stride: int
    #: Rows and columns of 0 at top, left, bottom and right.
    pads: tuple[int, ...]
    groups: int
    #: Name of what the ReLU returns.
    output: str

    @property
    def is_depthwise(self) -> bool:
        """Whether each channel is convolved for itself."""
        return self.groups > 1


@dataclass(frozen=True, eq=False)
class GraphParts:
    """What a graph consists of, in order."""

    view: list[onnx.NodeProto]
    convolutions: list[Convolution]
    head: list[onnx.NodeProto]

    @property
    def seen(self) -> str:
        """Name of what the view returns, float `[N, 3, S, S]`."""
        return str(self.view[-1].output[0])


def split_graph(graph: onnx.GraphProto) -> GraphParts:
    """Return the parts of a graph; what is between view and convolutions turns the cell."""
    nodes = list(graph.node)
    turns = next(node for node in nodes if node.op_type == "Concat")
    activations = {node.input[0]: node for node in nodes if node.op_type in ("Relu", "Clip")}
    arrays = {array.name: numpy_helper.to_array(array) for array in graph.initializer}
    found = [
        _convolution(node, arrays, activations[node.output[0]].output[0])
        for node in nodes
        if node.op_type == "Conv" and node.output[0] in activations
    ]
    outputs = [node.output[0] for node in nodes]
    view = nodes[: outputs.index(turns.input[0]) + 1]
    return GraphParts(view, found, nodes[outputs.index(found[-1].output) + 1 :])


def _convolution(node: onnx.NodeProto, arrays: dict[str, Floats], output: str) -> Convolution:
    how = {
        attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute
    }
    weight, bias = (arrays[name] for name in node.input[1:])
    return Convolution(
        node.output[0], weight, bias, how["strides"][0], tuple(how["pads"]), how["group"], output
    )
