"""Packaging: the bundle gives the classifier's outputs, also when loaded from disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hemozoin.arrays import Pixels
from hemozoin.decision.threshold import OperatingPoint
from hemozoin.model.bundle import Bundle, load_bundle, save_bundle
from hemozoin.model.predictor import Predictor
from hemozoin.training.classifier import Classifier
from hemozoin.training.packaging import (
    calibrate_and_package,
    pooled_features,
    uncalibrated_log_odds,
)
from hemozoin.training.recipe import Recipe
from tests.support.tables import labelled_cells

RECIPE = Recipe(size=32)


@pytest.fixture
def pixels() -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)


@pytest.fixture
def classifier() -> Classifier:
    """Random weights with a head that gives different outputs for different cells."""
    torch.manual_seed(0)
    made = Classifier(RECIPE.architecture(), RECIPE.input_transform).eval()
    torch.nn.init.normal_(made.network.head.weight, std=5.0)
    return made


@pytest.fixture
def bundle(classifier: Classifier, pixels: Pixels) -> Bundle:
    odds = uncalibrated_log_odds(classifier, pooled_features(classifier, pixels))
    labels = np.where(odds > np.median(odds), "parasitized", "uninfected")
    cells = labelled_cells(labels.tolist(), (f"C{k % 8}" for k in range(len(labels))))
    return calibrate_and_package(classifier, cells, pixels, RECIPE, OperatingPoint())


def test_a_bundle_from_disk_gives_the_outputs_of_the_classifier(
    bundle: Bundle, classifier: Classifier, pixels: Pixels, tmp_path: Path
) -> None:
    save_bundle(bundle, tmp_path)
    predicted = Predictor(load_bundle(tmp_path))(pixels)
    with torch.inference_mode():
        expected = classifier(torch.from_numpy(pixels))[:, 1].numpy()
    assert predicted.std() > 0.01
    assert np.abs(predicted - expected).max() < 5e-6


def test_a_bundle_is_saved_and_loaded_completely(bundle: Bundle, tmp_path: Path) -> None:
    save_bundle(bundle, tmp_path)
    loaded = load_bundle(tmp_path)
    plain = (
        "architecture",
        "input_transform",
        "orientations",
        "preprocessing",
        "threshold",
        "review_band",
    )
    for name in (*plain, "graphs", "about"):
        assert getattr(loaded, name) == getattr(bundle, name)
    assert loaded.weights.keys() == bundle.weights.keys()
    for name, array in bundle.weights.items():
        assert np.array_equal(loaded.weights[name], array), name
        assert loaded.weights[name].shape == array.shape


def test_temperature_and_threshold_come_from_the_validation_cells(
    bundle: Bundle, classifier: Classifier, pixels: Pixels
) -> None:
    assert bundle.weights["temperature"] != 1
    assert classifier.orientations == RECIPE.orientations
    assert bundle.threshold.sensitivity > 0.7
    assert bundle.label(bundle.threshold.value) == "parasitized"
    assert bundle.label(bundle.threshold.value - 1e-6) == "uninfected"
