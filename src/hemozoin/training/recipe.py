"""How a network is trained: every number that decides what is learned, in one place."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints

from hemozoin.errors import HemozoinError
from hemozoin.mobilenet.architecture import Architecture, Body, layers
from hemozoin.model.transform import InputTransform
from hemozoin.training.initial_weights import InitialWeights

Preset = Literal["default", "best", "paper"]

#: The smallest values. Batch norm needs a few cells to a batch, also in the last, short one.
_LEAST = {"epochs": 1, "batch": 4, "seed": 0, "weight_decay": 0}


@dataclass(frozen=True)
class Recipe:
    """The default recipe; where a number is not the paper's, `benchmarks/` shows why."""

    alpha: float = 0.25
    """Width multiplier, above 0 (paper, section 3.3)."""
    body: Body = "separable"
    """separable convolutions, full ones (paper, Table 4), or fewer layers: shallow (Table 5)."""
    size: int = 64
    """Input size in pixels, 32 or more (paper, section 3.4, where 224 is full size)."""
    epochs: int = 8
    """Times that each training cell is seen."""
    batch: int = 128
    """Cells per step, over all processes."""
    seed: int = 0
    """Decides split, first weights, order and augmentation."""
    view: InputTransform = "density"
    """What the network sees: optical density relative to the cell's own, or plain RGB."""
    optimizer: Literal["adamw", "rmsprop"] = "adamw"
    """RMSprop is the paper's (section 3.2)."""
    learning_rate: float = 6e-3
    """Highest learning rate; it rises over the first steps and falls along a half cosine."""
    weight_decay: float = 0.05
    """Never on depthwise filters: they have so few weights (paper, section 3.2)."""
    augmentation: Literal["full", "little"] = "full"
    """full: any rotation, focus, stain, light, neighbours; the paper used little (section 3.2)."""
    orientations: int = 4
    """Quarter turns of a cell, 1 to 4, that the finished network averages over."""
    init: InitialWeights | None = None
    """Weights to start from instead of fresh ones; their network's architecture comes with them."""

    def __post_init__(self) -> None:
        """Refuse what can't be trained."""
        if self.init and self.init.architecture.alpha != self.alpha:
            found = f"{self.init.path} has {self.init.architecture.alpha:g}"
            raise HemozoinError(f"alpha is {self.alpha:g}, but {found}; leave --alpha out")
        if self.init and self.init.architecture.body != self.body:
            found = f"{self.init.path} has {self.init.architecture.body!r}"
            raise HemozoinError(f"body is {self.body!r}, but {found}; give the same")
        layers(self.architecture(), self.size)
        for name, kind in get_type_hints(Recipe).items():
            _require_kind(name, getattr(self, name), kind)
        for name, least in _LEAST.items():
            if not least <= getattr(self, name) < math.inf:
                raise HemozoinError(f"{name} is {getattr(self, name)}; give {least} or more")
        if not 0 < self.learning_rate < math.inf:
            raise HemozoinError(f"learning_rate is {self.learning_rate}; give one above 0")
        if self.orientations not in range(1, 5):
            raise HemozoinError(f"orientations is {self.orientations}; give 1 to 4")

    def architecture(self) -> Architecture:
        """Return the network that this recipe trains."""
        if self.init:
            return replace(self.init.architecture, classes=2)
        return Architecture(alpha=self.alpha, classes=2, body=self.body)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, ready for JSON."""
        return asdict(self) | {"init": self.init.to_dict() if self.init else None}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Recipe:
        """Read back what `to_dict` gave; raises HemozoinError for unknown fields."""
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            raise HemozoinError(f"recipe: unknown {', '.join(sorted(unknown))}")
        init = values.get("init")
        return cls(**{**values, "init": InitialWeights.from_dict(init) if init else None})


def _require_kind(name: str, value: object, kind: object) -> None:
    """Refuse a word that is not one of a field's, and a fraction where it is counted."""
    allowed = get_args(kind)
    if get_origin(kind) is Literal and value not in allowed:
        raise HemozoinError(f"{name} is {value!r}; give {' or '.join(allowed)}")
    if kind is int and type(value) is not int:
        raise HemozoinError(f"{name} is {value!r}; give a whole number")


PRESETS: dict[Preset, Recipe] = {
    "default": Recipe(),
    "best": Recipe(epochs=24),
    "paper": Recipe(view="rgb", optimizer="rmsprop", learning_rate=0.02, augmentation="little"),
}
