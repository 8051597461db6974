"""cell.onnx: the same pixels, measures and decisions as in Python, and no other content."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from hemozoin.arrays import Array, Pixels
from hemozoin.classes import CLASSES
from hemozoin.data.preprocess import Preprocessing, prepare
from hemozoin.decision.conformal import ReviewBand
from hemozoin.decision.ood import OutOfDistributionDetector, cell_measures
from hemozoin.errors import ModelError
from hemozoin.export.cell_parity import require_same_decisions, require_valid_cell_graph
from hemozoin.mobilenet.architecture import layers
from hemozoin.model.bundle import CELL_GRAPH, GRAPH, Bundle, load_bundle, save_bundle
from hemozoin.model.cell_graph.graph import cell_model, with_cell_graph
from hemozoin.model.cell_graph.ood_measures import add_cell_measures
from hemozoin.model.cell_graph.resampling import add_prepared
from hemozoin.model.checks.graph import PICTURE_SIDE, read_cell_graph, read_graph
from hemozoin.model.checks.limits import most_cell_work
from hemozoin.model.checks.protobuf import read_onnx
from hemozoin.model.checks.shapes import value_shapes
from hemozoin.model.onnx_builder import OnnxBuilder
from hemozoin.model.onnx_export import onnx_file
from hemozoin.model.predictor import Predictor
from hemozoin.onnx_runtime import onnxruntime
from tests.conftest import draw_cell
from tests.support.bundles import some_bundle, some_cells, some_classifier

SIZE = 32


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return with_cell_graph(some_bundle(some_classifier(orientations=2), size=SIZE))


def session(content: bytes) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])


def cells(count: int = 8) -> list[Pixels]:
    rng = np.random.default_rng(0)
    return [np.asarray(draw_cell(rng, infected=k % 2 == 0)) for k in range(count)]


# ---- the same answers --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def preparing(bundle: Bundle) -> onnxruntime.InferenceSession:
    """The preparation alone."""
    g = OnnxBuilder()
    add_prepared(g, "picture", Preprocessing(SIZE))
    inputs = {"picture": (np.uint8, ("H", "W", 3))}
    outputs = {"pixels": (np.uint8, (1, SIZE, SIZE, 3))}
    return session(onnx_file(g.finish(inputs, outputs), bundle))


def prepared(preparing: onnxruntime.InferenceSession, picture: Pixels) -> Array:
    found: Array = preparing.run(["pixels"], {"picture": picture})[0][0]
    return found


@settings(max_examples=60)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 30), st.randoms())
def test_cells_are_prepared_as_by_pillow(
    preparing: onnxruntime.InferenceSession, height: int, width: int, margin: int, rng: Any
) -> None:
    """At most two levels apart: Pillow's versions round in another order."""
    noise = np.random.default_rng(rng.randrange(2**32))
    cell = noise.integers(0, 256, (height, width, 3), np.uint8)
    cell[noise.random((height, width)) < 0.2] = noise.integers(0, 9)
    picture = np.pad(cell, ((margin + 40, margin), (margin, 45), (0, 0)))
    expected = prepare(picture, Preprocessing(SIZE))
    found = prepared(preparing, picture)
    assert (found.any(axis=2) != expected.any(axis=2)).mean() < 0.01
    both = found.any(axis=2) & expected.any(axis=2)
    assert np.abs(found.astype(int) - expected)[both].max(initial=0) <= 4


def test_a_black_picture_stays_black(preparing: onnxruntime.InferenceSession) -> None:
    for shape in ((1, 1, 3), (70, 50, 3)):
        assert not prepared(preparing, np.full(shape, 8, np.uint8)).any()


def test_the_measures_are_those_of_the_detector(bundle: Bundle) -> None:
    g = OnnxBuilder()
    measures = add_cell_measures(g, SIZE)
    inputs = {"pixels": (np.uint8, (1, SIZE, SIZE, 3))}
    graph = g.finish(inputs, {measures: (np.float32, (1, 12))})
    running = session(onnx_file(graph, bundle))
    noise = np.random.default_rng(1).integers(0, 256, (1, SIZE, SIZE, 3), np.uint8)
    for pixels in (*some_cells(6, SIZE)[:, None], noise, np.zeros_like(noise)):
        (found,) = running.run(None, {"pixels": pixels})
        assert found == pytest.approx(cell_measures(pixels), abs=2e-5)


def test_the_decisions_are_those_of_the_predictor(bundle: Bundle) -> None:
    open_ends = OutOfDistributionDetector(
        np.full(12, -np.inf, np.float32), np.full(12, np.inf, np.float32)
    )
    pictures = cells()
    found = Predictor(bundle).predict(pictures)
    p = np.array([prediction.p_parasitized for prediction in found], float)
    low, high = float(np.quantile(p, 0.3)), float(np.quantile(p, 0.7))
    for detector in (bundle.ood_detector, open_ends):
        changed = with_cell_graph(
            replace(bundle, ood_detector=detector, review_band=ReviewBand(low, high, 0.1))
        )
        require_same_decisions(changed, pictures)
        decision = [
            int(session(changed.graphs[CELL_GRAPH]).run(["decision"], {"picture": picture})[0][0])
            for picture in pictures
        ]
        assert {*decision} == ({0, 1, 2} if detector is open_ends else {3})


def test_another_graph_is_not_exported(bundle: Bundle) -> None:
    other = cell_model(replace(bundle, review_band=ReviewBand(0.0, 1.0, 0.1)))
    open_ends = OutOfDistributionDetector(
        np.full(12, -np.inf, np.float32), np.full(12, np.inf, np.float32)
    )
    wrong = replace(bundle, ood_detector=open_ends, graphs={**bundle.graphs, CELL_GRAPH: other})
    with pytest.raises(ModelError, match=r"cell\.onnx differs"):
        require_same_decisions(wrong, cells())


# ---- the folder --------------------------------------------------------------------------------


def test_folders_with_and_without_it_are_loaded(bundle: Bundle, tmp_path: Path) -> None:
    older = replace(bundle, graphs={GRAPH: bundle.graphs[GRAPH]})
    for number, one in enumerate((bundle, older)):
        save_bundle(one, tmp_path / str(number))
        assert load_bundle(tmp_path / str(number)).graphs == one.graphs
        assert Predictor.load(tmp_path / str(number)).predict(cells(1)[0]).error is None
    save_bundle(older, tmp_path / "0")
    assert not (tmp_path / "0" / CELL_GRAPH).exists()


def test_the_metadata_are_those_of_the_network(bundle: Bundle) -> None:
    found, network = (read_onnx(bundle.graphs[name]).metadata for name in (CELL_GRAPH, GRAPH))
    assert found == network
    assert json.loads(found["classes"]) == [*CLASSES]


# ---- its checks --------------------------------------------------------------------------------


def test_the_shapes_are_those_at_run_time(bundle: Bundle) -> None:
    file = read_onnx(bundle.graphs[CELL_GRAPH])
    shapes, work = value_shapes(file, PICTURE_SIDE)
    model = onnx.load_from_string(bundle.graphs[CELL_GRAPH])
    names = [node.output[0] for node in model.graph.node]
    known = {output.name for output in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names if n not in known)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    running = onnxruntime.InferenceSession(model.SerializeToString(), options)
    picture = np.full((PICTURE_SIDE, PICTURE_SIDE, 3), 200, np.uint8)
    found = dict(zip(names, running.run(names, {"picture": picture}), strict=True))
    assert {name: array.shape for name, array in found.items()} == {n: shapes[n] for n in names}
    table = layers(bundle.architecture, SIZE)
    assert not work.exceeds(most_cell_work(table, bundle.orientations, PICTURE_SIDE))


Change = Callable[[onnx.ModelProto], Any]


def changed(bundle: Bundle, change: Change) -> Bundle:
    model = onnx.load_from_string(bundle.graphs[CELL_GRAPH])
    change(model)
    return replace(bundle, graphs={CELL_GRAPH: model.SerializeToString()})


def wrong_weights(model: onnx.ModelProto) -> None:
    name = next(node.input[1] for node in model.graph.node if node.op_type == "Conv")
    (array,) = (array for array in model.graph.initializer if array.name == name)
    array.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(array) * 2, name))


def loop(model: onnx.ModelProto) -> None:
    body = helper.make_graph([], "body", [], [])
    model.graph.node.append(helper.make_node("Loop", ["", "", "picture"], ["x"], body=body))


def much_work(model: onnx.ModelProto) -> None:
    array = numpy_helper.from_array(np.ones((1, 4096), np.float32), "wide")
    model.graph.initializer.append(array)
    row = helper.make_node("Mul", ["wide", "wide"], ["row"])
    column = helper.make_node("Transpose", ["row"], ["column"], perm=[1, 0])
    product = helper.make_node("MatMul", ["column", "row"], ["square"])
    model.graph.node.extend([row, column, product])


def of_type(model: onnx.ModelProto) -> None:
    model.graph.output[1].type.tensor_type.elem_type = TensorProto.FLOAT


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (wrong_weights, "not the weights"),
        (loop, "not written by hemozoin"),
        (much_work, "more memory or time"),
        (of_type, "other outputs"),
        (lambda m: m.graph.output.pop(), "other outputs"),
        (lambda m: setattr(m.graph.output[0], "name", "p"), "other outputs"),
        (lambda m: setattr(m.graph.input[0], "name", "pixels"), "another input or opset"),
        (lambda m: m.graph.input.append(m.graph.output[0]), "another input or opset"),
        (lambda m: setattr(m.opset_import[0], "version", 17), "another input or opset"),
        (lambda m: m.metadata_props.pop(), "metadata"),
    ],
)
def test_what_hemozoin_did_not_write_is_refused(
    bundle: Bundle, change: Change, message: str
) -> None:
    require_valid_cell_graph(bundle)
    with pytest.raises(ModelError, match=message):
        require_valid_cell_graph(changed(bundle, change))


def test_the_kinds_of_graphs_are_not_mixed_up(bundle: Bundle) -> None:
    with pytest.raises(ModelError, match="another input"):
        read_graph(bundle.graphs[CELL_GRAPH], CELL_GRAPH)
    with pytest.raises(ModelError, match="another input"):
        read_cell_graph(bundle.graphs[GRAPH], GRAPH)
