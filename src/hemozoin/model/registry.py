"""Which network is meant: by the name of one that ships, or by the path of its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from hemozoin.errors import ModelError
from hemozoin.model.checksums import SUMS

#: Which of a network's graphs: in 32 bits, or in the 8 of `hemozoin export`.
Precision = Literal["fp32", "int8"]

#: Where the networks that ship lie, a folder each.
PRETRAINED = Path(__file__).with_name("pretrained")


def names() -> list[str]:
    """Return the names of the networks that ship, in order."""
    return sorted(file.parent.name for file in PRETRAINED.glob(f"*/{SUMS}"))


def named(name: str) -> Path:
    """Return the model folder of a network that ships; raises ModelError with all names."""
    if name not in names():
        raise ModelError(f"no network {name!r}: {_what_there_is()}; or give a model folder")
    return PRETRAINED / name


def find_model(model: str | Path) -> Path:
    """Return the model folder that is meant by a name, a model folder or a run's folder.

    A plain word is a name before it is a folder: "./nano" is the folder. Raises ModelError
    where it is neither.
    """
    folder = Path(model)
    if isinstance(model, str) and (model in names() or _is_unknown_word(model)):
        return named(model)
    return folder / "model" if (folder / "model").is_dir() else folder


def _is_unknown_word(model: str) -> bool:
    return Path(model).name == model and not Path(model).exists()


def _what_there_is() -> str:
    known = ", ".join(names())
    return f"those that ship are {known}" if known else "none ships with this version"
