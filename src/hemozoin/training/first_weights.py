"""The weights that training starts from, where not from fresh ones: ours, Keras' or timm's.

A network of ours keeps its classifier. One from elsewhere has other classes, or the same two in
an order that its file doesn't tell, so its classifier is left out and begins fresh.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from hemozoin.errors import RunError
from hemozoin.model.checksums import SUMS
from hemozoin.model.names import find_model
from hemozoin.paper.foreign import read_foreign
from hemozoin.paper.mobilenet import Architecture

Weights = dict[str, npt.NDArray[Any]]

#: The weights in a model folder of ours, and where its classifier puts MobileNet's.
_OURS, _PREFIX = "model.safetensors", "network."


@dataclass(frozen=True)
class FirstWeights:
    """A file of weights, the SHA-256 it had when the run was planned, and its architecture."""

    path: Path
    sha256: str
    architecture: Architecture

    @classmethod
    def find(cls, path: Path) -> FirstWeights:
        """Look at what training is to start from.

        `path` is a network that ships, by its name, the folder of a model or a run, its
        model.safetensors, or a file that `read_foreign` takes. Raises ModelError where it is
        none of them or damaged, MissingExtraError and OSError as `read_foreign` does.
        """
        if path.is_dir() or not path.suffix:
            path = find_model(str(path)) / _OURS
        architecture, _ = _read(path)
        return cls(path.resolve(), _digest(path), architecture)

    def require_unchanged(self) -> None:
        """Raise RunError where the file is not what it was, OSError where it is gone."""
        if _digest(self.path) != self.sha256:
            raise RunError(
                f"{self.path}: changed since the run was planned; bring the old one back"
            )

    def read(self) -> Weights:
        """Return the weights by the names of MobileNet's state dict, without a head to be fresh.

        Raises RunError where the file has changed.
        """
        self.require_unchanged()
        return _read(self.path)[1]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        architecture = self.architecture.to_dict()
        return {"path": str(self.path), "sha256": self.sha256, "architecture": architecture}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> FirstWeights:
        """Read back what `to_dict` gave; the file is not looked at."""
        architecture = Architecture.from_dict(values["architecture"])
        return cls(Path(values["path"]), values["sha256"], architecture)


def _read(path: Path) -> tuple[Architecture, Weights]:
    if path.name == _OURS and (path.parent / SUMS).exists():
        return _read_ours(path.parent)
    architecture, weights = read_foreign(path)
    return architecture, {k: array for k, array in weights.items() if not k.startswith("head.")}


def _read_ours(folder: Path) -> tuple[Architecture, Weights]:
    from hemozoin.model.bundle import load_bundle  # noqa: PLC0415 - `--help` can't wait for scipy

    bundle = load_bundle(folder)
    network = {
        name.removeprefix(_PREFIX): array
        for name, array in bundle.weights.items()
        if name.startswith(_PREFIX)
    }
    return bundle.architecture, network


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
