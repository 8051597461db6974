"""Packaging: the bundle gives the classifier's outputs, also when loaded from disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from hemozoin.arrays import Floats, Pixels, texts
from hemozoin.data.cells import LabelledCells
from hemozoin.decision.conformal import ReviewBand
from hemozoin.decision.ood import fit_ood_detector
from hemozoin.decision.threshold import OperatingPoint
from hemozoin.model.bundle import Bundle, load_bundle, save_bundle
from hemozoin.model.predictor import Predictor
from hemozoin.training.classifier import Classifier
from hemozoin.training.packaging import (
    calibrate_and_package,
    fit_decision,
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
    classifier.orientations = RECIPE.orientations
    odds = uncalibrated_log_odds(classifier, pooled_features(classifier, pixels))
    classifier.orientations = 1
    labels = np.where(odds > np.median(odds), "parasitized", "uninfected")
    with torch.no_grad():  # half of the cells get a p above 1/2, as half of them are parasitized
        classifier.network.head.bias[1] -= float(np.median(odds))
    cells = labelled_cells(labels.tolist(), (f"C{k % 8}" for k in range(len(labels))))
    detector = fit_ood_detector(pixels)
    return calibrate_and_package(classifier, (cells, pixels), RECIPE, OperatingPoint(), detector)


def test_a_bundle_from_disk_gives_the_outputs_of_the_classifier(
    bundle: Bundle, classifier: Classifier, pixels: Pixels, tmp_path: Path
) -> None:
    save_bundle(bundle, tmp_path)
    predicted = Predictor(load_bundle(tmp_path))(pixels)
    with torch.inference_mode():
        expected = classifier(torch.from_numpy(pixels))[:, 1].numpy()
    assert predicted.std() > 0.01
    assert np.abs(predicted - expected).max() < 1e-5  # processors round convolutions differently


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


def doubted_cells(patients: int) -> tuple[LabelledCells, Floats]:
    """Return cells that a network tells apart, but for one wrong label in twenty."""
    truth = np.tile([True] * 20 + [False] * 20, patients)
    logit = np.random.default_rng(0).normal(np.where(truth, 5, -5), 1)
    labels = truth.copy()
    labels[::20] = ~labels[::20]
    names = np.array(["uninfected", "parasitized"], object)
    units = [f"C{number // 40}" for number in range(len(truth))]
    cells = labelled_cells(names[labels.astype(int)].tolist(), units)
    return replace(cells, corrected=texts(names[truth.astype(int)])), logit


def test_wrong_labels_that_are_known_do_not_widen_the_review_band() -> None:
    cells, logit = doubted_cells(patients=120)
    blind = fit_decision(replace(cells, corrected=None), logit, OperatingPoint())
    seeing = fit_decision(cells, logit, OperatingPoint())
    assert (seeing.temperature, seeing.threshold) == (blind.temperature, blind.threshold)
    assert blind.review_band == ReviewBand(0.15, 0.85, 0.05)
    assert seeing.review_band.error_rate == 0.007
    width = [one.review_band.high - one.review_band.low for one in (blind, seeing)]
    assert width[1] < width[0] / 2
    assert blind.false_positive_rate is not None
    assert seeing.false_positive_rate is not None
    assert seeing.false_positive_rate.rate < blind.false_positive_rate.rate / 5


def test_few_patients_keep_the_higher_error_rate() -> None:
    cells, logit = doubted_cells(patients=16)
    assert fit_decision(cells, logit, OperatingPoint()).review_band.error_rate == 0.04
