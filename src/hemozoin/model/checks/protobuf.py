"""Read an ONNX file without the onnx package, before ONNX Runtime opens it.

An ONNX file is a protobuf message: a sequence of fields, each a number with its value, which may
be a message itself (https://protobuf.dev/programming-guides/encoding). Only the fields that
hemozoin writes are allowed, so a file with external data, functions or nested graphs is refused.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar, cast

import numpy as np

from hemozoin.arrays import Array, NamedArrays

_Value = TypeVar("_Value")
_Kind = TypeVar("_Kind", int, memoryview)

#: The element types in hemozoin's files, by their number in ONNX.
ELEMENT_TYPES = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 11: "float64"}

#: The allowed fields of each message, with their names in onnx.proto.
_MODEL = {
    1: "ir_version",
    2: "producer_name",
    3: "producer_version",
    7: "graph",
    8: "opset_import",
    14: "metadata_props",
}
_OPSET = {1: "domain", 2: "version"}
_METADATA = {1: "key", 2: "value"}
_GRAPH = {1: "node", 2: "name", 5: "initializer", 11: "input", 12: "output"}
_NODE = {1: "input", 2: "output", 3: "name", 4: "op_type", 5: "attribute"}
_ATTRIBUTE = {1: "name", 3: "i", 8: "ints", 20: "type"}
_CONSTANT = {1: "dims", 2: "data_type", 8: "name", 9: "raw_data"}
_VALUE, _TYPE, _TENSOR = {1: "name", 2: "type"}, {1: "tensor_type"}, {1: "elem_type", 2: "shape"}
_SHAPE, _DIMENSION = {1: "dim"}, {1: "dim_value", 2: "dim_param"}

#: The types of an attribute: one integer, several integers.
_INT, _INTS = 2, 7

#: The most fields of a graph and of any other message; hemozoin's files have at most half as many.
_MOST_IN_GRAPH, _MOST = 1000, 24

#: The values of each field of a message, integers or bytes, in the order of the file.
_Message = dict[str, list[int | memoryview]]


@dataclass(frozen=True)
class Node:
    """One operation, with one output."""

    kind: str
    inputs: tuple[str, ...]
    output: str
    attributes: dict[str, int | tuple[int, ...]]


@dataclass(frozen=True)
class Tensor:
    """The type and the sides of an input or output of a graph; None for a side of any length."""

    element: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True, eq=False)
class OnnxFile:
    """The content of an ONNX file: its nodes in order, everything else by name."""

    opset: int
    nodes: list[Node]
    constants: NamedArrays
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]
    metadata: dict[str, str]


def read_onnx(content: bytes) -> OnnxFile:
    """Return the content of an ONNX file; raises ValueError for one that hemozoin can't write."""
    model = _message(memoryview(content), _MODEL)
    graph = _message(_one(model, "graph", memoryview), _GRAPH, _MOST_IN_GRAPH)
    opset = _message(_one(model, "opset_import", memoryview), _OPSET)
    if opset.get("domain", [b""]) != [b""]:
        raise ValueError("it has operations that are not ONNX's own")
    entries = _messages(model, "metadata_props", _METADATA)
    return OnnxFile(
        _one(opset, "version", int),
        [_node(node) for node in _messages(graph, "node", _NODE)],
        _by_name(_constant(tensor) for tensor in _messages(graph, "initializer", _CONSTANT)),
        _by_name(_tensor(value) for value in _messages(graph, "input", _VALUE)),
        _by_name(_tensor(value) for value in _messages(graph, "output", _VALUE)),
        _by_name((_text(entry, "key"), _text(entry, "value")) for entry in entries),
    )


# ---- the messages of ONNX -----------------------------------------------------------------------


def _node(node: _Message) -> Node:
    attributes = (_attribute(item) for item in _messages(node, "attribute", _ATTRIBUTE))
    inputs = tuple(map(_decoded, node.get("input", [])))
    return Node(_text(node, "op_type"), inputs, _text(node, "output"), _by_name(attributes))


def _attribute(attribute: _Message) -> tuple[str, int | tuple[int, ...]]:
    name, kind = _text(attribute, "name"), _one(attribute, "type", int)
    if kind == _INT and "ints" not in attribute:
        return name, _signed(_one(attribute, "i", int) if "i" in attribute else 0)
    if kind == _INTS and "i" not in attribute:
        return name, tuple(map(_signed, _integers(attribute, "ints")))
    raise ValueError(f"the attribute {shortened(name)} is not an integer")


def _constant(tensor: _Message) -> tuple[str, Array]:
    """Return the name of an array and the array; raises ValueError where a value is not finite."""
    name, data = _text(tensor, "name"), _one(tensor, "raw_data", memoryview)
    dtype, shape = np.dtype(_element(tensor, "data_type")), _integers(tensor, "dims")
    if min(shape, default=1) < 1 or math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError(f"the array {shortened(name)} is not of the size that it states")
    array = np.frombuffer(data, dtype.newbyteorder("<")).reshape(shape)
    if not np.isfinite(array).all():
        raise ValueError(f"the array {shortened(name)} has values that are not finite")
    return name, array


def _tensor(value: _Message) -> tuple[str, Tensor]:
    kind = _message(_one(value, "type", memoryview), _TYPE)
    tensor = _message(_one(kind, "tensor_type", memoryview), _TENSOR)
    sides = _messages(_message(_one(tensor, "shape", memoryview), _SHAPE), "dim", _DIMENSION)
    shape = tuple(_one(side, "dim_value", int) if "dim_value" in side else None for side in sides)
    return _text(value, "name"), Tensor(_element(tensor, "elem_type"), shape)


def _element(message: _Message, name: str) -> str:
    number = _one(message, name, int)
    if number not in ELEMENT_TYPES:
        raise ValueError(f"it has values of the unknown type {number}")
    return ELEMENT_TYPES[number]


# ---- protobuf -----------------------------------------------------------------------------------


def _message(content: memoryview, names: dict[int, str], most: int = _MOST) -> _Message:
    """Return the values of each field; raises ValueError for a field that has no name."""
    message: _Message = {}
    for count, (field, value) in enumerate(_fields(content)):
        if field not in names or count == most:
            raise ValueError("it has parts that hemozoin does not write")
        message.setdefault(names[field], []).append(value)
    return message


def _fields(content: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield the number of each field and its value: an integer, or bytes with their length."""
    position, end = 0, len(content)
    while position < end:
        key, position = _integer(content, position)
        value, position = _integer(content, position)
        if key & 7 == 0:
            yield key >> 3, value
        elif key & 7 == 2 and value <= end - position:
            yield key >> 3, content[position : position + value]
            position += value
        else:
            raise ValueError("it is damaged")


def _integer(content: memoryview, position: int) -> tuple[int, int]:
    """Return an integer, 7 bits per byte from the lowest on, and the position after it."""
    number = 0
    for count, byte in enumerate(content[position : position + 10]):
        number |= (byte & 127) << 7 * count
        if byte < 128:
            return number & (2**64 - 1), position + count + 1
    raise ValueError("it is damaged")


def _one(message: _Message, name: str, kind: type[_Kind]) -> _Kind:
    """Return the only value of a field; raises ValueError for none, several or another type."""
    values = message.get(name, [])
    if len(values) != 1 or not isinstance(values[0], kind):
        raise ValueError(f"it has no {name}, or several")
    return values[0]


def _messages(message: _Message, name: str, names: dict[int, str]) -> Iterator[_Message]:
    for value in message.get(name, []):
        if isinstance(value, int):
            raise ValueError("it is damaged")
        yield _message(value, names)


def _integers(message: _Message, name: str) -> tuple[int, ...]:
    values = message.get(name, [])
    if not all(isinstance(value, int) for value in values):
        raise ValueError("it is damaged")
    return cast("tuple[int, ...]", tuple(values))


def _signed(number: int) -> int:
    return number - 2**64 if number >= 2**63 else number


def _text(message: _Message, name: str) -> str:
    return _decoded(_one(message, name, memoryview))


def _decoded(value: int | memoryview) -> str:
    if isinstance(value, int):
        raise ValueError("it is damaged")
    try:
        return bytes(value).decode()
    except UnicodeDecodeError as error:
        raise ValueError("it is damaged") from error


def _by_name(items: Iterable[tuple[str, _Value]]) -> dict[str, _Value]:
    """Return the items by name; raises ValueError for a name that occurs twice."""
    found: dict[str, _Value] = {}
    for name, value in items:
        if name in found:
            raise ValueError(f"it has {shortened(name)} twice")
        found[name] = value
    return found


def shortened(value: object) -> str:
    """Return a value from a file as JSON, printable and of at most 40 characters."""
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
