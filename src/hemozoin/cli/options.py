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
    """A preset, and changes to it."""

    preset: Annotated[Preset, Parameter(name=["--preset", "--recipe"])] = "default"
    """default: minutes; best: half an hour at most; paper: as Howard et al. trained."""
    alpha: float | None = None
    """Width multiplier, above 0."""
    size: int | None = None
    """Input size in pixels, 32 to 1024."""
    epochs: int | None = None
    """Number of passes over the training cells."""
    batch: int | None = None
    """DataGroup per step."""
    learning_rate: float | None = None
    """Highest learning rate."""
    seed: int = 0
    """Seed of split, initial weights, order of the cells and augmentation."""
    init: Path | None = None
    """Weights (and α) to start from: a network of hemozoin, or a file of Keras or timm."""

    def recipe(self) -> Recipe:
        """Return the preset with the changes; raises HemozoinError for a value not allowed."""
        changes = {name: value for name, value in asdict(self).items() if value is not None}
        if self.init:
            init = InitialWeights.find(self.init)
            given = {"alpha": init.architecture.alpha, "body": init.architecture.body}
            changes = given | changes | {"init": init}
        return replace(PRESETS[changes.pop("preset")], **changes)


@dataclass(frozen=True)
class DecisionOptions:
    """The operating point of the threshold, and the prevalence for predictive values."""

    sensitivity: float | None = None
    """Minimum sensitivity (0..1) on the validation patients; without it the threshold is
    balanced."""
    specificity: float | None = None
    """Minimum specificity (0..1) on the validation patients, in place of a sensitivity."""
    prevalence: float = PREVALENCE
    """Share of parasitized cells (0..1) at which PPV and NPV are given."""

    def operating_point(self) -> OperatingPoint:
        """Return the operating point.

        Raises HemozoinError where sensitivity and specificity are both given or not within 0..1.
        """
        if self.sensitivity is not None and self.specificity is not None:
            raise HemozoinError("give --sensitivity or --specificity, not both")
        if self.sensitivity is not None:
            return OperatingPoint("sensitivity", self.sensitivity)
        if self.specificity is not None:
            return OperatingPoint("specificity", self.specificity)
        return OperatingPoint()


#: The device to train on.
Device = Literal["auto", "cpu", "cuda", "mps"]

DataGroup = Annotated[CellOptions, Parameter(name="*", group=Group("Data options"))]
TrainingGroup = Annotated[RecipeOptions, Parameter(name="*", group=Group("Training options"))]
DecisionGroup = Annotated[DecisionOptions, Parameter(name="*", group=Group("Decision options"))]
