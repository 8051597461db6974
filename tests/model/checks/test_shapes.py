"""The shapes of all values, computed before a graph runs, are those that ONNX Runtime finds."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import onnx
import pytest

from hemozoin.export.int8 import quantize
from hemozoin.mobilenet.architecture import Activation, Architecture, Body, Padding, layers
from hemozoin.model.bundle import GRAPH
from hemozoin.model.cell_graph.graph import cell_model
from hemozoin.model.checks.limits import most_work
from hemozoin.model.checks.protobuf import Node, OnnxFile, Tensor, read_onnx
from hemozoin.model.checks.shapes import _OPERATIONS, Sides, value_shapes
from hemozoin.model.transform import InputTransform
from hemozoin.onnx_runtime import onnxruntime
from tests.support.bundles import some_bundle, some_cells, some_classifier

CELLS = 2

#: Body, size, α, padding, activation, input transform, orientations; each value occurs.
KINDS: list[tuple[Body, int, float, Padding, Activation, InputTransform, int]] = [
    ("separable", 33, 0.1, "same", "relu6", "density", 4),
    ("separable", 64, 0.25, "symmetric", "relu", "density", 4),
    ("full", 32, 0.4, "symmetric", "relu", "rgb", 2),
    ("shallow", 97, 0.2, "symmetric", "relu6", "rgb", 1),
]


@cache
def graphs(kind: tuple[Body, int, float, Padding, Activation, InputTransform, int]) -> list[bytes]:
    """Return the float graph, and the int8 graph where this padding has one."""
    body, size, alpha, padding, activation, input_transform, orientations = kind
    architecture = Architecture(alpha, 2, activation, padding, 1e-3, body)
    classifier = some_classifier(architecture, input_transform, orientations)
    bundle = some_bundle(classifier, input_transform, size)
    return [
        bundle.graphs[GRAPH],
        *([quantize(bundle, some_cells(20, size))] if padding == "symmetric" else []),
    ]


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: " ".join(map(str, kind)))
def written(request: pytest.FixtureRequest) -> tuple[object, list[bytes]]:
    return request.param, graphs(request.param)


def shapes_at_run_time(graph: bytes) -> dict[str, Sides]:
    """Return the shape of every value, by running the graph with all of them as outputs."""
    model = onnx.load_from_string(graph)
    known = onnx.shape_inference.infer_shapes(model).graph
    names = [node.output[0] for node in model.graph.node]
    model.graph.output.extend(
        value for value in known.value_info if value.name not in {"probabilities", "features"}
    )
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    size = session.get_inputs()[0].shape[1]
    found = session.run(names, {"pixels": some_cells(CELLS, size)})
    return {name: array.shape for name, array in zip(names, found, strict=True)}


@pytest.mark.slow
def test_the_shapes_are_those_at_run_time(written: tuple[object, list[bytes]]) -> None:
    for graph in written[1]:
        found, work = value_shapes(read_onnx(graph), CELLS)
        expected = shapes_at_run_time(graph)
        assert {name: found[name] for name in expected} == expected
        assert work.elements == sum(int(np.prod(shape)) for shape in expected.values())


@pytest.mark.slow
def test_the_work_is_within_its_limit(
    written: tuple[tuple[Body, int, float, Padding, Activation, InputTransform, int], list[bytes]],
) -> None:
    """With room for twice the work, since a refused network could never be used."""
    (body, size, alpha, padding, activation, _, orientations), graphs = written
    table = layers(Architecture(alpha, 2, activation, padding, 1e-3, body), size)
    for graph in graphs:
        work = value_shapes(read_onnx(graph), CELLS)[1]
        assert not work.exceeds(most_work(table, orientations, CELLS // 2))
        assert work.exceeds(most_work(table, orientations, 0))


def test_only_operations_that_hemozoin_writes_are_allowed() -> None:
    files = [graph for kind in KINDS for graph in graphs(kind)]
    files.append(cell_model(some_bundle(some_classifier())))
    written = {node.kind for file in files for node in read_onnx(file).nodes}
    assert written | {"ReduceProd", "Where"} == set(_OPERATIONS)  # these two: earlier versions


def test_matrix_products() -> None:
    def product(first: Sides, second: Sides) -> Sides:
        inputs = {"pixels": Tensor("uint8", first), "other": Tensor("uint8", second)}
        file = OnnxFile(18, [node("MatMul", "pixels other", "y")], {}, inputs, {}, {})
        shapes, work = value_shapes(file, CELLS)
        assert work.mult_adds == int(np.prod(shapes["y"])) * first[-1]
        return shapes["y"]

    assert product((4, 5, 6), (6, 7)) == (4, 5, 7)
    assert product((5, 6), (4, 6, 7)) == (4, 5, 7)
    assert product((2, 4, 5, 6), (2, 4, 6, 7)) == (2, 4, 5, 7)
    for first, second in (((5, 6), (5, 6)), ((4, 5, 6), (3, 6, 7)), ((6,), (6, 7))):
        with pytest.raises(ValueError, match="inputs"):
            product(first, second)


# ---- graphs that nobody should run --------------------------------------------------------------


def file_of(nodes: list[Node], **constants: list[int]) -> OnnxFile:
    arrays = {name: np.array(values, np.int64) for name, values in constants.items()}
    pixels = Tensor("uint8", (None, 32, 32, 3))
    return OnnxFile(18, nodes, arrays, {"pixels": pixels}, {}, {})


def node(kind: str, inputs: str, output: str, **attributes: int | tuple[int, ...]) -> Node:
    return Node(kind, tuple(inputs.split()), output, attributes)


def refused(message: str, *nodes: Node, **constants: list[int]) -> None:
    with pytest.raises(ValueError, match=message):
        value_shapes(file_of([*nodes], **constants), CELLS)


@pytest.mark.parametrize("kind", ["Loop", "If", "Scan", "Expand", "Tile", "Resize", "Range", "Pad"])
def test_other_operations_are_refused(kind: str) -> None:
    refused(f'operation "{kind}"', node(kind, "pixels", "y"))
    known = {schema.name for schema in onnx.defs.get_all_schemas()}
    assert known - set(_OPERATIONS) > {kind}


def test_an_array_joined_with_itself_again_and_again_is_refused() -> None:
    doubled = [node("Concat", "pixels pixels", "v0", axis=0)]
    doubled += [node("Concat", f"v{k} v{k}", f"v{k + 1}", axis=0) for k in range(60)]
    refused("too much memory", *doubled)


def test_a_column_plus_a_row_is_refused() -> None:
    nodes = [node("Reshape", "pixels column", "c0"), node("Reshape", "pixels row", "r0")]
    for k in range(4):
        nodes += [node("Add", f"c{k} r{k}", f"m{k}")]
        nodes += [node("Reshape", f"m{k} column", f"c{k + 1}")]
        nodes += [node("Reshape", f"m{k} row", f"r{k + 1}")]
    refused("too much memory", *nodes, column=[-1, 1], row=[1, -1])


def test_one_pixel_gathered_again_and_again_is_refused() -> None:
    nodes = [node("Gather", f"v{k} zeros", f"v{k + 1}", axis=k) for k in range(4)]
    nodes[0] = node("Gather", "pixels zeros", "v1", axis=0)
    refused("too much memory", *nodes, zeros=[0] * 2000)


@pytest.mark.parametrize(
    "wrong",
    [
        node("Add", "pixels nowhere", "y"),
        node("Add", "pixels", "y"),
        node("Add", "pixels three", "y"),
        node("Cast", "pixels", "y", to=8),
        node("Cast", "pixels", "y"),
        node("Concat", "pixels three", "y", axis=0),
        node("Concat", "pixels pixels", "y", axis=9),
        node("Conv", "pixels pixels three", "y"),
        node("Conv", "pixels pixels three", "y", strides=(0, 0)),
        node("Conv", "pixels pixels three", "y", dilations=(2, 2)),
        node("Gather", "pixels three", "y", axis=4),
        node("Gather", "pixels three", "y", axis=(0,)),
        node("Gemm", "pixels pixels three", "y"),
        node("GlobalAveragePool", "three", "y"),
        node("ReduceSum", "pixels axes", "y"),
        node("ReduceSum", "pixels pixels", "y"),
        node("ReduceSum", "pixels three", "y", noop_with_empty_axes=1),
        node("Relu", "pixels", "y", alpha=1),
        node("Reshape", "pixels five", "y"),
        node("Reshape", "pixels negative", "y"),
        node("Reshape", "pixels three", "y", allowzero=1),
        node("Transpose", "pixels", "y"),
        node("Transpose", "pixels", "y", perm=(0, 0, 1, 2)),
    ],
    ids=lambda node: f"{node.kind} {node.inputs} {node.attributes}",
)
def test_inputs_that_do_not_fit_are_refused(wrong: Node) -> None:
    refused(
        'inputs of "y"', wrong, three=[1, 2, 3, 4, 5], five=[5], axes=[7], negative=[-2, -3, 1024]
    )


def convolution(**attributes: Any) -> OnnxFile:
    file = file_of([node("Transpose", "pixels", "x", perm=(0, 3, 1, 2))], b=[0] * 6)
    file.nodes.append(node("Conv", "x w b", "y", **attributes))
    file.constants["w"] = np.zeros((6, 1, 3, 3))
    return file


def test_convolutions() -> None:
    def shape(**attributes: Any) -> Sides:
        return value_shapes(convolution(group=3, **attributes), CELLS)[0]["y"]

    assert shape() == (2, 6, 30, 30)
    assert shape(pads=(1, 1, 1, 1), strides=(2, 2)) == (2, 6, 16, 16)
    assert shape(pads=(0, 1, 2, 3)) == (2, 6, 32, 34)
    for wrong in (
        {"strides": (0, 1)},
        {"pads": (-1, 0, 0, 0)},
        {"kernel_shape": (5, 5)},
        {"group": 1},
        {"group": 0},
    ):
        with pytest.raises(ValueError, match='inputs of "y"'):
            value_shapes(convolution(**{"group": 3, **wrong}), CELLS)
    with pytest.raises(ValueError, match="too much memory"):
        shape(pads=(10**6,) * 4)


def test_a_value_is_written_once() -> None:
    refused('"y" twice', node("Relu", "pixels", "y"), node("Relu", "pixels", "y"))
    refused('"three" twice', node("Relu", "pixels", "three"), three=[3])
