"""A model folder: everything that a network needs to give the same predictions anywhere.

model/
  config.json          architecture, input transform, preprocessing, decision rules, metrics,
                       hashes of the patients that it has seen
  model.safetensors    the weights (pickle files are never read)
  model.onnx           the same network in ONNX: pixels in, probabilities out
  model_int8.onnx      the same network in int8, after `hemozoin export`
  cell.onnx            from the picture of a cell to the decision, after `hemozoin export`
  guard.safetensors    the ranges of the out-of-distribution detector
  README.md            the model card, after `hemozoin export`
  SHA256SUMS           the digest of every other file: a folder with a changed file is refused
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import safetensors.numpy

from hemozoin.about import VERSION
from hemozoin.arrays import Array, NamedArrays
from hemozoin.classes import CLASSES, PARASITIZED, UNINFECTED
from hemozoin.data.preprocess import Preprocessing
from hemozoin.decision.conformal import ReviewBand
from hemozoin.decision.counting_point import CountingPoint
from hemozoin.decision.healthy_log_odds import HealthyLogOdds
from hemozoin.decision.ood import OutOfDistributionDetector
from hemozoin.decision.patient_rate import Moments
from hemozoin.decision.reference_patients import ReferencePatients
from hemozoin.decision.threshold import Threshold
from hemozoin.errors import HemozoinError, ModelError
from hemozoin.metrics.seen_patients import SeenPatients
from hemozoin.mobilenet.architecture import Architecture, layers
from hemozoin.model.checks.config import FORMAT, parse_config
from hemozoin.model.checks.limits import require_practical
from hemozoin.model.checks.weights import read_safetensors, require_weights
from hemozoin.model.checksums import SUMS, read_folder, write_folder
from hemozoin.model.transform import InputTransform

CONFIG, WEIGHTS, OOD_DETECTOR, CARD = (
    "config.json",
    "model.safetensors",
    "guard.safetensors",
    "README.md",
)

_T = TypeVar("_T")

#: The ONNX files of a bundle: the first always, all after `hemozoin export`.
GRAPH, INT8_GRAPH, CELL_GRAPH = "model.onnx", "model_int8.onnx", "cell.onnx"

#: All files that a model folder may have, in the order in which they are written.
FILES = (CONFIG, WEIGHTS, OOD_DETECTOR, GRAPH, INT8_GRAPH, CELL_GRAPH, CARD, SUMS)


@dataclass(frozen=True)
class Bundle:
    """A trained network with its decision rules and its origin.

    Threshold, review band, out-of-distribution detector, false-positive rate and counting point
    were fitted on validation patients; the last two are None where too few patients were known.
    `healthy_log_odds` says how infected healthy slides look to the network, `reference_patients`
    what slides of these patients look like; the first needs some patients, the second many, and
    older folders have neither. `graphs` are the ONNX files by name; a saved bundle always has
    GRAPH. `about` is the origin of the network: data, split, recipe and metrics. `patients` are
    those that it has seen, None where this is not known.
    """

    architecture: Architecture
    input_transform: InputTransform
    orientations: int
    preprocessing: Preprocessing
    threshold: Threshold
    review_band: ReviewBand
    ood_detector: OutOfDistributionDetector
    weights: NamedArrays
    graphs: dict[str, bytes] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)
    false_positive_rate: Moments | None = None
    counting_point: CountingPoint | None = None
    healthy_log_odds: HealthyLogOdds | None = None
    reference_patients: ReferencePatients | None = None
    patients: SeenPatients | None = None

    @property
    def temperature(self) -> float:
        """The divisor of the logits, above 0."""
        return float(self.weights["temperature"])

    @property
    def counting(self) -> CountingPoint | None:
        """How cells are counted: by the counting point or, in older folders, by the decisions.

        None where the false-positive rate is not known.
        """
        if self.counting_point or not self.false_positive_rate:
            return self.counting_point
        rate = self.false_positive_rate.of_unseen_patient()
        return CountingPoint(threshold=None, false_positives=rate)

    @property
    def highest_healthy_median(self) -> float | None:
        """The median log odds of a slide than which few healthy ones have a higher one."""
        reference = self.reference_patients
        known = reference.healthy_log_odds if reference else self.healthy_log_odds
        return known.highest_median if known else None

    def label(self, p_parasitized: float) -> str:
        """Return the class name for a probability, by the threshold."""
        return PARASITIZED if p_parasitized >= self.threshold.value else UNINFECTED


def model_files(bundle: Bundle) -> dict[str, bytes]:
    """Return the content of each file of the model folder, without model card and SHA256SUMS."""
    return {
        CONFIG: json.dumps(_to_config(bundle), indent=2).encode(),
        WEIGHTS: _to_safetensors(bundle.weights),
        OOD_DETECTOR: _to_safetensors(bundle.ood_detector.to_arrays()),
        **bundle.graphs,
    }


def save_bundle(bundle: Bundle, folder: Path, card: str | None = None) -> None:
    """Write the model folder, with `card` as its README.md; SHA256SUMS is written last."""
    files = model_files(bundle)
    if card is not None:
        files[CARD] = card.encode(errors="replace")
    for name in {GRAPH, INT8_GRAPH, CELL_GRAPH, CARD} - set(files):
        (folder / name).unlink(missing_ok=True)
    write_folder(folder, files)


def load_bundle(folder: Path) -> Bundle:
    """Read a model folder.

    Raises ModelError where a file is missing, changed or invalid. The ONNX files are read, but not
    checked: `Predictor` does so for the one that it runs.
    """
    files = read_folder(folder)
    for name in (CONFIG, WEIGHTS, OOD_DETECTOR, GRAPH):
        if name not in files:
            raise ModelError(f"{folder}: SHA256SUMS doesn't list {name}; copy the folder again")
    return _to_bundle(parse_config(files[CONFIG], str(folder / CONFIG)), files, folder)


def _to_config(bundle: Bundle) -> dict[str, Any]:
    """Return the values of config.json.

    Some keys are older than the names of the fields: "view" is the input transform, "band" the
    review band, "false_positives" the false-positive rate, "aim" the operating point.
    """
    false_positive_rate = bundle.false_positive_rate
    return {
        "format": FORMAT,
        "hemozoin": VERSION,
        "classes": list(CLASSES),
        "architecture": bundle.architecture.to_dict(),
        "view": bundle.input_transform,
        "orientations": bundle.orientations,
        "preprocessing": bundle.preprocessing.to_dict(),
        "temperature": bundle.temperature,
        "threshold": bundle.threshold.to_dict(),
        "band": bundle.review_band.to_dict(),
        **({"false_positives": false_positive_rate.to_dict()} if false_positive_rate else {}),
        **({"counting": bundle.counting_point.to_dict()} if bundle.counting_point else {}),
        **({"healthy_log_odds": healthy.to_dict()} if (healthy := bundle.healthy_log_odds) else {}),
        **({"reference": reference.to_dict()} if (reference := bundle.reference_patients) else {}),
        **({"patients": bundle.patients.to_dict()} if bundle.patients else {}),
        "about": bundle.about,
    }


def _to_bundle(config: dict[str, Any], files: Mapping[str, bytes], folder: Path) -> Bundle:
    """Return the bundle of the values of config.json, which are in their ranges, and the files."""
    try:
        architecture = Architecture.from_dict(config["architecture"])
        preprocessing = Preprocessing.from_dict(config["preprocessing"])
        require_practical(architecture, preprocessing.size, config["orientations"])
    except HemozoinError as error:
        raise ModelError(f"{folder / CONFIG}: {error}") from error
    weights = read_safetensors(files[WEIGHTS], str(folder / WEIGHTS))
    require_weights(weights, layers(architecture, preprocessing.size), str(folder / WEIGHTS))
    if not math.isclose(config["temperature"], weights["temperature"], rel_tol=1e-5):
        raise ModelError(f"{folder / CONFIG}: temperature is not that of {WEIGHTS}; copy it again")
    ood_arrays = read_safetensors(files[OOD_DETECTOR], str(folder / OOD_DETECTOR))
    return Bundle(
        architecture=architecture,
        input_transform=config["view"],
        orientations=config["orientations"],
        preprocessing=preprocessing,
        threshold=Threshold.from_dict(config["threshold"]),
        review_band=ReviewBand.from_dict(config["band"]),
        ood_detector=OutOfDistributionDetector.from_arrays(ood_arrays),
        weights=weights,
        graphs={name: files[name] for name in (GRAPH, INT8_GRAPH, CELL_GRAPH) if name in files},
        about=config["about"],
        false_positive_rate=_optional(Moments.from_dict, config.get("false_positives")),
        counting_point=_optional(CountingPoint.from_dict, config.get("counting")),
        healthy_log_odds=_optional(HealthyLogOdds.from_dict, config.get("healthy_log_odds")),
        reference_patients=_optional(ReferencePatients.from_dict, config.get("reference")),
        patients=SeenPatients.from_dict(config["patients"]) if config.get("patients") else None,
    )


def _optional(
    from_dict: Callable[[dict[str, Any]], _T], values: dict[str, Any] | None
) -> _T | None:
    """Return what the values say, or None: models from few patients, and older ones, have none."""
    return None if values is None else from_dict(values)


def _to_safetensors(arrays: Mapping[str, Array]) -> bytes:
    # safetensors writes the memory of an array as it is: channels_last would be garbled.
    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    return safetensors.numpy.save(contiguous, {"format": "pt"})
