"""A network that is ready to predict: pictures of cells in, probabilities and decisions out.

pictures ── batches, one to a thread: decoded, prepared, network, decision ── predictions
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar, overload

import numpy as np
from PIL import Image

from hemozoin.arrays import Floats, Pixels, batches
from hemozoin.data.preprocess import Preprocessing
from hemozoin.data.source import utf8
from hemozoin.decision.conformal import REVIEW
from hemozoin.errors import DataError, ModelError
from hemozoin.model.bundle import GRAPH, INT8_GRAPH, Bundle, load_bundle
from hemozoin.model.pictures import (
    Picture,
    PreparedPicture,
    open_pictures,
    prepare_from_source,
    prepare_picture,
)
from hemozoin.model.prediction import (
    CLOSE,
    OUT_OF_DISTRIBUTION,
    CellDecision,
    DetailedPrediction,
    Prediction,
)
from hemozoin.model.registry import Precision, find_model
from hemozoin.model.session import BATCH, NetworkOutput, Session
from hemozoin.threads import in_threads

Item = TypeVar("Item")


class Predictor:
    """A network of a bundle, on ONNX Runtime.

    `predict` and `predict_stream` take pictures as they are; the others take prepared cells,
    uint8 `[N, S, S, 3]` as `hemozoin.data.preprocess` makes them.
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
            Session(folder.read_bytes(), folder.name)  # one of others is refused for what it lacks
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
        details = _in_detail(prepare_picture, enumerate(images), self, review)
        return (detail.prediction for detail in details)

    def decide(self, pixels: Pixels) -> Iterator[CellDecision]:
        """Yield the decision on each of a batch of prepared cells."""
        output = self.output(pixels)
        outside = self.bundle.ood_detector.is_out_of_distribution(pixels)
        p = np.round(output.p_parasitized.astype(np.float64), 6)
        for one, is_outside, places in zip(p.tolist(), outside.tolist(), output.map, strict=True):
            yield CellDecision(one, *_decide(one, is_outside, self.bundle), places)

    def output(self, pixels: Pixels) -> NetworkOutput:
        """Return all that the network gives for prepared cells; a batch is best about `BATCH`."""
        return self._session(pixels)

    def __call__(self, pixels: Pixels) -> Floats:
        """Return p_parasitized, `[N]` in 0..1, of any number of prepared cells."""
        if 0 < len(pixels) <= BATCH:  # one step: making threads would take longer
            return self.output(pixels).p_parasitized
        parts = self.stream(batches(pixels, BATCH))
        return np.concatenate([*parts, np.empty(0, np.float32)])

    def stream(self, cells: Iterable[Pixels]) -> Iterator[Floats]:
        """Yield p_parasitized for each batch of prepared cells; every core takes one at a time."""
        outputs = in_threads(self.output, cells, at_a_time=1)
        return (output.p_parasitized for output in outputs)


def load(model: str | Path = "nano", precision: Precision = "fp32") -> Predictor:
    """Open a network that ships by its name, or the folder of a model or of a run.

    `hemozoin.load("nano").predict("cell.png")` is the shortest way to an answer. Raises
    ModelError where there is no such network or where it can't be trusted.
    """
    return Predictor.load(model, precision)


def predict_paths(
    paths: Iterable[Path], predictor: Predictor, review: bool = True
) -> Iterator[Prediction]:
    """Return one prediction per picture in files, folders and zips, in order, as asked for.

    A few batches are held, however many pictures there are; a bad one is a prediction with its
    error. Without `review` every decision is the label. Raises DataError, before it decodes
    any, for a path that is missing, a zip that can't be opened, and one without a file.
    """
    return (detail.prediction for detail in predict_in_detail(paths, predictor, review))


def predict_in_detail(
    paths: Iterable[Path], predictor: Predictor, review: bool = True
) -> Iterator[DetailedPrediction]:
    """Do as `predict_paths` does, and keep with each prediction what it rests on."""
    opened = [open_pictures(path) for path in paths]
    pictures = ((source, name) for source, names in opened for name in names)
    return _in_detail(prepare_from_source, pictures, predictor, review)


def _in_detail(
    prepare_one: Callable[[Item, Preprocessing], PreparedPicture],
    pictures: Iterable[Item],
    predictor: Predictor,
    review: bool,
) -> Iterator[DetailedPrediction]:
    """Predict in threads, each with a batch of its own from file to decision: no core waits."""
    left, how = iter(pictures), predictor.bundle.preprocessing
    groups = iter(lambda: list(islice(left, BATCH)), [])

    def work(group: list[Item]) -> list[DetailedPrediction]:
        prepared = [prepare_one(picture, how) for picture in group]
        return list(_predict_batch(prepared, predictor, review))

    return chain.from_iterable(in_threads(work, groups, at_a_time=1))


def _predict_batch(
    batch: list[PreparedPicture], predictor: Predictor, review: bool
) -> Iterator[DetailedPrediction]:
    readable = [cell.pixels for cell in batch if not isinstance(cell.pixels, DataError)]
    decisions = predictor.decide(np.stack(readable)) if readable else iter(())
    for cell in batch:
        if isinstance(cell.pixels, DataError):
            error = utf8(str(cell.pixels))
            failed = Prediction(cell.cell, None, None, None, None, cell.file, error)
            yield DetailedPrediction(failed)
        else:
            found = next(decisions)
            label = predictor.bundle.label(found.p_parasitized)
            decision, reason = (found.decision, found.reason) if review else (label, None)
            p = found.p_parasitized
            prediction = Prediction(cell.cell, label, decision, p, reason, cell.file)
            yield DetailedPrediction(prediction, cell.pixels, found.map)


def _decide(p: float, out_of_distribution: bool, bundle: Bundle) -> tuple[str, str | None]:
    """Return the decision, and the reason where it is `review`."""
    if out_of_distribution:
        return REVIEW, OUT_OF_DISTRIBUTION
    decision = bundle.band.decide(p)
    return decision, CLOSE if decision == REVIEW else None
