"""Small networks with random weights, as torch classifiers and as bundles."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from hemozoin.arrays import Pixels
from hemozoin.data.preprocess import Preprocessing
from hemozoin.decision.conformal import ReviewBand
from hemozoin.decision.ood import fit_ood_detector
from hemozoin.decision.threshold import OperatingPoint, Threshold
from hemozoin.mobilenet.architecture import Architecture
from hemozoin.model.bundle import Bundle
from hemozoin.model.onnx_export import with_graph
from hemozoin.model.transform import InputTransform
from hemozoin.training.classifier import Classifier

SMALL = Architecture(alpha=0.25, classes=2)


def some_cells(count: int, size: int, seed: int = 0) -> Pixels:
    """Return noise inside a disc on black, uint8 `[count, size, size, 3]`."""
    rng = np.random.default_rng(seed)
    pixels: Pixels = rng.integers(60, 256, (count, size, size, 3), dtype=np.uint8)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    pixels[x**2 + y**2 > rng.uniform(0.4, 0.9, (count, 1, 1))] = 0
    return pixels


def some_classifier(
    architecture: Architecture = SMALL,
    input_transform: InputTransform = "density",
    orientations: int = 1,
) -> Classifier:
    """Return a network with effective batch norms and outputs that differ between cells."""
    torch.manual_seed(0)
    made = Classifier(architecture, input_transform, orientations).eval()
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
    nn.init.normal_(made.network.head.weight, std=2.0)
    nn.init.normal_(made.network.head.bias)
    made.temperature.fill_(1.7)
    return made


def some_bundle(
    classifier: Classifier, input_transform: InputTransform = "density", size: int = 32
) -> Bundle:
    """Return the classifier's bundle, with an out-of-distribution detector for `some_cells`."""
    pixels = some_cells(60, size, seed=1)
    ood_detector = fit_ood_detector(pixels)
    bundle = Bundle(
        architecture=classifier.network.architecture,
        input_transform=input_transform,
        orientations=classifier.orientations,
        preprocessing=Preprocessing(size),
        threshold=Threshold(0.4, OperatingPoint(), True, 0.9, 0.8),
        review_band=ReviewBand(0.3, 0.6, 0.03),
        ood_detector=ood_detector,
        weights={name: tensor.numpy() for name, tensor in classifier.state_dict().items()},
        about={"run": "test"},
    )
    return with_graph(bundle)
