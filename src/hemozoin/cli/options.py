"""Options that several verbs of the command line share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Group, Parameter, Token

from hemozoin.classes import PREVALENCE
from hemozoin.data.options import CellOptions
from hemozoin.errors import HemozoinError

if TYPE_CHECKING:
    from hemozoin.decision.threshold import OperatingPoint
    from hemozoin.training.recipe import Recipe

#: The presets of `training.recipe`, which takes long to import.
Preset = Literal["default", "best", "paper"]


def _whole_number(_: object, tokens: Sequence[Token]) -> int:
    """Return a whole number; raises ValueError for others: 2.7, which cyclopts would round."""
    try:
        return int(tokens[0].value)
    except ValueError as error:
        raise ValueError(f"{tokens[0].value!r:.40} is not a whole number") from error


#: A whole number on the command line.
WholeNumber = Annotated[int, Parameter(converter=_whole_number)]
_OptionalWholeNumber = Annotated[int | None, Parameter(converter=_whole_number)]


@dataclass(frozen=True)
class RecipeOptions:
    """A preset, and changes to it."""

    preset: Annotated[Preset, Parameter(name=["--preset", "--recipe"])] = "default"
    """default: a minute or two; best: ten minutes, a network that learns from four others; paper:
    as Howard et al. trained."""
    alpha: float | None = None
    """Width multiplier, above 0, at most 4."""
    size: _OptionalWholeNumber = None
    """Input size in pixels, 32 to 1024."""
    epochs: _OptionalWholeNumber = None
    """Number of passes over the training cells, 1 to 10,000. The default preset has 6, and more for
    few cells: as many as give 300 steps, at most 48."""
    batch: _OptionalWholeNumber = None
    """Cells per step, 4 to 65,536."""
    learning_rate: float | None = None
    """Highest learning rate, above 0, at most 10."""
    orientations: _OptionalWholeNumber = None
    """Rotations by 90° that the finished network averages over, 1 to 4: each takes the work of one
    network. The presets have 4."""
    seed: WholeNumber = 0
    """Seed of split, initial weights, order of the cells and augmentation, from 0."""
    balance: bool = False
    """Weight the loss by inverse class frequency, for data with few cells of one class. The
    probabilities stay those of the training data."""
    init: Path | None = None
    """Weights (and α) to start from: a pretrained network, a run, or a file of Keras or timm."""

    def recipe(self) -> Recipe:
        """Return the preset with the changes; raises HemozoinError for a value not allowed."""
        from hemozoin.training.initial_weights import InitialWeights
        from hemozoin.training.recipe import PRESETS

        changes = {name: value for name, value in asdict(self).items() if value is not None}
        if self.epochs is not None:
            changes["fewest_steps"] = 0
        if self.init:
            init = InitialWeights.find(self.init)
            changes = init.recipe() | changes | {"init": init}
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
        from hemozoin.decision.threshold import OperatingPoint

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
