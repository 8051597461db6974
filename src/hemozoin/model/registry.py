"""Models by name or by path: a pretrained network, a model folder or a run."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from hemozoin.errors import ModelError
from hemozoin.model.checksums import SUMS

#: Which graph of a network runs: in 32-bit floating point, or the int8 graph of `hemozoin export`.
Precision = Literal["fp32", "int8"]

#: The folder of the pretrained networks, one subfolder each.
PRETRAINED = Path(__file__).with_name("pretrained")


def pretrained_names() -> list[str]:
    """Return the names of the pretrained networks, sorted."""
    return sorted(file.parent.name for file in PRETRAINED.glob(f"*/{SUMS}"))


def pretrained_folder(name: str) -> Path:
    """Return the model folder of a pretrained network; raises ModelError, with all names."""
    if name not in pretrained_names():
        raise ModelError(f"no network {name!r}: {_choices()}")
    return PRETRAINED / name


def find_model(model: str | Path) -> Path:
    """Return the model folder for a pretrained network's name, a model folder or a run folder.

    A name takes precedence over a folder of the same name; "./nano" is always the folder. Raises
    ModelError for a string without "/" that is neither a name nor an existing path.
    """
    folder = Path(model)
    if isinstance(model, str) and (model in pretrained_names() or _is_unknown_name(model)):
        return pretrained_folder(model)
    return folder / "model" if (folder / "model").is_dir() else folder


def _is_unknown_name(model: str) -> bool:
    return Path(model).name == model and not Path(model).exists()


def _choices() -> str:
    if names := pretrained_names():
        return f"give one of {', '.join(names)}, or a model folder"
    return "this version has no pretrained networks; give a model folder"
