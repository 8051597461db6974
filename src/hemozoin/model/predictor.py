"""A network that is ready to answer: cells in, probabilities and decisions out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import overload

import numpy as np
from PIL import Image

from hemozoin.cells.picture import Pixels
from hemozoin.cells.threads import in_threads
from hemozoin.errors import ModelError
from hemozoin.model.bundle import GRAPH, INT8_GRAPH, Bundle, load_bundle
from hemozoin.model.names import Precision, find_model
from hemozoin.model.predict import Picture, Prediction, predict_pictures
from hemozoin.model.session import BATCH, Answers, Floats, Session


class Predictor:
    """A network of a bundle, on ONNX Runtime.

    `predict` and `predict_stream` take pictures as they are; the others take prepared cells,
    uint8 `[N, S, S, 3]` as `hemozoin.cells.preprocess` makes them.
    """

    def __init__(self, bundle: Bundle, precision: Precision = "fp32") -> None:
        self.bundle = bundle
        name = GRAPH if precision == "fp32" else INT8_GRAPH
        if name not in bundle.graphs:
            raise ModelError(f"the model has no {name}; make it with hemozoin export")
        self._session = Session(bundle.graphs[name], name)
        if self._session.metadata["preprocessing"] != json.dumps(bundle.preprocessing.to_dict()):
            raise ModelError(f"{name}: takes other pixels than config.json says; export it again")

    @classmethod
    def load(cls, model: str | Path, precision: Precision = "fp32") -> Predictor:
        """Open a network that ships by its name, or the folder of a model or of a run.

        Raises ModelError where there is none, where it can't be trusted, and where it has no
        graph of this precision.
        """
        folder = find_model(model)
        if folder.suffix == ".onnx" and folder.is_file():
            Session(folder.read_bytes(), folder.name)  # a foreign one is refused for what it lacks
            raise ModelError(f"{folder}: is a file; give the model folder that it came in")
        return cls(load_bundle(folder), precision)

    @overload
    def predict(self, images: Picture, review: bool = True) -> Prediction: ...  # type: ignore[overload-overlap]

    @overload
    def predict(self, images: Iterable[Picture], review: bool = True) -> list[Prediction]: ...

    def predict(
        self, images: Picture | Iterable[Picture], review: bool = True
    ) -> Prediction | list[Prediction]:
        """Return the prediction for one picture of a cell, or a list of them for many.

        A picture is a path, a Pillow picture or an array, uint8 `[H, W, 3]` in RGB. A bad one
        gets a prediction with its error. Without `review` every decision is the label.
        """
        if isinstance(images, np.ndarray) and images.ndim == 4:
            images = list(images)
        if isinstance(images, str | Path | Image.Image | np.ndarray):
            return next(self.predict_stream([images], review))
        return list(self.predict_stream(images, review))

    def predict_stream(
        self, images: Iterable[Picture], review: bool = True
    ) -> Iterator[Prediction]:
        """Yield a prediction for each picture, in order, holding a few batches at a time."""
        return predict_pictures(images, self, review)

    def answer(self, pixels: Pixels) -> Answers:
        """Return all that the network says of prepared cells; a batch is best about `BATCH`."""
        return self._session(pixels)

    def __call__(self, pixels: Pixels) -> Floats:
        """Return p_parasitized, `[N]` in 0..1, of any number of prepared cells."""
        if 0 < len(pixels) <= BATCH:  # one step: making threads would take longer
            return self.answer(pixels).p_parasitized
        batches = (pixels[k : k + BATCH] for k in range(0, len(pixels), BATCH))
        return np.concatenate([*self.stream(batches), np.empty(0, np.float32)])

    def stream(self, batches: Iterable[Pixels]) -> Iterator[Floats]:
        """Yield p_parasitized for each batch of prepared cells; every core takes one at a time."""
        answers = in_threads(self.answer, batches, at_a_time=1)
        return (answer.p_parasitized for answer in answers)


def load(model: str | Path = "nano", precision: Precision = "fp32") -> Predictor:
    """Open a network that ships by its name, or the folder of a model or of a run.

    `hemozoin.load("nano").predict("cell.png")` is the shortest way to an answer. Raises
    ModelError where there is no such network or where it can't be trusted.
    """
    return Predictor.load(model, precision)
