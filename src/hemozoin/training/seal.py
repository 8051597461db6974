"""From trained weights to a bundle: temperature and threshold, from the validation patients."""

from __future__ import annotations

import numpy as np
import polars as pl
import torch

from hemozoin.cells.index import PARASITIZED
from hemozoin.cells.picture import Pixels
from hemozoin.cells.preprocess import Preprocessing
from hemozoin.judging.calibration import calibrate, fit_temperature
from hemozoin.judging.metrics import Floats, Judged
from hemozoin.judging.threshold import Aim, choose_threshold
from hemozoin.model.bundle import CLASSES, Bundle
from hemozoin.model.classifier import Classifier
from hemozoin.model.predictor import BATCH
from hemozoin.training.recipe import Recipe


def seal(
    classifier: Classifier, cells: pl.DataFrame, pixels: Pixels, recipe: Recipe, aim: Aim
) -> Bundle:
    """Calibrate on validation cells, choose the threshold there, and make the bundle.

    `cells` are the validation cells with their `label`, `pixels` theirs, uint8 `[N, S, S, 3]`.
    Both are fitted on the labels as given, since those are what the figures are held against.
    """
    truth = (cells["label"] == PARASITIZED).to_numpy()
    classifier.orientations = recipe.orientations
    logit = log_odds(classifier, pixels)
    temperature = fit_temperature(truth, logit)
    threshold = choose_threshold(Judged(truth, calibrate(logit, temperature)), aim)
    classifier.temperature.fill_(temperature)
    return Bundle(
        architecture=recipe.architecture(),
        view=recipe.view,
        orientations=recipe.orientations,
        preprocessing=Preprocessing(recipe.size),
        threshold=threshold,
        weights={name: tensor.numpy() for name, tensor in classifier.state_dict().items()},
    )


def log_odds(classifier: Classifier, pixels: Pixels) -> Floats:
    """Return ln(p / (1 - p)) of parasitized, uncalibrated: float `[N]`."""
    parasitized = CLASSES.index(PARASITIZED)
    with torch.inference_mode():
        batches = [
            classifier.logits(torch.from_numpy(pixels[k : k + BATCH]))
            for k in range(0, len(pixels), BATCH)
        ]
    logits = torch.cat(batches).double().numpy()
    return np.asarray(logits[:, parasitized] - logits[:, 1 - parasitized])
