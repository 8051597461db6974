"""From trained weights to a bundle: what the validation patients decide, and the graph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import torch

from hemozoin.arrays import Floats, Pixels, batches
from hemozoin.classes import PARASITIZED, POSITIVE
from hemozoin.data.preprocess import Preprocessing
from hemozoin.decision.conformal import ReviewBand, fit_review_band
from hemozoin.decision.false_positive_rate import FalsePositiveRate, fit_false_positive_rate
from hemozoin.decision.ood import OutOfDistributionDetector, fit_ood_detector
from hemozoin.decision.temperature import calibrate, fit_temperature
from hemozoin.decision.threshold import OperatingPoint, Threshold, choose_threshold
from hemozoin.metrics.classification import LabelledPredictions
from hemozoin.model.bundle import Bundle
from hemozoin.model.onnx_export import with_graph
from hemozoin.training.classifier import Classifier
from hemozoin.training.recipe import Recipe

#: Cells per step. Larger ones fall out of the cache of a CPU.
_BATCH = 256


@dataclass(frozen=True)
class DecisionParameters:
    """How log odds become an answer: by numbers that only unseen patients can give."""

    temperature: float
    threshold: Threshold
    band: ReviewBand
    false_positive_rate: FalsePositiveRate | None


def calibrate_and_package(
    classifier: Classifier,
    cells: pl.DataFrame,
    pixels: Pixels,
    recipe: Recipe,
    operating_point: OperatingPoint,
) -> Bundle:
    """Fit what decides, and the guard, on validation cells, and make the bundle.

    `cells` are the validation cells with their `label` and, where known, `patient`; `pixels`
    theirs, uint8 `[N, S, S, 3]`.
    """
    classifier.orientations = recipe.orientations
    logit = uncalibrated_log_odds(classifier, pooled_features(classifier, pixels))
    return make_bundle(
        classifier, recipe, decide(cells, logit, operating_point), fit_ood_detector(pixels)
    )


def decide(
    cells: pl.DataFrame, logit: Floats, operating_point: OperatingPoint
) -> DecisionParameters:
    """Fit all that decides, on cells of patients that their network never saw.

    `logit` is float `[cells]`, the uncalibrated log odds of parasitized. All is fitted on the
    labels as given, since those are what the figures are held against.
    """
    truth = (cells["label"] == PARASITIZED).to_numpy()
    temperature = fit_temperature(truth, logit, _patients_of(cells))
    predictions = LabelledPredictions.from_cells(cells, calibrate(logit, temperature))
    threshold = choose_threshold(predictions, operating_point)
    band = fit_review_band(predictions, threshold.value)
    return DecisionParameters(
        temperature, threshold, band, fit_false_positive_rate(predictions, band)
    )


def make_bundle(
    classifier: Classifier,
    recipe: Recipe,
    decisions: DecisionParameters,
    ood_detector: OutOfDistributionDetector,
) -> Bundle:
    """Put a trained network and what belongs to it together, with its ONNX graph."""
    classifier.temperature.fill_(decisions.temperature)
    bundle = Bundle(
        architecture=classifier.network.architecture,
        view=recipe.view,
        orientations=recipe.orientations,
        preprocessing=Preprocessing(recipe.size),
        threshold=decisions.threshold,
        band=decisions.band,
        ood_detector=ood_detector,
        weights={name: tensor.numpy() for name, tensor in classifier.state_dict().items()},
        false_positive_rate=decisions.false_positive_rate,
    )
    return with_graph(bundle)


def _patients_of(cells: pl.DataFrame) -> npt.NDArray[np.str_] | None:
    """Return the patient of each cell, str `[cells]`, or None where none is known."""
    return LabelledPredictions.from_cells(cells, np.zeros(len(cells))).patient


def pooled_features(classifier: Classifier, pixels: Pixels) -> Floats:
    """Return what the last layer sees, float `[N, C]`, of uint8 pixels `[N, S, S, 3]`."""
    with torch.inference_mode():
        parts = [classifier.features(torch.from_numpy(batch)) for batch in batches(pixels, _BATCH)]
        features: Floats = torch.cat(parts).numpy()
    return features


def uncalibrated_log_odds(classifier: Classifier, features: Floats) -> Floats:
    """Return ln(p / (1 - p)) of parasitized, uncalibrated: float `[N]`."""
    with torch.inference_mode():
        logits = classifier.network.head(torch.from_numpy(features)).double().numpy()
    return np.asarray(logits[:, POSITIVE] - logits[:, 1 - POSITIVE])
