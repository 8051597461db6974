"""RunConfig: everything that decides a run, written to RUN/config.json."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from hemozoin.classes import PREVALENCE
from hemozoin.data.options import CellOptions, OnCorrection, saved_path
from hemozoin.decision.threshold import OperatingPoint
from hemozoin.errors import HemozoinError, RunError
from hemozoin.json_files import wrong_fields
from hemozoin.metrics.classification import require_prevalence
from hemozoin.training.recipe import PRESETS, Recipe


@dataclass(frozen=True)
class RunConfig:
    """One run: the cells, how they are split, the recipe and the operating point.

    `split` is a split.csv that assigns the cells to training, validation and test; None splits
    the patients at random, seeded by `recipe.seed`. The cells of `extra` are trained on, never
    validated or tested on. `prevalence` (0..1) is the share of
    parasitized cells at which PPV and NPV are given.
    """

    data: Path
    cells: CellOptions = field(default_factory=CellOptions)
    recipe: Recipe = PRESETS["default"]
    split: Path | None = None
    extra: Path | None = None
    on_correction: OnCorrection = "relabel"
    operating_point: OperatingPoint = field(default_factory=OperatingPoint)
    prevalence: float = PREVALENCE

    def __post_init__(self) -> None:
        """Raise RunError for a prevalence or a rule for corrections that is not allowed."""
        require_prevalence(self.prevalence)
        if self.on_correction not in get_args(OnCorrection):
            choices = " or ".join(get_args(OnCorrection))
            raise RunError(f"on_correction is {self.on_correction!r}; give {choices}")

    def for_cells(self, count: int) -> RunConfig:
        """Return the config with the number of epochs for `count` training cells."""
        return replace(self, recipe=self.recipe.for_cells(count))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, paths made absolute, ready for JSON."""
        return {
            "data": str(self.data.resolve()),
            "cells": self.cells.to_dict(),
            "recipe": self.recipe.to_dict(),
            "split": str(self.split.resolve()) if self.split else None,
            "on_correction": self.on_correction,
            "aim": self.operating_point.to_dict(),
            "prevalence": self.prevalence,
            **({"extra": str(self.extra.resolve())} if self.extra else {}),
        }

    @classmethod
    def from_dict(cls, values: Any) -> RunConfig:
        """Return the config that `to_dict` wrote; raises RunError for any other values."""
        try:
            config = cls(
                data=saved_path(values["data"]),
                cells=CellOptions.from_dict(values["cells"]),
                recipe=Recipe.from_dict(values["recipe"]),
                split=None if values["split"] is None else saved_path(values["split"]),
                extra=saved_path(values["extra"]) if "extra" in values else None,
                on_correction=values["on_correction"],
                operating_point=OperatingPoint(**values["aim"]),
                prevalence=values["prevalence"],
            )
        except HemozoinError as error:
            raise RunError(str(error)) from error
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise RunError("not written by this version; start a new run") from error
        if wrong := next(wrong_fields(config), None):
            raise RunError(f"{wrong} has a value of a wrong type; start a new run")
        return config
