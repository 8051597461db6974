"""The ONNX graph: the same output as torch for every architecture, and complete metadata."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch

from hemozoin.arrays import Pixels
from hemozoin.classes import CLASSES
from hemozoin.data.preprocess import Preprocessing
from hemozoin.data.source import open_source
from hemozoin.data.store import decode_all
from hemozoin.errors import DataError
from hemozoin.mobilenet.architecture import Activation, Architecture, Body, Padding
from hemozoin.model.bundle import GRAPH
from hemozoin.model.onnx_export import onnx_model
from hemozoin.model.predictor import Predictor
from hemozoin.model.transform import InputTransform
from hemozoin.training.classifier import Classifier
from tests.support.bundles import SMALL, some_bundle, some_cells, some_classifier

# Each value of every choice occurs at least once; odd sizes have another padding.
KINDS: list[tuple[Body, int, float, Padding, Activation, InputTransform, int]] = [
    ("separable", 32, 0.25, "same", "relu6", "rgb", 1),
    ("separable", 33, 0.1, "same", "relu", "density", 2),
    ("separable", 50, 0.3, "symmetric", "relu6", "density", 3),
    ("separable", 65, 0.25, "same", "relu6", "density", 4),
    ("separable", 64, 0.25, "symmetric", "relu", "density", 4),
    ("full", 50, 0.1, "same", "relu", "rgb", 4),
    ("shallow", 97, 0.2, "symmetric", "relu6", "rgb", 3),
]


def in_torch(classifier: Classifier, pixels: Pixels) -> tuple[npt.NDArray[np.float32], ...]:
    """Return p_parasitized, features and uncalibrated log odds."""
    with torch.inference_mode():
        batch = torch.from_numpy(pixels)
        p, logits = classifier(batch)[:, 1], classifier.logits(batch)
        return p.numpy(), classifier.features(batch).numpy(), (logits[:, 1] - logits[:, 0]).numpy()


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: " ".join(map(str, kind)))
def test_the_same_output_as_torch(
    kind: tuple[Body, int, float, Padding, Activation, InputTransform, int],
) -> None:
    body, size, alpha, padding, activation, input_transform, orientations = kind
    architecture = Architecture(alpha, 2, activation, padding, 1e-3, body)
    classifier = some_classifier(architecture, input_transform, orientations)
    pixels = some_cells(5, size)
    pixels[4] = 0  # no cell at all
    output = Predictor(some_bundle(classifier, input_transform, size)).output(pixels)
    p, features, odds = in_torch(classifier, pixels)
    assert odds.std() > 1e-3  # otherwise the comparison would prove little
    assert np.abs(output.p_parasitized - p).max() < 1e-5
    assert np.abs(output.features - features).max() < 1e-5 * max(1, features.max())
    assert np.abs(output.map.mean(axis=(1, 2)) - odds).max() < 1e-5 * max(1, np.abs(odds).max())
    assert output.map.shape == (5, -(-size // 32), -(-size // 32))


def test_the_map_has_the_orientation_of_the_picture() -> None:
    """Each map is rotated back before the mean: a bright corner stays in its corner."""
    classifier = some_classifier(SMALL, "rgb", orientations=4)
    predictor = Predictor(some_bundle(classifier, "rgb", 128))
    pixels = np.full((1, 128, 128, 3), 120, np.uint8)
    pixels[:, :40, :40] = (20, 250, 90)
    expected = predictor.output(pixels).map[0]
    for k in range(4):
        rotated = predictor.output(np.rot90(pixels, k, (1, 2))).map[0]
        assert np.allclose(rotated, np.rot90(expected, k), atol=1e-4)
    with torch.inference_mode():
        transformed = classifier.input_transform(torch.from_numpy(pixels))
        logits = classifier.network.head(
            classifier.network.features(transformed).permute(0, 2, 3, 1)
        )
    unrotated = replace(some_bundle(classifier, "rgb", 128), orientations=1)
    log_odds = (
        Predictor(replace(unrotated, graphs={GRAPH: onnx_model(unrotated)})).output(pixels).map[0]
    )
    assert np.allclose(log_odds, (logits[..., 1] - logits[..., 0])[0].numpy(), atol=1e-4)


@pytest.mark.parametrize("count", [0, 1, 3, 130])
def test_any_number_of_cells(count: int) -> None:
    predictor = Predictor(some_bundle(some_classifier(orientations=4)))
    cells = some_cells(count, 32)
    together = predictor(cells)
    assert together.shape == (count,)
    alone = [float(predictor(cells[k : k + 1])[0]) for k in range(min(count, 5))]
    assert np.allclose(together[:5], alone, atol=1e-6)


def test_the_file_is_valid_and_has_its_weights_once() -> None:
    bundle = some_bundle(some_classifier(orientations=4))
    model = onnx.load_from_string(bundle.graphs[GRAPH])
    onnx.checker.check_model(model, full_check=True)
    assert 17 <= model.opset_import[0].version <= 20
    assert [value.name for value in model.graph.input] == ["pixels"]
    assert [value.name for value in model.graph.output] == ["probabilities", "features", "map"]
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}
    floats = sum(array.size for array in bundle.weights.values())
    assert len(bundle.graphs[GRAPH]) < floats * 4


def test_the_metadata_have_what_a_program_needs() -> None:
    bundle = some_bundle(some_classifier(), size=40)
    model = onnx.load_from_string(bundle.graphs[GRAPH])
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(metadata["classes"]) == list(CLASSES)
    assert Preprocessing.from_dict(json.loads(metadata["preprocessing"])) == bundle.preprocessing
    assert float(metadata["threshold"]) == bundle.threshold.value
    assert metadata["format"] == "hemozoin-model/2"
    assert metadata["hemozoin"]


def test_the_file_is_deterministic() -> None:
    bundle = some_bundle(some_classifier(orientations=2))
    assert onnx_model(bundle) == bundle.graphs[GRAPH]


@pytest.mark.real
def test_the_same_output_on_real_cells(real_zip: Path) -> None:
    source = open_source(real_zip)
    names = [entry.name for entry in source.entries()][::200]
    cells = decode_all(((source, name) for name in names), Preprocessing(64))
    pixels = np.stack([cell for cell in cells if not isinstance(cell, DataError)])
    assert len(pixels) > 100
    classifier = some_classifier(orientations=4)
    found = Predictor(some_bundle(classifier, size=64))(pixels)
    p, _, _ = in_torch(classifier, pixels)
    assert p.std() > 1e-2
    assert np.abs(found - p).max() < 1e-5
