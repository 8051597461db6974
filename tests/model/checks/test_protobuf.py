"""Reading an ONNX file: the same content as the onnx package reads, and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from hemozoin.export.int8 import quantize
from hemozoin.model.bundle import GRAPH, INT8_GRAPH, load_bundle
from hemozoin.model.checks.protobuf import Tensor, read_onnx, shortened
from hemozoin.model.registry import PRETRAINED, pretrained_names
from tests.support.bundles import some_bundle, some_cells, some_classifier


def files() -> dict[str, bytes]:
    bundle = some_bundle(some_classifier(orientations=3))
    found = {"fp32": bundle.graphs[GRAPH], "int8": quantize(bundle, some_cells(40, 32))}
    for name in pretrained_names():
        graphs = load_bundle(PRETRAINED / name).graphs
        found |= {f"{name} {file}": graphs[file] for file in (GRAPH, INT8_GRAPH)}
    return found


FILES = files()


def attributes(node: onnx.NodeProto) -> dict[str, object]:
    values = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    return {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}


@pytest.mark.parametrize("name", FILES)
def test_the_content_is_that_which_onnx_reads(name: str) -> None:
    found, expected = read_onnx(FILES[name]), onnx.load_from_string(FILES[name])
    assert found.opset == expected.opset_import[0].version
    assert found.metadata == {entry.key: entry.value for entry in expected.metadata_props}
    assert len(found.nodes) == len(expected.graph.node) > 50
    for node, other in zip(found.nodes, expected.graph.node, strict=True):
        assert (node.kind, node.inputs) == (other.op_type, tuple(other.input))
        assert [node.output] == list(other.output)
        assert node.attributes == attributes(other)
    arrays = {a.name: numpy_helper.to_array(a) for a in expected.graph.initializer}
    assert found.constants.keys() == arrays.keys()
    for key, array in found.constants.items():
        assert array.dtype == arrays[key].dtype
        assert np.array_equal(array, arrays[key])
    side = expected.graph.input[0].type.tensor_type.shape.dim[1].dim_value
    assert found.inputs == {"pixels": Tensor("uint8", (None, side, side, 3))}
    assert found.outputs["probabilities"] == Tensor("float32", (None, 2))
    assert list(found.outputs) == ["probabilities", "features", "map"]


def one_node(**attributes: Any) -> onnx.ModelProto:
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ("N", 2)) for n in "ab"]
    node = helper.make_node("Relu", ["a"], ["b"], **attributes)
    graph = helper.make_graph([node], "g", ends[:1], ends[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


def refused(model: onnx.ModelProto, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_onnx(model.SerializeToString())


def test_a_plain_file_is_read() -> None:
    assert read_onnx(one_node(axis=-1).SerializeToString()).nodes[0].attributes == {"axis": -1}


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        (1.5, "damaged"),  # of no type that is read
        ([1.5], "damaged"),
        ("text", "does not write"),
        (["a"], "does not write"),
        (numpy_helper.from_array(np.zeros(1)), "does not write"),
        (one_node().graph, "does not write"),
    ],
    ids=repr,
)
def test_attributes_are_integers(attribute: object, message: str) -> None:
    refused(one_node(other=attribute), message)


def test_parts_that_hemozoin_does_not_write_are_refused() -> None:
    parts = "hemozoin does not write"
    custom, function, training, text, sparse, external = (one_node() for _ in range(6))
    custom.graph.node[0].domain = "com.evil"
    refused(custom, parts)
    function.functions.append(helper.make_function("", "f", ["a"], ["b"], [], []))
    refused(function, parts)
    training.training_info.add()
    refused(training, parts)
    text.graph.doc_string = "text"
    refused(text, parts)
    sparse.graph.sparse_initializer.add()
    refused(sparse, parts)
    array = external.graph.initializer.add()
    array.CopyFrom(numpy_helper.from_array(np.zeros(3, np.float32), "w"))
    array.data_location = TensorProto.EXTERNAL
    refused(external, parts)


def test_another_domain_is_refused() -> None:
    model = one_node()
    model.opset_import[0].domain = "com.evil"
    refused(model, "not ONNX's own")
    model = one_node()
    model.opset_import.append(helper.make_opsetid("com.evil", 1))
    refused(model, "no opset_import, or several")


def array_of(content: bytes, dims: list[int], kind: int = TensorProto.FLOAT) -> onnx.ModelProto:
    model = one_node()
    array = model.graph.initializer.add()
    array.name, array.data_type, array.raw_data = "w", kind, content
    array.dims.extend(dims)
    return model


@pytest.mark.parametrize(
    ("content", "dims"),
    [
        (b"1234", [2]),
        (b"1234", [2**62, 2**62]),
        (b"", [0]),
        (b"", [0, 2**63 - 1]),
        (b"1" * 8, [-2]),
    ],
)
def test_arrays_are_of_the_size_that_they_state(content: bytes, dims: list[int]) -> None:
    refused(array_of(content, dims), "not of the size")


def test_arrays_are_finite_numbers() -> None:
    for value in (np.nan, np.inf, -np.inf):
        refused(array_of(np.float32(value).tobytes(), [1]), "not finite")
    refused(array_of(b"12", [1], TensorProto.FLOAT16), "unknown type 10")


def test_names_occur_once() -> None:
    model = array_of(b"1234", [1])
    model.graph.initializer.append(model.graph.initializer[0])
    refused(model, '"w" twice')


@pytest.mark.parametrize("count", [0, 2])
def test_a_message_that_occurs_once_is_not_merged(count: int) -> None:
    """Protobuf merges two graphs into one; another reader might see only one of them."""
    content = b"".join(
        b"\x3a" + bytes([len(graph)]) + graph
        for graph in [one_node().graph.SerializeToString()] * count
    )
    with pytest.raises(ValueError, match="no graph, or several"):
        read_onnx(content)


def test_a_damaged_file_ends_in_one_kind_of_error() -> None:
    content = FILES["fp32"][:600] + b"\xff" * 12
    for end in range(len(content)):
        with pytest.raises(ValueError, match=r"^it (has|is) "):
            read_onnx(content[:end])


def test_a_file_of_millions_of_parts_is_refused_at_once() -> None:
    nodes = b"\x0a\x00" * 2_000_000
    size = b"\x80\x92\xf4\x01"  # 4,000,000
    with pytest.raises(ValueError, match="does not write"):
        read_onnx(b"\x3a" + size + nodes)


def test_shortened_is_printable_and_short() -> None:
    assert shortened("a\x1b[31m\n") == '"a\\u001b[31m\\n"'
    assert shortened(None) == "null"
    assert len(shortened("x" * 10_000)) == 40
