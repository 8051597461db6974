"""Weights that training starts from instead of random ones: of hemozoin, Keras or timm.

A network of hemozoin keeps its classifier (the last layer). A third-party network has other
classes, or the same two in an order that its file does not tell, so its classifier is left out
and initialised at random.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hemozoin.arrays import NamedArrays
from hemozoin.errors import RunError
from hemozoin.files import read_regular_file
from hemozoin.mobilenet.architecture import Architecture
from hemozoin.mobilenet.convert import read_third_party
from hemozoin.model.checksums import SUMS
from hemozoin.model.registry import find_model

if TYPE_CHECKING:
    from hemozoin.metrics.seen_patients import SeenPatients

#: File of the weights in a model folder, and the prefix of MobileNet's names in it.
_WEIGHTS, _PREFIX = "model.safetensors", "network."

#: The changes to the recipe for a network that goes on from one of cells.
FINE_TUNING = {
    "learning_rate": 2e-4,
    "progressive": False,
    "freeze_batch_norm": True,
    "teachers": 0,
}


@dataclass(frozen=True)
class InitialWeights:
    """A model folder or a weight file, the SHA-256 of its weights, and its architecture."""

    path: Path
    sha256: str
    architecture: Architecture

    @classmethod
    def find(cls, path: Path) -> InitialWeights:
        """Return the weights at `path`, with their digest and architecture.

        `path` is the name of a pretrained network, the folder of a model or a run, a
        model.safetensors, or a file that `read_third_party` reads. Raises ModelError where it is
        none of these or damaged, MissingExtraError and OSError as `read_third_party` does.
        """
        if path.name == _WEIGHTS and (path.parent / SUMS).exists():
            path = path.parent
        elif path.is_dir() or not path.suffix:
            path = find_model(str(path))
        path.stat()  # raises OSError if there is no such file
        architecture, _ = _read(path)
        return cls(path.resolve(), _digest(path), architecture)

    def recipe(self) -> dict[str, Any]:
        """Return what these weights say about the recipe, by field.

        A network of cells goes on as it was trained: with its input size and transform, gently,
        and normalized as in use (`benchmarks/fine_tuning.py`). One of Keras or timm learns anew.
        """
        known = self.architecture
        given = {"alpha": known.alpha, "body": known.body, "fewest_steps": 0}
        if not self.path.is_dir():
            return given
        from hemozoin.model.bundle import load_bundle  # noqa: PLC0415 - as in `_read_bundle`

        bundle = load_bundle(self.path)
        tuning = {"size": bundle.preprocessing.size, "input_transform": bundle.input_transform}
        return given | tuning | FINE_TUNING

    def require_unchanged(self) -> None:
        """Raise RunError where the weights have changed, OSError where the file is missing."""
        if _digest(self.path) != self.sha256:
            raise RunError(
                f"{self.path}: changed since the run was configured; restore the old file"
            )

    def read(self) -> NamedArrays:
        """Return the weights by their names in MobileNet's state dict; no head if third-party.

        Raises RunError where they have changed.
        """
        self.require_unchanged()
        return _read(self.path)[1]

    def patients(self) -> SeenPatients | None:
        """Return the patients that this network has seen; None where this is not known.

        A file of Keras or timm has seen none: it was trained on other pictures than cells.
        """
        from hemozoin.metrics.seen_patients import SeenPatients  # noqa: PLC0415 - as in `_read_bundle`
        from hemozoin.model.bundle import load_bundle  # noqa: PLC0415

        return load_bundle(self.path).patients if self.path.is_dir() else SeenPatients.of(())

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        architecture = self.architecture.to_dict()
        return {"path": str(self.path), "sha256": self.sha256, "architecture": architecture}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> InitialWeights:
        """Return what `to_dict` wrote; the file itself is not read."""
        architecture = Architecture.from_dict(values["architecture"])
        return cls(Path(values["path"]), values["sha256"], architecture)


def _read(path: Path) -> tuple[Architecture, NamedArrays]:
    if path.is_dir():
        return _read_bundle(path)
    architecture, weights = read_third_party(path)
    return architecture, {k: array for k, array in weights.items() if not k.startswith("head.")}


def _read_bundle(folder: Path) -> tuple[Architecture, NamedArrays]:
    from hemozoin.model.bundle import load_bundle  # noqa: PLC0415 - would slow down --help

    bundle = load_bundle(folder)
    network = {
        name.removeprefix(_PREFIX): array
        for name, array in bundle.weights.items()
        if name.startswith(_PREFIX)
    }
    return bundle.architecture, network


def _digest(path: Path) -> str:
    content = read_regular_file(path / _WEIGHTS if path.is_dir() else path)
    return hashlib.sha256(content).hexdigest()
