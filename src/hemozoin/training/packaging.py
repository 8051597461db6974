"""From a trained classifier to a bundle.

validation cells ──> log odds ──> fit_decision: temperature, threshold, review band,
                                  false-positive rate, counting point, healthy log odds
this, the out-of-distribution detector and the weights ──> package: the bundle with its ONNX graph
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from hemozoin.arrays import Floats, Pixels, batches
from hemozoin.classes import PARASITIZED, POSITIVE
from hemozoin.data.cells import LabelledCells
from hemozoin.data.preprocess import Preprocessing
from hemozoin.decision.conformal import (
    CHECKED_ERROR_RATE,
    ERROR_RATE,
    ReviewBand,
    fit_review_band,
)
from hemozoin.decision.counting_point import CountingPoint, fit_counting_point
from hemozoin.decision.false_positive_rate import fit_false_positive_rate
from hemozoin.decision.healthy_log_odds import HealthyLogOdds, fit_healthy_log_odds
from hemozoin.decision.ood import OutOfDistributionDetector
from hemozoin.decision.patient_rate import Moments
from hemozoin.decision.temperature import calibrate, fit_temperature
from hemozoin.decision.threshold import OperatingPoint, Threshold, choose_threshold
from hemozoin.metrics.predictions import LabelledPredictions
from hemozoin.model.bundle import Bundle
from hemozoin.model.onnx_export import with_graph
from hemozoin.training.classifier import Classifier
from hemozoin.training.recipe import Recipe

#: From this number of patients on, the band is fitted for `CHECKED_ERROR_RATE`: of fewer, a single
#: patient with a few errors would open the band on that side.
_MANY_PATIENTS = 100

#: Cells per step. Larger batches do not fit the cache of a CPU.
_BATCH = 256


@dataclass(frozen=True)
class DecisionParameters:
    """The parameters from log odds to a decision, fitted on patients not trained on."""

    temperature: float
    threshold: Threshold
    review_band: ReviewBand
    false_positive_rate: Moments | None
    counting_point: CountingPoint | None
    healthy_log_odds: HealthyLogOdds | None


def calibrate_and_package(
    classifier: Classifier,
    validation: tuple[LabelledCells, Pixels],
    recipe: Recipe,
    operating_point: OperatingPoint,
    ood_detector: OutOfDistributionDetector,
    trained_share: float | None = None,
) -> Bundle:
    """Fit the decision on validation cells; return the bundle.

    `validation` are the validation cells and their pixels, uint8 `[N, S, S, 3]`. `trained_share`
    (0..1) of the training cells are parasitized; None: as many as of the validation cells.
    """
    cells, pixels = validation
    classifier.orientations = recipe.orientations
    logit = uncalibrated_log_odds(classifier, pooled_features(classifier, pixels))
    decision = fit_decision(cells, logit, operating_point, trained_share)
    return package(classifier, recipe, decision, ood_detector)


def fit_decision(
    cells: LabelledCells,
    logit: Floats,
    operating_point: OperatingPoint,
    trained_share: float | None = None,
) -> DecisionParameters:
    """Fit all decision parameters on cells of patients that the network was not trained on.

    `logit` is float `[cells]`, the uncalibrated log odds of parasitized; `trained_share` as in
    `choose_threshold`. Temperature and threshold are fitted on the labels as given, since the
    metrics use those too. Where corrections are known, the others are fitted on the cells on which
    both labels agree: wrong labels would be errors of the network there.
    """
    temperature = fit_temperature(cells.label == PARASITIZED, logit, _patients_of(cells))
    predictions = LabelledPredictions.from_cells(cells, calibrate(logit, temperature))
    threshold = choose_threshold(predictions, operating_point, trained_share)
    rate = ERROR_RATE
    if cells.corrected is not None:
        predictions = predictions.subset(cells.corrected == cells.label)
        rate = _rate_of_checked_labels(predictions)
    review_band = fit_review_band(predictions, threshold.value, rate)
    return DecisionParameters(
        temperature,
        threshold,
        review_band,
        fit_false_positive_rate(predictions, review_band),
        fit_counting_point(predictions, review_band),
        fit_healthy_log_odds(predictions, review_band),
    )


def _rate_of_checked_labels(predictions: LabelledPredictions) -> float:
    """Return the lower error rate where both classes are of many patients."""
    units, truth = predictions.independent_unit, predictions.truth
    fewest = min(len(np.unique(units[of_class])) for of_class in (truth, ~truth))
    return CHECKED_ERROR_RATE if fewest >= _MANY_PATIENTS else ERROR_RATE


def package(
    classifier: Classifier,
    recipe: Recipe,
    decision: DecisionParameters,
    ood_detector: OutOfDistributionDetector,
) -> Bundle:
    """Return a trained network and its decision parameters as a bundle, with its ONNX graph."""
    classifier.temperature.fill_(decision.temperature)
    bundle = Bundle(
        architecture=classifier.network.architecture,
        input_transform=recipe.input_transform,
        orientations=recipe.orientations,
        preprocessing=Preprocessing(recipe.size),
        threshold=decision.threshold,
        review_band=decision.review_band,
        ood_detector=ood_detector,
        weights={name: tensor.numpy() for name, tensor in classifier.state_dict().items()},
        false_positive_rate=decision.false_positive_rate,
        counting_point=decision.counting_point,
        healthy_log_odds=decision.healthy_log_odds,
    )
    return with_graph(bundle)


def _patients_of(cells: LabelledCells) -> npt.NDArray[np.str_] | None:
    """Return the patient of each cell, str `[cells]`, or None where none is known."""
    return LabelledPredictions.from_cells(cells, np.zeros(len(cells))).patient


def pooled_features(classifier: Classifier, pixels: Pixels) -> Floats:
    """Return the input of the last layer, float `[N, C]`, of uint8 pixels `[N, S, S, 3]`."""
    with torch.inference_mode():
        parts = [classifier.features(torch.from_numpy(batch)) for batch in batches(pixels, _BATCH)]
        features: Floats = torch.cat(parts).numpy()
    return features


def uncalibrated_log_odds(classifier: Classifier, features: Floats) -> Floats:
    """Return ln(p / (1 - p)) of parasitized before calibration, float `[N]`."""
    with torch.inference_mode():
        logits = classifier.network.head(torch.from_numpy(features)).double().numpy()
    return np.asarray(logits[:, POSITIVE] - logits[:, 1 - POSITIVE])
