"""The shape of every value in a graph, and so its memory and its work, before anything runs.

Only the operations of `_OPERATIONS` are allowed: those that hemozoin writes. None of them runs
other code, reads a file or repeats. But a few of them in a row can still fill any memory: a column
plus a row, an array joined with itself, and so on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Set
from dataclasses import dataclass
from itertools import zip_longest
from typing import NoReturn

from hemozoin.arrays import NamedArrays
from hemozoin.model.checks.protobuf import Node, OnnxFile, shortened

#: The sides of an array.
Sides = tuple[int, ...]

#: Elements or mult-adds of one node from which a graph is refused, whatever the network.
_MOST = 2**40


@dataclass(frozen=True)
class Work:
    """The elements of all values together, and the mult-adds of all convolutions."""

    elements: int
    mult_adds: int

    def exceeds(self, most: Work) -> bool:
        """Return whether one of the two numbers is higher than in `most`."""
        return self.elements > most.elements or self.mult_adds > most.mult_adds


def value_shapes(file: OnnxFile, free: int) -> tuple[dict[str, Sides], Work]:
    """Return the shape of every value, and the work of the whole graph.

    Each side of an input that may have any length, such as the batch, has the length `free`.
    Raises ValueError for an operation that hemozoin does not write, for inputs that don't fit
    together, and for a graph that no machine could run.
    """
    shapes: dict[str, Sides] = {name: array.shape for name, array in file.constants.items()}
    for name, tensor in file.inputs.items():
        shapes[name] = tuple(free if side is None else side for side in tensor.shape)
    elements = mult_adds = 0
    for node in file.nodes:
        if node.output in shapes:
            raise ValueError(f"it has {shortened(node.output)} twice")
        shape = shapes[node.output] = _output_shape(node, shapes, file.constants)
        elements += math.prod(shape)
        if node.kind == "Conv":
            mult_adds += math.prod(shape) * math.prod(shapes[node.inputs[1]][1:])
        elif node.kind == "MatMul":
            mult_adds += math.prod(shape) * shapes[node.inputs[0]][-1]
        if elements > _MOST or mult_adds > _MOST:
            raise ValueError("it needs too much memory or time")
    return shapes, Work(elements, mult_adds)


def _output_shape(node: Node, shapes: dict[str, Sides], constants: NamedArrays) -> Sides:
    if node.kind not in _OPERATIONS:
        raise ValueError(f"it has the operation {shortened(node.kind)}, which hemozoin never uses")
    rule, counts, attributes = _OPERATIONS[node.kind]
    try:
        if len(node.inputs) not in counts or not node.attributes.keys() <= attributes:
            _wrong()
        return rule(_Operation(node, shapes, constants))
    except (IndexError, KeyError, ValueError) as error:
        raise ValueError(f"the inputs of {shortened(node.output)} are wrong") from error


class _Operation:
    """A node, with the shapes of its inputs. Methods raise ValueError for what is not there."""

    def __init__(self, node: Node, shapes: dict[str, Sides], constants: NamedArrays) -> None:
        self.shapes = [shapes[name] for name in node.inputs]
        self._node, self._constants = node, constants

    def integer(self, name: str, default: int = 0) -> int:
        """Return an attribute that is one integer."""
        value = self._node.attributes.get(name, default)
        return value if isinstance(value, int) else _wrong()

    def integers(self, name: str, default: Sides) -> Sides:
        """Return an attribute that is as many integers as its default."""
        value = self._node.attributes.get(name, default)
        return value if isinstance(value, tuple) and len(value) == len(default) else _wrong()

    def constant(self, number: int) -> list[int]:
        """Return an input that is a constant with a few integers."""
        array = self._constants[self._node.inputs[number]]
        if array.dtype.kind != "i" or array.ndim != 1 or len(array) > 8:
            _wrong()
        return [int(value) for value in array]


def _wrong() -> NoReturn:
    raise ValueError("wrong inputs")


# ---- the shape that each operation returns ------------------------------------------------------


def _same(operation: _Operation) -> Sides:
    return operation.shapes[0]


def _cast(operation: _Operation) -> Sides:
    return operation.shapes[0] if operation.integer("to") in _CAST_TO else _wrong()


def _broadcast(operation: _Operation) -> Sides:
    shape = []
    for sides in zip_longest(*map(reversed, operation.shapes), fillvalue=1):
        shape.append(max(sides))
        if {*sides} - {1, shape[-1]}:
            _wrong()
    return tuple(reversed(shape))


def _reduced(operation: _Operation) -> Sides:
    shape, keep = operation.shapes[0], operation.integer("keepdims", 1)
    axes = {range(len(shape))[axis] for axis in operation.constant(1)}
    sides = [1 if axis in axes else side for axis, side in enumerate(shape)]
    return tuple(side for axis, side in enumerate(sides) if keep or axis not in axes)


def _transposed(operation: _Operation) -> Sides:
    shape = operation.shapes[0]
    order = operation.integers("perm", shape)
    return tuple(shape[k] for k in order) if sorted(order) == [*range(len(shape))] else _wrong()


def _reshaped(operation: _Operation) -> Sides:
    shape = operation.shapes[0]
    sides = [shape[k] if side == 0 else side for k, side in enumerate(operation.constant(1))]
    if sides.count(-1) == 1:
        sides[sides.index(-1)] = math.prod(shape) // -math.prod(sides)
    return tuple(sides) if min(sides) > 0 and math.prod(sides) == math.prod(shape) else _wrong()


def _gathered(operation: _Operation) -> Sides:
    shape, indices = operation.shapes
    axis = range(len(shape))[operation.integer("axis")]
    return shape[:axis] + indices + shape[axis + 1 :]


def _looked_up(operation: _Operation) -> Sides:
    table, indices = operation.shapes
    return indices if len(table) == len(indices) == 1 else _wrong()


def _joined(operation: _Operation) -> Sides:
    shapes, axis = operation.shapes, operation.integer("axis")
    before, after = shapes[0][:axis], shapes[0][axis + 1 :]
    length = sum(shape[axis] for shape in shapes)
    fit = all((shape[:axis], shape[axis + 1 :]) == (before, after) for shape in shapes)
    return (*before, length, *after) if fit and axis >= 0 else _wrong()


def _convolved(operation: _Operation) -> Sides:
    (cells, channels, *sides), (filters, depth, *kernel), bias = operation.shapes
    pads, strides = operation.integers("pads", (0,) * 4), operation.integers("strides", (1, 1))
    groups = operation.integer("group", 1)
    if operation.integers("kernel_shape", (*kernel,)) != (*kernel,) or bias != (filters,):
        _wrong()
    if min(*pads, 0) < 0 or min(*strides, groups) < 1:
        _wrong()
    rows, columns = (side + sum(pads[k::2]) - kernel[k] for k, side in enumerate(sides))
    if min(rows, columns) < 0 or depth * groups != channels or filters % groups:
        _wrong()
    return (cells, filters, rows // strides[0] + 1, columns // strides[1] + 1)


def _pooled(operation: _Operation) -> Sides:
    cells, channels, _, _ = operation.shapes[0]
    return (cells, channels, 1, 1)


def _multiplied(operation: _Operation) -> Sides:
    (cells, depth), (filters, width), bias = operation.shapes
    fit = depth == width and bias == (filters,) and operation.integer("transB") == 1
    return (cells, filters) if fit else _wrong()


def _product(operation: _Operation) -> Sides:
    (*stack, rows, depth), (*other, height, columns) = operation.shapes
    broadcast = stack and other and stack != other
    return (*(stack or other), rows, columns) if depth == height and not broadcast else _wrong()


#: Numbers of ONNX's types float32, uint8, int32 and float64.
_CAST_TO = (1, 2, 6, 11)

#: For each allowed operation: the shape it returns, its numbers of inputs, its attributes. Graphs
#: of earlier versions have ReduceProd and Where too.
_OPERATIONS: dict[str, tuple[Callable[[_Operation], Sides], Container[int], Set[str]]] = {
    "Cast": (_cast, (1,), {"to"}),
    "Clip": (_broadcast, (3,), set()),
    "Concat": (_joined, range(1, 13), {"axis"}),
    "Conv": (_convolved, (3,), {"kernel_shape", "strides", "pads", "group"}),
    "DequantizeLinear": (_same, (2, 3), {"axis"}),
    "Gather": (_gathered, (2,), {"axis"}),
    "GatherElements": (_looked_up, (2,), {"axis"}),
    "Gemm": (_multiplied, (3,), {"transB"}),
    "GlobalAveragePool": (_pooled, (1,), set()),
    "QuantizeLinear": (_same, (2, 3), set()),
    "Reshape": (_reshaped, (2,), set()),
    "Softmax": (_same, (1,), {"axis"}),
    "Transpose": (_transposed, (1,), {"perm"}),
    "Where": (_broadcast, (3,), set()),
    "CumSum": (_same, (2,), {"reverse"}),
    "MatMul": (_product, (2,), set()),
    **dict.fromkeys(("Abs", "Floor", "Log", "Neg", "Relu", "Sqrt"), (_same, (1,), set())),
    **dict.fromkeys(
        ("Add", "And", "Div", "Greater", "Less", "Max", "Min", "Mul", "Or", "Sub"),
        (_broadcast, (2,), set()),
    ),
    **dict.fromkeys(
        ("ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum"),
        (_reduced, (2,), {"keepdims"}),
    ),
}
