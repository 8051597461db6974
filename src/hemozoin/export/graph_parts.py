"""The ONNX graph of a network, split into input transform, convolutions and head.

The graph is one that `model/onnx_export.py` wrote: every convolution has its layer's name and is
followed by its ReLU, and the only Concat before them joins the rotations of the cell.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx
from onnx import numpy_helper

from hemozoin.arrays import Floats


@dataclass(frozen=True, eq=False)
class Convolution:
    """A convolution with its batch norm folded in, and the ReLU after it."""

    name: str
    #: float `[C_out, C_in / groups, k, k]` and `[C_out]`.
    weight: Floats
    bias: Floats
    stride: int
    #: Zero padding in pixels at top, left, bottom and right.
    pads: tuple[int, ...]
    groups: int
    #: Name of the ReLU's output, and whether it is ReLU6.
    output: str
    is_relu6: bool = False

    @property
    def is_depthwise(self) -> bool:
        """Whether each channel is convolved separately."""
        return self.groups > 1


@dataclass(frozen=True, eq=False)
class GraphParts:
    """The parts of a graph, in order; the rotations between the first two are left out."""

    input_transform: list[onnx.NodeProto]
    convolutions: list[Convolution]
    head: list[onnx.NodeProto]

    @property
    def inputs(self) -> str:
        """Name of the output of the input transform, float `[N, 3, S, S]`."""
        return str(self.input_transform[-1].output[0])


def split_graph(graph: onnx.GraphProto) -> GraphParts:
    """Return the parts of a graph."""
    nodes = list(graph.node)
    rotations = next(node for node in nodes if node.op_type == "Concat")
    activations = {node.input[0]: node for node in nodes if node.op_type in ("Relu", "Clip")}
    arrays = {array.name: numpy_helper.to_array(array) for array in graph.initializer}
    convolutions = [
        _convolution(node, arrays, activations[node.output[0]])
        for node in nodes
        if node.op_type == "Conv" and node.output[0] in activations
    ]
    outputs = [node.output[0] for node in nodes]
    input_transform = nodes[: outputs.index(rotations.input[0]) + 1]
    head = nodes[outputs.index(convolutions[-1].output) + 1 :]
    return GraphParts(input_transform, convolutions, head)


def _convolution(
    node: onnx.NodeProto, arrays: dict[str, Floats], activation: onnx.NodeProto
) -> Convolution:
    attributes = {
        attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute
    }
    weight, bias = (arrays[name] for name in node.input[1:])
    return Convolution(
        node.output[0],
        weight,
        bias,
        attributes["strides"][0],
        tuple(attributes["pads"]),
        attributes["group"],
        activation.output[0],
        activation.op_type == "Clip",
    )
