"""From trained weights to a bundle: what the validation patients decide, and the graph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import torch

from hemozoin.cells.index import PARASITIZED
from hemozoin.cells.picture import Pixels
from hemozoin.cells.preprocess import Preprocessing
from hemozoin.judging.calibration import calibrate, fit_temperature
from hemozoin.judging.conformal import Band, fit_band
from hemozoin.judging.false_positives import FalsePositives, fit_false_positives
from hemozoin.judging.metrics import Floats, Judged
from hemozoin.judging.threshold import Aim, Threshold, choose_threshold
from hemozoin.model.bundle import CLASSES, Bundle
from hemozoin.model.graph import with_graph
from hemozoin.model.guard import Guard, fit_guard
from hemozoin.training.classifier import Classifier
from hemozoin.training.recipe import Recipe

#: Cells per step. Larger ones fall out of the cache of a CPU.
_BATCH = 256


@dataclass(frozen=True)
class Decisions:
    """How log odds become an answer: by numbers that only unseen patients can give."""

    temperature: float
    threshold: Threshold
    band: Band
    false_positives: FalsePositives | None


def seal(
    classifier: Classifier, cells: pl.DataFrame, pixels: Pixels, recipe: Recipe, aim: Aim
) -> Bundle:
    """Fit what decides, and the guard, on validation cells, and make the bundle.

    `cells` are the validation cells with their `label` and, where known, `patient`; `pixels`
    theirs, uint8 `[N, S, S, 3]`.
    """
    classifier.orientations = recipe.orientations
    logit = log_odds(classifier, pooled_features(classifier, pixels))
    return make_bundle(classifier, recipe, decide(cells, logit, aim), fit_guard(pixels))


def decide(cells: pl.DataFrame, logit: Floats, aim: Aim) -> Decisions:
    """Fit all that decides, on cells of patients that their network never saw.

    `logit` is float `[cells]`, the uncalibrated log odds of parasitized. All is fitted on the
    labels as given, since those are what the figures are held against.
    """
    truth = (cells["label"] == PARASITIZED).to_numpy()
    temperature = fit_temperature(truth, logit, _patients_of(cells))
    judged = Judged.from_cells(cells, calibrate(logit, temperature))
    threshold = choose_threshold(judged, aim)
    band = fit_band(judged, threshold.value)
    return Decisions(temperature, threshold, band, fit_false_positives(judged, band))


def make_bundle(
    classifier: Classifier, recipe: Recipe, decisions: Decisions, guard: Guard
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
        guard=guard,
        weights={name: tensor.numpy() for name, tensor in classifier.state_dict().items()},
        false_positives=decisions.false_positives,
    )
    return with_graph(bundle)


def _patients_of(cells: pl.DataFrame) -> npt.NDArray[np.str_] | None:
    """Return the patient of each cell, str `[cells]`, or None where none is known."""
    return Judged.from_cells(cells, np.zeros(len(cells))).patient


def pooled_features(classifier: Classifier, pixels: Pixels) -> npt.NDArray[np.float32]:
    """Return what the last layer sees, float `[N, C]`, of uint8 pixels `[N, S, S, 3]`."""
    with torch.inference_mode():
        batches = [
            classifier.features(torch.from_numpy(pixels[k : k + _BATCH]))
            for k in range(0, len(pixels), _BATCH)
        ]
        features: npt.NDArray[np.float32] = torch.cat(batches).numpy()
    return features


def log_odds(classifier: Classifier, features: npt.NDArray[np.float32]) -> Floats:
    """Return ln(p / (1 - p)) of parasitized, uncalibrated: float `[N]`."""
    parasitized = CLASSES.index(PARASITIZED)
    with torch.inference_mode():
        logits = classifier.network.head(torch.from_numpy(features)).double().numpy()
    return np.asarray(logits[:, parasitized] - logits[:, 1 - parasitized])
