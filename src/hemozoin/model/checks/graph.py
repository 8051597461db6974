"""An ONNX file of a model folder: only hemozoin's own operations, and the folder's own weights.

ONNX Runtime opens what this accepts. The weights of an int8 file can't be compared, since they
are rounded in a way that depends on the training cells.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hemozoin.arrays import Array, NamedArrays
from hemozoin.classes import CLASSES, POSITIVE
from hemozoin.errors import ModelError
from hemozoin.mobilenet.architecture import Layer
from hemozoin.model.checks.protobuf import Node, OnnxFile, Tensor, read_onnx
from hemozoin.model.checks.shapes import Sides, Work, value_shapes
from hemozoin.model.checks.weights import fold_batch_norm

#: Opset 18 is of December 2022: runtimes in browsers and on phones support it.
OPSET = 18

#: Cells in the batch, and side of the picture in px, for which shapes and work are computed.
CELLS, PICTURE_SIDE = 2, 128

#: The metadata keys that every ONNX file of hemozoin has.
_METADATA = ("format", "classes", "preprocessing", "threshold")

#: The outputs of a graph that takes pixels, with their number of axes.
_RANKS = {"probabilities": 2, "features": 2, "map": 3}

#: The outputs of a graph that takes a picture, with their types.
_DECISION_TYPES = {
    "probabilities": "float32",
    "label": "int32",
    "decision": "int32",
    "map": "float32",
    "pixels": "uint8",
}


@dataclass(frozen=True, eq=False)
class Graph:
    """The content of an ONNX file, and the shapes of its values.

    The shapes are for `CELLS` cells, or for one picture of `PICTURE_SIDE` x `PICTURE_SIDE` px.
    """

    file: OnnxFile
    shapes: dict[str, Sides]

    @property
    def size(self) -> int:
        """Side of the cells in pixels."""
        return self.shapes["pixels"][1]


def read_graph(content: bytes, name: str, most: Work | None = None) -> Graph:
    """Return the graph in an ONNX file; `name` is the file's name in error messages.

    Raises ModelError unless hemozoin may have written it: inputs, outputs and metadata are those
    of `onnx_model`, each operation is one that hemozoin uses, and the work is not above `most`.
    """
    return _read(content, name, most, _NETWORK)


def read_cell_graph(content: bytes, name: str, most: Work | None = None) -> Graph:
    """Return the graph in an ONNX file from a picture to a decision, like that of `cell_model`.

    Raises ModelError as `read_graph` does.
    """
    return _read(content, name, most, _CELL_GRAPH)


def _read(content: bytes, name: str, most: Work | None, expected: _Interface) -> Graph:
    try:
        file = read_onnx(content)
        _require_metadata(file.metadata, name)
        if file.opset != OPSET or not expected.has_input(file):
            raise ValueError("it has another input or opset")
        shapes, work = value_shapes(file, expected.free)
        if not expected.has_outputs(file, shapes):
            raise ValueError("it has other outputs")
        if most and work.exceeds(most):
            raise ValueError("it needs more memory or time than the network in config.json")
    except ValueError as error:
        raise ModelError(f"{name}: not written by hemozoin: {error}; export it again") from error
    return Graph(file, shapes)


def require_network(graph: Graph, table: tuple[Layer, ...], name: str) -> None:
    """Raise ModelError unless a graph has the values of the network in `table`."""
    side, pool = table[0].size_in, table[-2]
    expected = {
        "pixels": (side, side, 3),
        "features": (pool.channels_in,),
        "map": (pool.size_in, pool.size_in),
    }
    if any(graph.shapes.get(key, ())[1:] != shape for key, shape in expected.items()):
        raise ModelError(f"{name}: not the network that config.json describes; export it again")


def require_weights_of(
    graph: Graph, weights: NamedArrays, table: tuple[Layer, ...], bn_epsilon: float, name: str
) -> None:
    """Raise ModelError unless a float32 graph has these weights, with batch norm folded in."""
    nodes = {node.output: node for node in graph.file.nodes}
    with np.errstate(over="ignore", invalid="ignore"):  # weights may be any finite numbers
        expected = dict(_constants(weights, table, bn_epsilon))
    scaled = nodes["probabilities"].inputs[0]
    same = {
        output: _has_constants(nodes[output], arrays, graph.file.constants)
        for output, arrays in (expected | {scaled: (weights["temperature"],)}).items()
        if output in nodes
    }
    weighted = {output for output, node in nodes.items() if node.kind in ("Conv", "Gemm")}
    if weighted != {*expected} or not all(same.values()) or scaled not in same:
        raise ModelError(f"{name}: not the weights of model.safetensors; export it again")


def _constants(
    weights: NamedArrays, table: tuple[Layer, ...], bn_epsilon: float
) -> Iterator[tuple[str, tuple[Array, ...]]]:
    """Yield the output of each node with weights, and these weights."""
    for layer in table[:-2]:
        yield layer.name, fold_batch_norm(weights, layer.name, bn_epsilon)
    head, bias = weights["network.head.weight"], weights["network.head.bias"]
    yield "logits", (head, bias)
    difference = head[POSITIVE] - head[1 - POSITIVE], bias[POSITIVE] - bias[1 - POSITIVE]
    yield "odds", (difference[0].reshape(1, -1, 1, 1), difference[1].reshape(1))


def _has_constants(node: Node, arrays: tuple[Array, ...], constants: NamedArrays) -> bool:
    found = [constants.get(name) for name in node.inputs[1:]]
    return len(found) == len(arrays) and all(
        array is not None and array.shape == other.shape and np.allclose(array, other, 1e-4, 1e-6)
        for array, other in zip(found, arrays, strict=True)
    )


def _require_metadata(metadata: dict[str, str], name: str) -> None:
    if missing := [key for key in _METADATA if key not in metadata]:
        raise ModelError(f"{name}: not made by hemozoin; its metadata lack {', '.join(missing)}")
    if metadata["classes"] != json.dumps(CLASSES):
        raise ModelError(f"{name}: needs the classes {' and '.join(CLASSES)}, in this order")


# ---- inputs and outputs -------------------------------------------------------------------------


def _takes_pixels(file: OnnxFile) -> bool:
    """Return whether the only input is `pixels`, uint8 `[N, S, S, 3]`, without a default."""
    side = (*file.inputs["pixels"].shape, None, None)[1] if "pixels" in file.inputs else None
    return bool(side) and _takes_only(file, "pixels", (None, side, side, 3))


def _takes_picture(file: OnnxFile) -> bool:
    """Return whether the only input is `picture`, uint8 `[H, W, 3]`, without a default."""
    return _takes_only(file, "picture", (None, None, 3))


def _takes_only(file: OnnxFile, name: str, shape: tuple[int | None, ...]) -> bool:
    return file.inputs == {name: Tensor("uint8", shape)} and name not in file.constants


def _returns_output(file: OnnxFile, shapes: dict[str, Sides]) -> bool:
    """Return whether the outputs have the names, types, ranks and shapes of `onnx_model`."""
    if not _computes(file, _RANKS.keys()):
        return False
    return shapes["probabilities"][1:] == (len(CLASSES),) and all(
        len(shape) == rank
        and shape[0] == CELLS
        and file.outputs[name] == Tensor("float32", (None, *shape[1:]))
        for name, rank in _RANKS.items()
        for shape in [shapes[name]]
    )


def _returns_decision(file: OnnxFile, shapes: dict[str, Sides]) -> bool:
    """Return whether the outputs have the names, types and shapes of `cell_model`."""
    if not _computes(file, _DECISION_TYPES.keys()):
        return False
    size, map_size = ((*shapes[name], 0, 0)[1] for name in ("pixels", "map"))
    expected = {
        "probabilities": (1, len(CLASSES)),
        "label": (1,),
        "decision": (1,),
        "map": (1, map_size, map_size),
        "pixels": (1, size, size, 3),
    }
    return all(
        shapes[name] == shape and file.outputs[name] == Tensor(_DECISION_TYPES[name], shape)
        for name, shape in expected.items()
    )


def _computes(file: OnnxFile, names: Set[str]) -> bool:
    """Return whether these are the outputs, each of them of a node."""
    return file.outputs.keys() == names and names <= {node.output for node in file.nodes}


class _Interface(NamedTuple):
    """What a kind of file takes and returns; `free` is the length of a side of any length."""

    free: int
    has_input: Callable[[OnnxFile], bool]
    has_outputs: Callable[[OnnxFile, dict[str, Sides]], bool]


_NETWORK = _Interface(CELLS, _takes_pixels, _returns_output)
_CELL_GRAPH = _Interface(PICTURE_SIDE, _takes_picture, _returns_decision)
