"""Graphs that hemozoin did not write, in a model folder with a right SHA256SUMS."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from hemozoin.mobilenet.architecture import Architecture
from hemozoin.model.bundle import CONFIG, GRAPH, INT8_GRAPH, save_bundle
from hemozoin.model.onnx_export import with_graph
from hemozoin.model.predictor import Predictor
from hemozoin.model.registry import Precision
from hemozoin.model.session import Session
from tests.support.bundles import some_bundle, some_cells, some_classifier
from tests.support.hostile import (
    Files,
    change_anything,
    loads_or_is_refused,
    refuse,
    refuses,
    valid_files,
    write_files,
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return valid_files(tmp_path_factory.mktemp("valid") / "model")


@pytest.fixture
def folder(tmp_path: Path, files: Files) -> Path:
    return write_files(tmp_path / "model", files)


#: Changes a graph in place.
Change = Callable[[onnx.ModelProto], Any]


def nodes(model: onnx.ModelProto, kind: str) -> list[onnx.NodeProto]:
    return [node for node in model.graph.node if node.op_type == kind]


def add(kind: str, inputs: list[str], output: str = "added", **attributes: Any) -> Change:
    return lambda model: model.graph.node.append(
        helper.make_node(kind, inputs, [output], **attributes)
    )


def loop(model: onnx.ModelProto) -> None:
    body = helper.make_graph([], "body", [], [])
    add("Loop", ["", "", "pixels"], body=body)(model)


def external(model: onnx.ModelProto) -> None:
    array = model.graph.initializer[0]
    array.ClearField("raw_data")
    array.data_location = TensorProto.EXTERNAL
    array.external_data.add(key="location", value="/etc/passwd")


def set_array(model: onnx.ModelProto, name: str, change: Callable[[Any], Any]) -> None:
    (array,) = (array for array in model.graph.initializer if array.name == name)
    changed = np.asarray(change(numpy_helper.to_array(array)))
    array.CopyFrom(numpy_helper.from_array(changed, name))


def change_of(kind: str, number: int, change: Callable[[Any], Any], which: int = 0) -> Change:
    """Return a change of the constant that is input `number` of a node of this kind."""
    return lambda model: set_array(model, nodes(model, kind)[which].input[number], change)


def set_metadata(key: str, value: str) -> Change:
    def change(model: onnx.ModelProto) -> None:
        for entry in model.metadata_props:
            if entry.key == key:
                entry.value = value

    return change


def many(model: onnx.ModelProto) -> None:
    """Double an array forty times: 30 terabytes."""
    for k in range(40):
        add("Concat", [f"d{k}" if k else "pixels"] * 2, f"d{k + 1}", axis=0)(model)


def outer(model: onnx.ModelProto) -> None:
    """Add a column to a row: 600 million values of 24,576."""
    for name, shape in (("column", [-1, 1]), ("row", [1, -1])):
        array = numpy_helper.from_array(np.array(shape), f"{name}_shape")
        model.graph.initializer.append(array)
        add("Reshape", ["pixels", f"{name}_shape"], name)(model)
    add("Max", ["column", "row"])(model)


def rename_output(model: onnx.ModelProto) -> None:
    model.graph.output[1].name = "other"


def constant_output(model: onnx.ModelProto) -> None:
    """Make the probabilities a constant."""
    (last,) = nodes(model, "Softmax")
    last.output[0] = "unused"
    model.graph.initializer.append(
        numpy_helper.from_array(np.full((2, 2), 0.5, np.float32), "probabilities")
    )


def scalar_output(model: onnx.ModelProto) -> None:
    (last,) = (node for node in model.graph.node if node.output[0] == "map")
    last.output[0] = "map_of_each"
    model.graph.initializer.append(numpy_helper.from_array(np.array([0, 1, 2]), "axes"))
    add("ReduceSum", ["map_of_each", "axes"], "map", keepdims=0)(model)


def default_input(model: onnx.ModelProto) -> None:
    pixels = np.zeros((2, 32, 32, 3), np.uint8)
    model.graph.initializer.append(numpy_helper.from_array(pixels, "pixels"))


#: The change of a graph, and the message.
GRAPHS: dict[str, tuple[Change, str]] = {
    "loop": (loop, "hemozoin does not write|damaged"),
    "if": (add("If", ["pixels"]), 'operation "If"'),
    "expand": (add("Expand", ["pixels", "pixels"]), 'operation "Expand"'),
    "range": (add("Range", ["pixels"] * 3), 'operation "Range"'),
    "constant of shape": (add("ConstantOfShape", ["pixels"]), 'operation "ConstantOfShape"'),
    "string": (add("StringNormalizer", ["pixels"]), 'operation "StringNormalizer"'),
    "a long name": (add("x\n" * 5000, ["pixels"]), "operation "),
    "custom domain": (add("Relu", ["pixels"], domain="com.evil"), "does not write"),
    "external data": (external, "does not write"),
    "function": (lambda m: m.functions.add(), "does not write"),
    "opset": (lambda m: setattr(m.opset_import[0], "version", 17), "another input or opset"),
    "doubled": (many, "too much memory|more memory or time"),
    "outer": (outer, "more memory or time"),
    "too many nodes": (lambda m: [add("Relu", ["pixels"])(m) for _ in range(1000)], "does not"),
    "other input": (lambda m: setattr(m.graph.input[0], "name", "x"), "another input"),
    "two inputs": (lambda m: m.graph.input.append(m.graph.output[0]), "another input"),
    "default input": (default_input, "another input"),
    "float input": (
        lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type", 1),
        "another input",
    ),
    "fixed batch": (
        lambda m: setattr(m.graph.input[0].type.tensor_type.shape.dim[0], "dim_value", 1),
        "another input",
    ),
    "other output": (rename_output, "other outputs"),
    "more outputs": (lambda m: m.graph.output.append(m.graph.input[0]), "other outputs"),
    "double output": (
        lambda m: setattr(m.graph.output[0].type.tensor_type, "elem_type", 11),
        "other outputs",
    ),
    "wrong shape": (
        lambda m: setattr(m.graph.output[1].type.tensor_type.shape.dim[1], "dim_value", 7),
        "other outputs",
    ),
    "scalar output": (scalar_output, "other outputs"),
    "constant output": (constant_output, "other outputs"),
    "nan": (change_of("Gemm", 1, lambda a: a * np.float32(np.nan)), "not finite"),
    "inf": (change_of("Gemm", 2, lambda a: a + np.float32(np.inf)), "not finite"),
    "overflow": (
        change_of("Gemm", 1, lambda a: np.copysign(np.float32(3e38), a)),
        "not made of numbers",
    ),
    "zero temperature": (change_of("Div", 1, lambda a: a * 0, -2), "not made of numbers"),
    "index": (change_of("Gather", 1, lambda a: a + 1_000_000), "ONNX Runtime can't run it"),
    "no probability": (
        lambda m: setattr(nodes(m, "Softmax")[0].attribute[0], "i", 0),
        "is no probability",
    ),
    "classes": (set_metadata("classes", '["a", "b"]'), "needs the classes"),
    "preprocessing": (set_metadata("preprocessing", "{}"), "preprocessing differs"),
    "metadata twice": (lambda m: m.metadata_props.append(m.metadata_props[0]), '"format" twice'),
}


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("name", GRAPHS)
def test_other_graphs(
    name: str,
    precision: Precision,
    folder: Path,
    files: Files,
    capfd: pytest.CaptureFixture[str],
) -> None:
    change, message = GRAPHS[name]
    file = GRAPH if precision == "fp32" else INT8_GRAPH
    model = onnx.load_from_string(files[file])
    change(model)
    content = model.SerializeToString()
    assert content != files[file]
    refuse(folder, files | {file: content}, rf"{file}: .*({message})", precision)
    assert capfd.readouterr() == ("", "")  # ONNX Runtime prints nothing either


def larger(array: Any) -> Any:
    """Return values that are larger by 1 %."""
    return array * np.float32(1.01)


def change_temperature(model: onnx.ModelProto) -> None:
    scaled = nodes(model, "Softmax")[0].input[0]
    (division,) = (node for node in model.graph.node if node.output[0] == scaled)
    set_array(model, division.input[1], larger)


@pytest.mark.parametrize(
    "change",
    [
        change_of("Conv", 1, larger),
        change_of("Conv", 2, larger, 7),
        change_of("Conv", 1, larger, -1),
        change_of("Gemm", 1, larger),
        change_of("Gemm", 2, larger),
        change_temperature,
    ],
    ids=["first layer", "bias", "map", "head", "bias of the head", "temperature"],
)
def test_the_graph_has_the_weights_of_the_folder(
    change: Change, folder: Path, files: Files
) -> None:
    model = onnx.load_from_string(files[GRAPH])
    change(model)
    changed = files | {GRAPH: model.SerializeToString()}
    refuse(folder, changed, r"model\.onnx: not the weights of model\.safetensors")


def test_the_graph_is_of_the_network_in_the_config(folder: Path, files: Files) -> None:
    for other in (
        some_bundle(some_classifier(Architecture(alpha=0.3, classes=2), orientations=2)),
        some_bundle(some_classifier(Architecture(0.25, 2, body="full"), orientations=2)),
        some_bundle(some_classifier(Architecture(0.25, 2, body="shallow"), orientations=2)),
    ):
        refuse(folder, files | {GRAPH: other.graphs[GRAPH]}, r"model\.onnx: not (the|written)")
    larger = some_bundle(some_classifier(orientations=2), size=96).graphs[GRAPH]
    model = onnx.load_from_string(larger)
    set_metadata("preprocessing", json.dumps(json.loads(files[CONFIG])["preprocessing"]))(model)
    refuse(folder, files | {GRAPH: model.SerializeToString()}, r"model\.onnx: not")


# ---- a probability that is not a number ---------------------------------------------------------


def test_weights_that_overflow_are_refused(folder: Path, files: Files) -> None:
    """All of them are finite, but not what is computed with them."""
    bundle = some_bundle(some_classifier(orientations=2))
    name = "network.head.weight"
    large = bundle.weights | {name: np.copysign(np.float32(1e38), bundle.weights[name])}
    save_bundle(with_graph(replace(bundle, weights=large)), folder)
    with refuses(r"model\.onnx: its output is not made of numbers"):
        Predictor.load(folder)


def test_a_probability_that_is_not_a_number_is_never_returned(files: Files) -> None:
    session = Session(files[GRAPH], GRAPH)

    class Broken:
        def run(self, *_: object) -> list[Any]:
            return [np.full((1, 2), np.nan), np.zeros((1, 256)), np.zeros((1, 1, 1))]

    session._session = Broken()
    with refuses("not a number"):
        session(some_cells(1, 32))


# ---- chance -------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_hundred_changes_of_structure(precision: Precision, tmp_path: Path, files: Files) -> None:
    file = GRAPH if precision == "fp32" else INT8_GRAPH
    rng = np.random.default_rng(0)
    for _ in range(100):
        model = onnx.load_from_string(files[file])
        with np.errstate(all="ignore"):
            change_anything(model, rng)
        changed = files | {file: model.SerializeToString()}
        loads_or_is_refused(tmp_path / "model", changed, precision)
