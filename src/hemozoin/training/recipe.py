"""The recipe: every number that decides what a network learns, in one place."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints

from hemozoin.errors import HemozoinError, require_number, require_whole_number
from hemozoin.mobilenet.architecture import SMALLEST_SIZE, Architecture, Body, layers
from hemozoin.model.checks.limits import require_practical
from hemozoin.model.transform import InputTransform
from hemozoin.training.initial_weights import InitialWeights

#: Smallest and largest whole numbers that are allowed. Batch norm needs a few cells in every batch,
#: also in the last one.
_RANGES = {
    "epochs": (1, 10_000),
    "fewest_steps": (0, 1_000_000),
    "batch": (4, 65_536),
    "seed": (0, 2**32 - 1),
    "orientations": (1, 4),
    "teachers": (0, 16),
}

#: `fewest_steps` gives no more epochs than these: more were not measured (benchmarks/few_cells.py).
_MOST_FOR_FEW_CELLS = 48

#: Keys in config.json that differ from the field's name; files of earlier versions have them too.
_KEYS = {"input_transform": "view"}


@dataclass(frozen=True)
class Recipe:
    """How to train a network; `benchmarks/` shows why some defaults differ from the paper's."""

    alpha: float = 0.25
    """Width multiplier, above 0, at most 4 (paper, section 3.3)."""
    body: Body = "separable"
    """separable: depthwise separable convolutions; full: full convolutions (paper, Table 4);
    shallow: separable with fewer layers (Table 5)."""
    size: int = 64
    """Input size in pixels, 32 to 1024 (paper, section 3.4; 224 is the full size there)."""
    epochs: int = 6
    """Number of passes over the training cells, 1 to 10,000; more where `fewest_steps` say so."""
    fewest_steps: int = 0
    """Few cells are passed over so often that there are so many steps, 0 to 1,000,000, but at most
    48 times."""
    batch: int = 128
    """Cells per step, summed over all processes, 4 to 65,536."""
    seed: int = 0
    """Seed of split, initial weights, order of the cells and augmentation, 0 to 4,294,967,295."""
    input_transform: InputTransform = "density"
    """What the network is given: density (optical density relative to the cell's own) or rgb."""
    optimizer: Literal["adamw", "rmsprop"] = "adamw"
    """RMSprop is the paper's (section 3.2)."""
    learning_rate: float = 0.02
    """Highest learning rate, above 0, at most 10; it rises linearly over the first steps, then
    falls along a half cosine."""
    weight_decay: float = 0.05
    """Weight decay, 0 to 10; none on depthwise filters, which have few weights (paper, section
    3.2)."""
    progressive: bool = True
    """Train at three quarters of the input size until the last fifth of the epochs (progressive
    resizing: Tan & Le 2021, arXiv 2104.00298, section 4). Only with full augmentation, which
    resamples the cells anyway."""
    augmentation: Literal["full", "little"] = "full"
    """full: any rotation, focus, stain, illumination, neighbours; little: mirroring only, as in
    the paper (section 3.2)."""
    teachers: int = 0
    """Networks of the default recipe that are trained first, 0 to 16; this one then learns their
    mean for each augmented cell instead of its label (see `distillation`)."""
    orientations: int = 4
    """Rotations by 90° (1 to 4, one of them by 0°) that the finished network averages over."""
    balance: bool = False
    """Weight the loss by inverse class frequency (scikit-learn's "balanced"). The probabilities
    stay those of the training data: the weights are taken out again after training."""
    init: InitialWeights | None = None
    """Weights to start from instead of random ones; they bring their network's architecture."""
    freeze_batch_norm: bool = False
    """Normalize with the statistics of the network in `init`, as in use, not with those of the
    batch: batches of another microscope, or with few cells of one class, have others."""

    def __post_init__(self) -> None:
        """Raise HemozoinError for values that can't be trained with."""
        if self.init and self.init.architecture.alpha != self.alpha:
            found = f"{self.init.path} has {self.init.architecture.alpha:g}"
            raise HemozoinError(f"alpha is {self.alpha:g}, but {found}; leave --alpha out")
        if self.init and self.init.architecture.body != self.body:
            found = f"{self.init.path} has {self.init.architecture.body!r}"
            raise HemozoinError(f"body is {self.body!r}, but {found}; give the same")
        layers(self.architecture(), self.size)
        for name, kind in get_type_hints(Recipe).items():
            _require_word(name, getattr(self, name), kind)
        for name, allowed in _RANGES.items():
            require_whole_number(name, getattr(self, name), *allowed)
        require_number("learning_rate", self.learning_rate, 0, 10, above=True)
        require_number("weight_decay", self.weight_decay, 0, 10)
        require_practical(self.architecture(), self.size, self.orientations)

    def architecture(self) -> Architecture:
        """Return the network that this recipe trains."""
        if self.init:
            return replace(self.init.architecture, classes=2)
        return Architecture(alpha=self.alpha, classes=2, body=self.body)

    def for_cells(self, count: int) -> Recipe:
        """Return the recipe with the number of epochs for `count` training cells (1 or more)."""
        needed = math.ceil(self.fewest_steps / math.ceil(count / self.batch))
        return replace(self, epochs=max(self.epochs, min(needed, _MOST_FOR_FEW_CELLS)))

    def of_teacher(self, number: int) -> Recipe:
        """Return the recipe of a teacher, counted from 1: the default one, for the same network."""
        default = PRESETS["default"]
        return replace(
            self,
            teachers=0,
            seed=(self.seed + number) % 2**32,
            epochs=min(self.epochs, default.epochs),
            optimizer=default.optimizer,
            learning_rate=default.learning_rate,
            progressive=default.progressive,
        )

    def size_in(self, epoch: int) -> int:
        """Return the input size in an epoch, counted from 0; `size` in the last one."""
        is_last_fifth = 5 * (epoch + 1) > 4 * self.epochs
        if not self.progressive or self.augmentation == "little" or is_last_fifth:
            return self.size
        return max(SMALLEST_SIZE, round(self.size * 3 / 4))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, ready for JSON."""
        values: dict[str, Any] = asdict(self)
        values["init"] = self.init.to_dict() if self.init else None
        return {_KEYS.get(name, name): value for name, value in values.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Recipe:
        """Return the recipe that `to_dict` wrote; raises HemozoinError for unknown fields."""
        names = {_KEYS.get(field.name, field.name): field.name for field in fields(cls)}
        unknown = set(values) - set(names)
        if unknown:
            raise HemozoinError(f"recipe: unknown {', '.join(sorted(unknown))}")
        # Earlier versions wrote no such key: all their epochs were at the full size.
        given = {"progressive": False} | {names[key]: value for key, value in values.items()}
        init = values.get("init")
        return cls(**{**given, "init": None if init is None else InitialWeights.from_dict(init)})


def _require_word(name: str, value: object, kind: object) -> None:
    """Raise HemozoinError for a word that a field does not allow."""
    allowed = get_args(kind)
    if get_origin(kind) is Literal and value not in allowed:
        raise HemozoinError(f"{name} is {value!r}; give {' or '.join(allowed)}")


PRESETS: dict[str, Recipe] = {
    "default": Recipe(fewest_steps=300),
    "best": Recipe(epochs=60, fewest_steps=300, learning_rate=0.01, teachers=4),
    "paper": Recipe(
        epochs=8,
        input_transform="rgb",
        optimizer="rmsprop",
        learning_rate=0.02,
        augmentation="little",
    ),
}
