"""int8: rotated kernels are exact; channels of very small or large range are no problem."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch
import torch.nn.functional as F

from hemozoin.export.graph_parts import Convolution
from hemozoin.export.int8 import quantize
from hemozoin.export.rotation import for_all_rotations
from hemozoin.mobilenet.architecture import Activation, Architecture, Body, Padding
from hemozoin.model.bundle import GRAPH, INT8_GRAPH, Bundle
from hemozoin.model.onnx_export import with_graph
from hemozoin.model.predictor import Predictor
from hemozoin.model.session import NetworkOutput
from hemozoin.model.transform import InputTransform
from tests.support.bundles import SMALL, some_bundle, some_cells, some_classifier

Array = npt.NDArray[np.float32]


def convolved(x: Array, convolution: Convolution) -> Array:
    top, left, bottom, right = convolution.pads
    padded = F.pad(torch.from_numpy(x), (left, right, top, bottom))
    weight, bias = torch.from_numpy(convolution.weight.copy()), torch.from_numpy(convolution.bias)
    output = F.conv2d(padded, weight, bias, convolution.stride, groups=convolution.groups)
    found: Array = output.numpy()
    return found


@pytest.mark.parametrize("pads", [(1, 1, 1, 1), (0, 0, 1, 1)], ids=["symmetric", "same"])
@pytest.mark.parametrize("size", [8, 9])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kind", ["cell", "depthwise", "mixing"])
def test_rotated_kernels_give_the_output_of_a_rotated_cell(
    kind: str, stride: int, size: int, pads: tuple[int, ...]
) -> None:
    if (stride == 1 or size % 2) and pads == (0, 0, 1, 1):
        pytest.skip("TensorFlow pads evenly there")
    rng = np.random.default_rng(0)
    channels, groups = (3, 1) if kind == "cell" else (5, 5 if kind == "depthwise" else 1)
    shape = (5 if kind == "depthwise" else 7, channels // groups, 3, 3)
    weight, bias = (rng.normal(size=s).astype(np.float32) for s in (shape, shape[:1]))
    one = Convolution("x", weight, bias, stride, pads, groups, "y")
    x = rng.normal(size=(2, channels, size, size)).astype(np.float32)
    # The channels of each rotation before they are rotated: the cell itself, or maps of it.
    of_rotation = [x if kind == "cell" else x + k for k in range(4)]
    stacked = x if kind == "cell" else np.concatenate(of_rotation, axis=1)
    by_rotation = np.split(
        convolved(stacked, for_all_rotations(one, 4, size, kind == "cell")), 4, axis=1
    )
    for k, (unrotated, output) in enumerate(zip(of_rotation, by_rotation, strict=True)):
        expected = convolved(np.rot90(unrotated, k, (2, 3)).copy(), one)
        assert np.allclose(np.rot90(output, k, (2, 3)), expected, atol=1e-5), k


def both_outputs(bundle: Bundle) -> tuple[NetworkOutput, NetworkOutput]:
    """Return the outputs in 32 and in 8 bits."""
    pixels = some_cells(32, bundle.preprocessing.size)
    graphs = {**bundle.graphs, INT8_GRAPH: quantize(bundle, pixels)}
    whole = replace(bundle, graphs=graphs)
    return Predictor(whole).output(pixels), Predictor(whole, "int8").output(pixels)


def agreement(a: Array, b: Array) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


# Each value of every option at least once; odd sizes are padded in another way.
KINDS: list[tuple[Body, int, float, Padding, Activation, InputTransform, int]] = [
    ("separable", 64, 0.25, "symmetric", "relu", "density", 4),
    ("separable", 65, 0.1, "same", "relu6", "density", 3),
    ("separable", 50, 0.25, "same", "relu", "rgb", 2),
    ("full", 32, 0.1, "symmetric", "relu6", "density", 1),
    ("shallow", 64, 0.1, "same", "relu", "rgb", 4),
]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: " ".join(map(str, kind)))
def test_any_network_agrees_in_8_bits(
    kind: tuple[Body, int, float, Padding, Activation, InputTransform, int],
) -> None:
    body, size, alpha, padding, activation, input_transform, rotations = kind
    architecture = Architecture(alpha, 2, activation, padding, 1e-3, body)
    fp32, int8 = both_outputs(
        some_bundle(
            some_classifier(architecture, input_transform, rotations), input_transform, size
        )
    )
    assert fp32.features.shape == int8.features.shape
    assert fp32.map.shape == int8.map.shape
    assert agreement(fp32.features, int8.features) > 0.99
    assert agreement(fp32.map, int8.map) > 0.97
    assert np.allclose(int8.features.mean(axis=1), fp32.features.mean(axis=1), rtol=0.2)


@pytest.mark.parametrize(
    ("body", "convolutions", "in_float"), [("separable", 27, 2), ("full", 14, 1)]
)
def test_the_first_convolutions_are_in_float_and_the_others_in_8_bits(
    body: Body, convolutions: int, in_float: int
) -> None:
    bundle = some_bundle(some_classifier(replace(SMALL, body=body)))
    graph = onnx.load_from_string(quantize(bundle, some_cells(8, 32))).graph
    kinds = {array.name: array.data_type for array in graph.initializer}
    arrays = {array.name: onnx.numpy_helper.to_array(array) for array in graph.initializer}
    made_by = {node.output[0]: node for node in graph.node}
    nodes = [n for n in graph.node if n.op_type == "Conv" and n.output[0] != "odds"]
    assert len(nodes) == convolutions
    for node in nodes[:in_float]:
        assert {kinds[name] for name in node.input[1:]} == {onnx.TensorProto.FLOAT}
    for node in nodes[in_float:]:
        weight, bias = (made_by[name].input[0] for name in node.input[1:])
        assert kinds[weight] == onnx.TensorProto.INT8
        assert kinds[bias] == onnx.TensorProto.INT32
        # Two products of 8 bits, added in 16 as on processors without VNNI.
        assert 2 * 255 * np.abs(arrays[weight].astype(int)).max() < 2**15
    assert sum(node.op_type == "Relu" for node in graph.node) == in_float - 1


@pytest.mark.slow
def test_channels_of_very_different_ranges() -> None:
    """A thousandfold range before a layer that divides by it again: the error must not grow."""
    bundle = some_bundle(some_classifier(SMALL))
    weights = dict(bundle.weights)
    factor = np.logspace(0, 3, 16, dtype=np.float32)
    norm, behind = "network.body.pointwise1.norm", "network.body.depthwise2.conv.weight"
    for part in ("weight", "bias"):
        weights[f"{norm}.{part}"] = weights[f"{norm}.{part}"] * factor
    weights[behind] = weights[behind] / factor[:, None, None, None]
    uneven = with_graph(replace(bundle, weights=weights))
    even = both_outputs(bundle)
    assert np.allclose(even[0].features, both_outputs(uneven)[0].features, atol=1e-3)
    error = [
        np.abs(fp32.features - int8.features).mean() for fp32, int8 in (even, both_outputs(uneven))
    ]
    assert error[1] < 1.5 * error[0]


def test_a_channel_with_hardly_any_weight() -> None:
    """Its bias would not fit into 32 bits at the scale of such small weights."""
    bundle = some_bundle(some_classifier())
    weights = {name: array.copy() for name, array in bundle.weights.items()}
    weights["network.body.pointwise2.conv.weight"][:4] *= 1e-12
    weights["network.body.pointwise2.norm.bias"][:4] = (3, -3, 0, 1)
    fp32, int8 = both_outputs(with_graph(replace(bundle, weights=weights)))
    assert agreement(fp32.features, int8.features) > 0.99


def test_the_same_cells_give_the_same_file() -> None:
    bundle, pixels = some_bundle(some_classifier()), some_cells(16, 32)
    assert quantize(bundle, pixels) == quantize(bundle, pixels)
    assert bundle.graphs[GRAPH] == with_graph(bundle).graphs[GRAPH]  # and the bundle is unchanged


def test_outputs_are_right_on_average() -> None:
    """Rounding leaves an offset, which the head corrects: the mean log odds are those of fp32."""
    fp32, int8 = both_outputs(some_bundle(some_classifier(), size=64))
    odds, odds_int8 = (output.map.mean(axis=(1, 2)) for output in (fp32, int8))
    assert abs(odds.mean() - odds_int8.mean()) < 0.02 * odds.std()
