"""The kinds of input, and how the time of a campaign is shared among them."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from tests.conftest import SHARED
from tests.fuzz.oracles import Case


class Kind(Protocol):
    """Makes an input of one kind, and gives it to commands."""

    @property
    def total(self) -> int | None:
        """The number of different cases; None if there is no end to them."""

    def __call__(self, case: Case, /) -> None:
        """Run one case; raises any error where it does not end as it must."""


#: The class of each kind, and its share of the time. A class is given an empty folder for seeds.
KINDS: dict[str, tuple[str, int]] = {
    "cells": ("tests.fuzz.pictures.Cells", 4),
    "fields": ("tests.fuzz.pictures.Fields", 4),
    "real cells": ("tests.fuzz.pictures.RealCells", 1),
    "real fields": ("tests.fuzz.pictures.RealFields", 1),
    "zips": ("tests.fuzz.zips.Zips", 2),
    "folders": ("tests.fuzz.folders.Folders", 2),
    "tables": ("tests.fuzz.folders.Tables", 1),
    "records": ("tests.fuzz.records.Records", 1),
    "models": ("tests.fuzz.models.Models", 3),
    "states": ("tests.fuzz.states.States", 4),
    "worklists": ("tests.fuzz.worklists.Worklists", 1),
    "kills": ("tests.fuzz.kills.Kills", 4),
}


def make_kind(path: str, folder: Path) -> Kind:
    """Import the class at a path of `KINDS`, so that a process imports only what it needs."""
    module, _, name = path.rpartition(".")
    return cast(Kind, getattr(import_module(module), name)(folder))


def available() -> list[str]:
    """Return the kinds whose seeds are there: the real ones are not part of the project."""
    real = (SHARED / "cell_images_dev.zip").exists()
    return [kind for kind in KINDS if real or not kind.startswith("real")]
