"""How a network is trained: every number that decides what is learned, in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from hemozoin.errors import HemozoinError
from hemozoin.model.bundle import View
from hemozoin.paper.mobilenet import Architecture, layers

Preset = Literal["default", "best", "paper"]


@dataclass(frozen=True)
class Recipe:
    """The default recipe; where a number is not the paper's, `benchmarks/` shows why."""

    alpha: float = 0.25
    """Width multiplier, above 0 (paper, section 3.3)."""
    size: int = 64
    """Input size in pixels, 32 or more (paper, section 3.4, where 224 is full size)."""
    epochs: int = 12
    """Times that each training cell is seen."""
    batch: int = 128
    """Cells per step, over all processes."""
    seed: int = 0
    """Decides split, first weights, order and augmentation."""
    view: View = "density"
    """What the network sees: optical density relative to the cell's own, or plain RGB."""
    optimizer: Literal["adamw", "rmsprop"] = "adamw"
    """RMSprop is the paper's (section 3.2)."""
    learning_rate: float = 6e-3
    """Highest learning rate; it rises over the first steps and falls along a half cosine."""
    weight_decay: float = 0.05
    """Never on depthwise filters: they have so few weights (paper, section 3.2)."""
    augmentation: Literal["full", "little"] = "full"
    """Any rotation, flips, scale, shift and stain; the paper used little for small networks."""
    orientations: int = 4
    """Quarter turns of a cell, 1 to 4, that the finished network averages over."""

    def __post_init__(self) -> None:
        """Refuse what can't be trained."""
        layers(self.architecture(), self.size)
        for name in ("epochs", "batch", "learning_rate"):
            if not getattr(self, name) > 0:
                raise HemozoinError(f"{name} is {getattr(self, name)}; give a number above 0")
        if self.orientations not in range(1, 5):
            raise HemozoinError(f"orientations is {self.orientations}; give 1 to 4")

    def architecture(self) -> Architecture:
        """Return the network that this recipe trains."""
        return Architecture(alpha=self.alpha, classes=2)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Recipe:
        """Read back what `to_dict` gave; raises HemozoinError for unknown fields."""
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            raise HemozoinError(f"recipe: unknown {', '.join(sorted(unknown))}")
        return cls(**values)


PRESETS: dict[Preset, Recipe] = {
    "default": Recipe(),
    "best": Recipe(epochs=30),
    "paper": Recipe(view="rgb", optimizer="rmsprop", learning_rate=0.02, augmentation="little"),
}
