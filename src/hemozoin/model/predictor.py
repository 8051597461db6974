"""Predictions of a packaged network: pictures of cells in, probabilities and decisions out.

pictures ── batches, one per thread: decode, prepare, network, decide ── predictions
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar, overload

import numpy as np
from PIL import Image

from hemozoin.arrays import Floats, Pixels, batches
from hemozoin.data.preprocess import Preprocessing
from hemozoin.data.source import as_utf8
from hemozoin.errors import DataError, ModelError
from hemozoin.mobilenet.architecture import layers
from hemozoin.model.bundle import GRAPH, INT8_GRAPH, Bundle, load_bundle
from hemozoin.model.checks.graph import CELLS, read_graph, require_network, require_weights_of
from hemozoin.model.checks.limits import most_work
from hemozoin.model.checksums import read_file
from hemozoin.model.pictures import (
    Picture,
    PreparedPicture,
    open_pictures,
    prepare_from_sources,
    prepare_pictures,
)
from hemozoin.model.prediction import CellDecision, DetailedPrediction, Prediction, decide
from hemozoin.model.registry import Precision, find_model
from hemozoin.model.session import BATCH, NetworkOutput, Session
from hemozoin.threads import batches_in_threads, in_threads

_Item = TypeVar("_Item")


class Predictor:
    """The network of a bundle, on ONNX Runtime.

    `predict` and `predict_stream` take pictures; the other methods take cells prepared by
    `hemozoin.data.preprocess`, uint8 `[N, S, S, 3]`.
    """

    def __init__(self, bundle: Bundle, precision: Precision = "fp32") -> None:
        self.bundle = bundle
        name = GRAPH if precision == "fp32" else INT8_GRAPH
        if name not in bundle.graphs:
            raise ModelError(f"the model has no {name}; make it with hemozoin export")
        table = layers(bundle.architecture, bundle.preprocessing.size)
        most = most_work(table, bundle.orientations, CELLS)
        self._session = Session(bundle.graphs[name], name, most)
        graph = self._session.graph
        if graph.file.metadata["preprocessing"] != json.dumps(bundle.preprocessing.to_dict()):
            raise ModelError(f"{name}: its preprocessing differs from config.json; export it again")
        require_network(graph, table, name)
        if precision == "fp32":
            require_weights_of(graph, bundle.weights, table, bundle.architecture.bn_epsilon, name)

    @classmethod
    def load(cls, model: str | Path, precision: Precision = "fp32") -> Predictor:
        """Open a pretrained network by its name, or the folder of a model or of a run.

        Raises ModelError where there is no such model, where a file is missing or has changed,
        and where the model has no graph of this precision.
        """
        folder = find_model(model)
        if folder.suffix == ".onnx" and folder.is_file():
            read_graph(read_file(folder), folder.name)  # raises for a file not of hemozoin
            raise ModelError(f"{folder}: is a file; give the model folder that it is in")
        return cls(load_bundle(folder), precision)

    @overload
    def predict(self, images: Picture, review: bool = True) -> Prediction: ...  # type: ignore[overload-overlap]

    @overload
    def predict(self, images: Iterable[Picture], review: bool = True) -> list[Prediction]: ...

    def predict(
        self, images: Picture | Iterable[Picture], review: bool = True
    ) -> Prediction | list[Prediction]:
        """Return the prediction for one picture of a cell, or a list of them for many.

        A picture is a path, a Pillow image or an array, uint8 `[H, W, 3]` in RGB. An unreadable
        picture gets a prediction with its error. Without `review` every decision is the label.
        """
        if isinstance(images, np.ndarray) and images.ndim == 4:
            images = list(images)
        if isinstance(images, str | Path | Image.Image | np.ndarray):
            return next(self.predict_stream([images], review))
        return list(self.predict_stream(images, review))

    def predict_stream(
        self, images: Iterable[Picture], review: bool = True
    ) -> Iterator[Prediction]:
        """Yield a prediction for each picture, in order, with a few batches in memory at a time."""
        details = _in_detail(prepare_pictures, enumerate(images), self, review)
        return (detail.prediction for detail in details)

    def decide(self, pixels: Pixels, normalized: Pixels | None = None) -> Iterator[CellDecision]:
        """Yield the decision on each of a batch of prepared cells.

        `normalized` are the same cells with the stain of the training cells, where it is known:
        they are what the out-of-distribution detector sees.
        """
        output = self.output(pixels)
        seen = pixels if normalized is None else normalized
        flags = self.bundle.ood_detector.is_out_of_distribution(seen).tolist()
        rounded = np.round(output.p_parasitized.astype(np.float64), 6).tolist()
        for p, out_of_distribution, log_odds in zip(rounded, flags, output.map, strict=True):
            decision, reason = decide(p, out_of_distribution, self.bundle.review_band)
            yield CellDecision(p, decision, reason, log_odds)

    def output(self, pixels: Pixels) -> NetworkOutput:
        """Return the network output for prepared cells; batches of about `BATCH` are fastest."""
        return self._session(pixels)

    def __call__(self, pixels: Pixels) -> Floats:
        """Return p_parasitized, `[N]` in 0..1, of any number of prepared cells."""
        if 0 < len(pixels) <= BATCH:  # for one batch, starting threads takes longer
            return self.output(pixels).p_parasitized
        parts = self.stream(batches(pixels, BATCH))
        return np.concatenate([*parts, np.empty(0, np.float32)])

    def stream(self, cells: Iterable[Pixels]) -> Iterator[Floats]:
        """Yield p_parasitized for each batch of prepared cells; a core runs one batch at a time."""
        outputs = in_threads(self.output, cells, at_a_time=1)
        return (output.p_parasitized for output in outputs)


def load(model: str | Path = "nano", precision: Precision = "fp32") -> Predictor:
    """Open a pretrained network by its name, or the folder of a model or of a run.

    `hemozoin.load("nano").predict("cell.png")` returns one prediction. Raises ModelError where
    there is no such model, and where a file is missing or has changed.
    """
    return Predictor.load(model, precision)


def predict_paths(
    paths: Iterable[Path], predictor: Predictor, review: bool = True
) -> Iterator[Prediction]:
    """Return an iterator with one prediction per picture in files, folders and zips, in order.

    Only a few batches are in memory, however many pictures there are. An unreadable picture gets
    a prediction with its error. Without `review` every decision is the label. Raises DataError,
    before the first picture is decoded, for a missing path, a zip that can't be opened, and a
    folder or zip without pictures.
    """
    return (detail.prediction for detail in predict_in_detail(paths, predictor, review))


def predict_in_detail(
    paths: Iterable[Path], predictor: Predictor, review: bool = True, without: Sequence[Path] = ()
) -> Iterator[DetailedPrediction]:
    """Return the predictions of `predict_paths`, each with its prepared cell and its map.

    Files at and below the paths `without` are left out: the output of the command.
    """
    opened = [open_pictures(path, without) for path in paths]
    pictures = ((source, name) for source, names in opened for name in names)
    return _in_detail(prepare_from_sources, pictures, predictor, review)


def _in_detail(
    prepare: Callable[[list[_Item], Preprocessing], list[PreparedPicture]],
    pictures: Iterable[_Item],
    predictor: Predictor,
    review: bool,
) -> Iterator[DetailedPrediction]:
    """Predict in threads; each thread takes a batch from file to decision, so no core waits."""

    def predict_batch(batch: list[_Item]) -> list[DetailedPrediction]:
        prepared = prepare(batch, predictor.bundle.preprocessing)
        return list(_predict_batch(prepared, predictor, review))

    return batches_in_threads(predict_batch, pictures, BATCH)


def _predict_batch(
    batch: list[PreparedPicture], predictor: Predictor, review: bool
) -> Iterator[DetailedPrediction]:
    readable = [picture.pixels for picture in batch if not isinstance(picture.pixels, DataError)]
    decisions = predictor.decide(np.stack(readable)) if readable else iter(())
    for cell, file, pixels in batch:
        if isinstance(pixels, DataError):
            error = as_utf8(str(pixels))
            yield DetailedPrediction(Prediction(cell, None, None, None, None, file, error))
        else:
            p, decision, reason, log_odds = next(decisions)
            label = predictor.bundle.label(p)
            if not review:
                decision, reason = label, None
            prediction = Prediction(cell, label, decision, p, reason, file)
            yield DetailedPrediction(prediction, pixels, log_odds)
