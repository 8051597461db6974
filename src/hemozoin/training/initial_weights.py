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

from hemozoin.arrays import NamedArrays
from hemozoin.errors import RunError
from hemozoin.mobilenet.architecture import Architecture
from hemozoin.mobilenet.convert import read_third_party
from hemozoin.model.checksums import SUMS
from hemozoin.model.registry import find_model

#: The weights in a model folder of ours, and what stands before MobileNet's names there.
_OURS, _PREFIX = "model.safetensors", "network."


@dataclass(frozen=True)
class InitialWeights:
    """A model folder or a file, the SHA-256 of its weights when found, and its architecture."""

    path: Path
    sha256: str
    architecture: Architecture

    @classmethod
    def find(cls, path: Path) -> InitialWeights:
        """Look at what training is to start from.

        `path` is a network that ships, by its name, the folder of a model or a run, its
        model.safetensors, or a file that `read_third_party` takes. Raises ModelError where it is
        none of them or damaged, MissingExtraError and OSError as `read_third_party` does.
        """
        if path.name == _OURS and (path.parent / SUMS).exists():
            path = path.parent
        elif path.is_dir() or not path.suffix:
            path = find_model(str(path))
        path.stat()  # says so where there is nothing
        architecture, _ = _read(path)
        return cls(path.resolve(), _digest(path), architecture)

    def require_unchanged(self) -> None:
        """Raise RunError where the weights are not what they were, OSError where they are gone."""
        if _digest(self.path) != self.sha256:
            raise RunError(
                f"{self.path}: changed since the run was planned; bring the old one back"
            )

    def read(self) -> NamedArrays:
        """Return the weights by the names of MobileNet's state dict, without a head to be fresh.

        Raises RunError where they have changed.
        """
        self.require_unchanged()
        return _read(self.path)[1]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        architecture = self.architecture.to_dict()
        return {"path": str(self.path), "sha256": self.sha256, "architecture": architecture}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> InitialWeights:
        """Read back what `to_dict` gave; the file is not looked at."""
        architecture = Architecture.from_dict(values["architecture"])
        return cls(Path(values["path"]), values["sha256"], architecture)


def _read(path: Path) -> tuple[Architecture, NamedArrays]:
    if path.is_dir():
        return _read_ours(path)
    architecture, weights = read_third_party(path)
    return architecture, {k: array for k, array in weights.items() if not k.startswith("head.")}


def _read_ours(folder: Path) -> tuple[Architecture, NamedArrays]:
    from hemozoin.model.bundle import load_bundle  # noqa: PLC0415 - `--help` can't wait for scipy

    bundle = load_bundle(folder)
    network = {
        name.removeprefix(_PREFIX): array
        for name, array in bundle.weights.items()
        if name.startswith(_PREFIX)
    }
    return bundle.architecture, network


def _digest(path: Path) -> str:
    with (path / _OURS if path.is_dir() else path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
