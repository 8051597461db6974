"""Options that several verbs of the command line share."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from hemozoin.data.options import CellOptions
from hemozoin.decision.threshold import OperatingPoint
from hemozoin.errors import HemozoinError
from hemozoin.metrics.classification import PREVALENCE
from hemozoin.training.initial_weights import InitialWeights
from hemozoin.training.recipe import PRESETS, Preset, Recipe


@dataclass(frozen=True)
class RecipeOptions:
    """A preset, and what is to be different from it."""

    preset: Annotated[Preset, Parameter(name=["--preset", "--recipe"])] = "default"
    """default: minutes; best: half an hour at most; paper: as Howard et al. trained."""
    alpha: float | None = None
    """Width multiplier, above 0."""
    size: int | None = None
    """Input size in pixels, from 32."""
    epochs: int | None = None
    """Times that each cell is seen."""
    batch: int | None = None
    """Cells per step."""
    learning_rate: float | None = None
    """Highest learning rate."""
    seed: int = 0
    """Decides split, first weights, order and augmentation."""
    init: Path | None = None
    """Weights to start from, and their α: a network of ours, or a file of Keras or timm."""

    def recipe(self) -> Recipe:
        """Return the preset with the changes; raises HemozoinError where one can't be."""
        changes = {name: value for name, value in asdict(self).items() if value is not None}
        if self.init:
            first = InitialWeights.find(self.init)
            theirs = {"alpha": first.architecture.alpha, "body": first.architecture.body}
            changes = theirs | changes | {"init": first}
        return replace(PRESETS[changes.pop("preset")], **changes)


@dataclass(frozen=True)
class DecisionOptions:
    """What the threshold is chosen for, and where predictive values are given."""

    sensitivity: float | None = None
    """Least sensitivity (0..1) on the validation patients; balanced without an aim."""
    specificity: float | None = None
    """Least specificity (0..1) on the validation patients, instead."""
    prevalence: float = PREVALENCE
    """Share of parasitized cells (0..1) at which PPV and NPV are given."""

    def operating_point(self) -> OperatingPoint:
        """Return the aim; raises HemozoinError where both are given, or one is no share."""
        if self.sensitivity is not None and self.specificity is not None:
            raise HemozoinError("give --sensitivity or --specificity, not both")
        if self.sensitivity is not None:
            return OperatingPoint("sensitivity", self.sensitivity)
        if self.specificity is not None:
            return OperatingPoint("specificity", self.specificity)
        return OperatingPoint()


#: Which processor trains.
Device = Literal["auto", "cpu", "cuda", "mps"]

Cells = Annotated[CellOptions, Parameter(name="*", group=Group("What the names mean"))]
Learning = Annotated[RecipeOptions, Parameter(name="*", group=Group("How to learn"))]
Deciding = Annotated[DecisionOptions, Parameter(name="*", group=Group("How to decide"))]
