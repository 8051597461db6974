"""A model folder: everything that one network needs to give the same answer anywhere.

    model/
      config.json          architecture, view, preprocessing, classes, threshold, figures
      model.safetensors    the weights (no pickle is ever read)

`config.json` holds the SHA-256 of the weights, so a swapped or damaged file is refused.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from hemozoin.about import VERSION
from hemozoin.cells.index import PARASITIZED, UNINFECTED
from hemozoin.cells.preprocess import Preprocessing
from hemozoin.errors import ModelError
from hemozoin.files import replace_file
from hemozoin.judging.threshold import Aim, Threshold
from hemozoin.paper.mobilenet import Architecture

CONFIG, WEIGHTS = "config.json", "model.safetensors"

#: The order of the network's outputs. Everything outside this file goes by name.
CLASSES = (UNINFECTED, PARASITIZED)

Weights = dict[str, npt.NDArray[Any]]

#: What the network gets to see of a cell: its optical density relative to its own, or RGB.
View = Literal["density", "rgb"]


@dataclass(frozen=True)
class Bundle:
    """One trained network and what belongs to it.

    The threshold was chosen on validation patients and is part of the model. `about` tells
    where the network comes from: data, split, recipe, figures.
    """

    architecture: Architecture
    view: View
    orientations: int
    preprocessing: Preprocessing
    threshold: Threshold
    weights: Weights
    about: dict[str, Any] = field(default_factory=dict)

    def label(self, p_parasitized: float) -> str:
        """Return the class name for a probability."""
        return PARASITIZED if p_parasitized >= self.threshold.value else UNINFECTED


def save_bundle(bundle: Bundle, folder: Path) -> None:
    """Write the model folder; config.json comes last and makes it whole."""
    folder.mkdir(parents=True, exist_ok=True)
    # safetensors writes the memory of an array as it lies there: channels_last would be garbled.
    plain = {name: np.asarray(array, order="C") for name, array in bundle.weights.items()}
    weights = safetensors.numpy.save(plain, {"format": "pt"})
    config = {
        "format": "hemozoin-model/1",
        "hemozoin": VERSION,
        "classes": list(CLASSES),
        "architecture": bundle.architecture.to_dict(),
        "view": bundle.view,
        "orientations": bundle.orientations,
        "preprocessing": bundle.preprocessing.to_dict(),
        "threshold": asdict(bundle.threshold),
        "sha256": {WEIGHTS: hashlib.sha256(weights).hexdigest()},
        "about": bundle.about,
    }
    replace_file(folder / WEIGHTS, weights)
    replace_file(folder / CONFIG, json.dumps(config, indent=2).encode())


def load_bundle(folder: Path) -> Bundle:
    """Read a model folder; raises ModelError where a file is missing, changed or not ours."""
    data = _read(folder, CONFIG)
    try:
        config = json.loads(data)
        if config.get("format") != "hemozoin-model/1":
            raise ModelError(f"{folder}: not a model folder of this version; give RUN/model")
        if config["classes"] != list(CLASSES):
            raise ModelError(f"{folder / CONFIG}: needs the classes {' and '.join(CLASSES)}")
        if config["view"] not in get_args(View):
            raise ModelError(f"{folder / CONFIG}: unknown view {config['view']!r}")
        weights = _read(folder, WEIGHTS)
        if hashlib.sha256(weights).hexdigest() != config["sha256"][WEIGHTS]:
            raise ModelError(f"{folder / WEIGHTS}: changed since it was saved; copy it again")
        return Bundle(
            architecture=Architecture.from_dict(config["architecture"]),
            view=config["view"],
            orientations=int(config["orientations"]),
            preprocessing=Preprocessing.from_dict(config["preprocessing"]),
            threshold=_threshold(config["threshold"]),
            weights=safetensors.numpy.load(weights),
            about=config["about"],
        )
    except (AttributeError, KeyError, TypeError, ValueError, safetensors.SafetensorError) as error:
        raise ModelError(f"{folder / CONFIG}: damaged ({error!r}); copy it again") from error


def _threshold(values: dict[str, Any]) -> Threshold:
    return Threshold(**{**values, "aim": Aim(**values["aim"])})


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise ModelError(
            f"{folder}: no {name} in it; give the model folder of a run, RUN/model"
        ) from error
