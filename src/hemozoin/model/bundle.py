"""A model folder: everything that one network needs to give the same answer anywhere.

model/
  config.json          architecture, view, preprocessing, classes, decisions, figures
  model.safetensors    the weights (no pickle is ever read)
  model.onnx           the same network as a graph: pixels in, probabilities out
  model_int8.onnx      the same in 8 bits, once it was exported
  guard.safetensors    what a red cell looks like to the network
  README.md            the model card, once it was exported
  SHA256SUMS           the digest of every other file: a changed one is refused
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
import safetensors
import safetensors.numpy

from hemozoin.about import VERSION
from hemozoin.arrays import Array, NamedArrays
from hemozoin.classes import CLASSES, PARASITIZED, UNINFECTED
from hemozoin.data.preprocess import Preprocessing
from hemozoin.decision.conformal import ReviewBand
from hemozoin.decision.false_positive_rate import FalsePositiveRate
from hemozoin.decision.ood import OutOfDistributionDetector
from hemozoin.decision.threshold import Threshold
from hemozoin.errors import ModelError
from hemozoin.mobilenet.architecture import Architecture
from hemozoin.model.checksums import SUMS, read_folder, write_folder
from hemozoin.model.transform import InputTransform

CONFIG, WEIGHTS, OOD_DETECTOR, CARD = (
    "config.json",
    "model.safetensors",
    "guard.safetensors",
    "README.md",
)

#: The graphs of a bundle: in 32 bits always, in 8 where it was exported.
GRAPH, INT8_GRAPH = "model.onnx", "model_int8.onnx"

#: All that may lie in a model folder, in the order in which it is written.
FILES = (CONFIG, WEIGHTS, OOD_DETECTOR, GRAPH, INT8_GRAPH, CARD, SUMS)

FORMAT = "hemozoin-model/2"


@dataclass(frozen=True)
class Bundle:
    """One trained network and what belongs to it.

    Threshold, band, guard and the rate of false positives were fitted on validation patients and
    are part of the model; the last is None where too few patients were known. `graphs` holds
    ONNX files by name, GRAPH always among them once the bundle is saved. `about` tells where the
    network comes from: data, split, recipe, figures.
    """

    architecture: Architecture
    view: InputTransform
    orientations: int
    preprocessing: Preprocessing
    threshold: Threshold
    band: ReviewBand
    ood_detector: OutOfDistributionDetector
    weights: NamedArrays
    graphs: dict[str, bytes] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)
    false_positive_rate: FalsePositiveRate | None = None

    @property
    def temperature(self) -> float:
        """What the logits are divided by, above 0."""
        return float(self.weights["temperature"])

    def label(self, p_parasitized: float) -> str:
        """Return the class name for a probability."""
        return PARASITIZED if p_parasitized >= self.threshold.value else UNINFECTED


def save_bundle(bundle: Bundle, folder: Path, card: str | None = None) -> None:
    """Write the model folder, with `card` as its README.md; SHA256SUMS makes it whole."""
    files = {
        CONFIG: json.dumps(_config(bundle), indent=2).encode(),
        WEIGHTS: _packed(bundle.weights),
        OOD_DETECTOR: _packed(bundle.ood_detector.to_arrays()),
        **bundle.graphs,
    }
    if card is not None:
        files[CARD] = card.encode()
    for name in {GRAPH, INT8_GRAPH, CARD} - set(files):
        (folder / name).unlink(missing_ok=True)
    write_folder(folder, files)


def load_bundle(folder: Path) -> Bundle:
    """Read a model folder; raises ModelError where a file is missing, changed or not ours."""
    files = read_folder(folder)
    for name in (CONFIG, WEIGHTS, OOD_DETECTOR, GRAPH):
        if name not in files:
            raise ModelError(f"{folder}: SHA256SUMS doesn't list {name}; copy the folder again")
    try:
        return _unpacked(json.loads(files[CONFIG]), files, folder)
    except (AttributeError, KeyError, TypeError, ValueError, safetensors.SafetensorError) as error:
        raise ModelError(f"{folder / CONFIG}: damaged ({error!r}); copy it again") from error


def _config(bundle: Bundle) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "hemozoin": VERSION,
        "classes": list(CLASSES),
        "architecture": bundle.architecture.to_dict(),
        "view": bundle.view,
        "orientations": bundle.orientations,
        "preprocessing": bundle.preprocessing.to_dict(),
        "temperature": bundle.temperature,
        "threshold": bundle.threshold.to_dict(),
        "band": bundle.band.to_dict(),
        **_if_known(bundle.false_positive_rate),
        "about": bundle.about,
    }


def _unpacked(config: dict[str, Any], files: Mapping[str, bytes], folder: Path) -> Bundle:
    if config.get("format") != FORMAT:
        raise ModelError(f"{folder}: not a model folder of this version; give RUN/model")
    if config["classes"] != list(CLASSES):
        raise ModelError(f"{folder / CONFIG}: needs the classes {' and '.join(CLASSES)}")
    if config["view"] not in get_args(InputTransform):
        raise ModelError(f"{folder / CONFIG}: unknown view {config['view']!r}")
    return Bundle(
        architecture=Architecture.from_dict(config["architecture"]),
        view=config["view"],
        orientations=int(config["orientations"]),
        preprocessing=Preprocessing.from_dict(config["preprocessing"]),
        threshold=Threshold.from_dict(config["threshold"]),
        band=ReviewBand.from_dict(config["band"]),
        ood_detector=OutOfDistributionDetector.from_arrays(
            safetensors.numpy.load(files[OOD_DETECTOR])
        ),
        weights=safetensors.numpy.load(files[WEIGHTS]),
        graphs={name: files[name] for name in (GRAPH, INT8_GRAPH) if name in files},
        about=config["about"],
        false_positive_rate=_rate(config.get("false_positives")),
    )


def _if_known(rate: FalsePositiveRate | None) -> dict[str, Any]:
    return {} if rate is None else {"false_positives": rate.to_dict()}


def _rate(values: dict[str, Any] | None) -> FalsePositiveRate | None:
    """Return the rate, or None: older folders, and those of few patients, have none."""
    return None if values is None else FalsePositiveRate.from_dict(values)


def _packed(arrays: Mapping[str, Array]) -> bytes:
    # safetensors writes the memory of an array as it lies there: channels_last would be garbled.
    plain = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    return safetensors.numpy.save(plain, {"format": "pt"})
