"""MobileNet V1 as data: Table 1 of arXiv 1704.04861, line by line, and what is made of it.

Nothing here computes with pixels. `layers` turns the table, a width multiplier α and an input
size into a list of layers with their shapes; `network.py` builds that list with torch and
`cost.py` counts it, so the network that runs and the numbers of the paper can't drift apart.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, NamedTuple, get_args

from hemozoin.errors import HemozoinError

LayerKind = Literal["conv", "depthwise", "pointwise", "pool", "linear"]
Activation = Literal["relu", "relu6"]
Padding = Literal["symmetric", "same"]
Body = Literal["separable", "full", "shallow"]

#: Five layers halve the picture: from 32 px on, the last map is a single pixel.
SMALLEST_SIZE = 32


class LayerSpec(NamedTuple):
    """One line of Table 1: type, stride, filter shape and (height, width, channels) going in."""

    kind: LayerKind
    stride: int
    filter: tuple[int, ...]
    input: tuple[int, int, int]


# fmt: off
#: Table 1 at α = 1 and 224 px. Batch norm and ReLU follow every line but the last two. The
#: closing softmax is left out: it has no weights, and losses want the logits.
TABLE_1: tuple[LayerSpec, ...] = (
    LayerSpec("conv",          2, (3, 3, 3, 32),      (224, 224, 3)),
    LayerSpec("depthwise",     1, (3, 3, 32),         (112, 112, 32)),
    LayerSpec("pointwise",     1, (1, 1, 32, 64),     (112, 112, 32)),
    LayerSpec("depthwise",     2, (3, 3, 64),         (112, 112, 64)),
    LayerSpec("pointwise",     1, (1, 1, 64, 128),    (56, 56, 64)),
    LayerSpec("depthwise",     1, (3, 3, 128),        (56, 56, 128)),
    LayerSpec("pointwise",     1, (1, 1, 128, 128),   (56, 56, 128)),
    LayerSpec("depthwise",     2, (3, 3, 128),        (56, 56, 128)),
    LayerSpec("pointwise",     1, (1, 1, 128, 256),   (28, 28, 128)),
    LayerSpec("depthwise",     1, (3, 3, 256),        (28, 28, 256)),
    LayerSpec("pointwise",     1, (1, 1, 256, 256),   (28, 28, 256)),
    LayerSpec("depthwise",     2, (3, 3, 256),        (28, 28, 256)),
    LayerSpec("pointwise",     1, (1, 1, 256, 512),   (14, 14, 256)),
    *5 * (
        LayerSpec("depthwise", 1, (3, 3, 512),        (14, 14, 512)),
        LayerSpec("pointwise", 1, (1, 1, 512, 512),   (14, 14, 512)),
    ),
    LayerSpec("depthwise",     2, (3, 3, 512),        (14, 14, 512)),
    LayerSpec("pointwise",     1, (1, 1, 512, 1024),  (7, 7, 512)),
    # The paper prints "s2" here. It must be s1: the next line still goes in at 7 × 7.
    LayerSpec("depthwise",     1, (3, 3, 1024),       (7, 7, 1024)),
    LayerSpec("pointwise",     1, (1, 1, 1024, 1024), (7, 7, 1024)),
    LayerSpec("pool",          1, (7, 7),             (7, 7, 1024)),
    LayerSpec("linear",        1, (1024, 1000),       (1, 1, 1024)),
)
# fmt: on


@dataclass(frozen=True)
class Architecture:
    """Which MobileNet. The defaults are the paper's, with PyTorch's padding and epsilon.

    TF-slim and Keras: `activation="relu6", padding="same", bn_epsilon=1e-3` (Keras for sizes
    that 32 divides; at others it pads an odd map differently from TF-slim).

    Raises HemozoinError where a value isn't allowed.
    """

    #: Width multiplier α, above 0 (section 3.3; the paper's are 1, .75, .5 and .25).
    alpha: float = 1.0
    #: Number of logits, at least 1.
    classes: int = 1000
    #: "relu" as in the paper, or "relu6" as in Google's released weights.
    activation: Activation = "relu"
    #: Where a stride-2 layer pads an even size: "symmetric" one pixel on all sides (timm), or
    #: "same" as TensorFlow does, right and bottom only. Shapes are equal either way.
    padding: Padding = "symmetric"
    #: Added to the variance in batch norm, above 0.
    bn_epsilon: float = 1e-5
    #: "separable" (Table 1), "full" convolutions in place of the separable ones (Table 4), or
    #: "shallow", without the five 14 × 14 × 512 layers (Table 5).
    body: Body = "separable"

    def __post_init__(self) -> None:
        """Refuse what no MobileNet can be."""
        _positive("alpha", self.alpha)
        _positive("bn_epsilon", self.bn_epsilon)
        if not _is_int(self.classes) or self.classes < 1:
            raise HemozoinError(f"classes is {self.classes!r}; give a whole number from 1 up")
        _one_of("activation", self.activation, get_args(Activation))
        _one_of("padding", self.padding, get_args(Padding))
        _one_of("body", self.body, get_args(Body))

    def width(self, channels: int) -> int:
        """Thin `channels` by α: α · channels rounded down (as Keras does), but at least 1.

        The paper doesn't say how it rounds; its own four α leave nothing to round.
        """
        return max(1, int(self.alpha * channels))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Architecture:
        """Read back what `to_dict` gave.

        Raises HemozoinError where a field is missing, unknown or has a value not allowed.
        """
        known = {field.name for field in fields(cls)}
        if wrong := sorted(known ^ set(values)):
            raise HemozoinError(
                f"architecture: missing or unknown {', '.join(wrong)}; "
                f"give exactly {', '.join(sorted(known))}"
            )
        return cls(**values)


@dataclass(frozen=True)
class Layer:
    """One layer with its shapes: [channels_in, size_in, size_in] to [channels_out, size_out, …]."""

    name: str
    kind: LayerKind
    kernel: int
    stride: int
    channels_in: int
    channels_out: int
    size_in: int
    size_out: int


def layers(architecture: Architecture, size: int) -> tuple[Layer, ...]:
    """List every layer for square RGB pictures of `size` px, in the order they are run.

    `size` is the paper's 224 · ρ (section 3.4: 224, 192, 160, 128), or any other from 32 up.
    The last two layers are the average pool over the whole map and the classifier.

    Raises HemozoinError where `size` is smaller than 32 or not a whole number.
    """
    if not _is_int(size) or size < SMALLEST_SIZE:
        raise HemozoinError(
            f"input size is {size!r}; give a whole number of pixels from {SMALLEST_SIZE} up "
            "(the paper's are 224, 192, 160 and 128)"
        )
    made: list[Layer] = []
    count: Counter[str] = Counter()
    channels = 3
    for row in _convolutions(architecture.body):
        count[row.kind] += 1
        name = f"{row.kind}{count[row.kind]}"
        wide, small = architecture.width(row.filter[-1]), math.ceil(size / row.stride)
        made.append(Layer(name, row.kind, row.filter[0], row.stride, channels, wide, size, small))
        channels, size = wide, small
    pool = Layer("pool", "pool", size, 1, channels, channels, size, 1)
    linear = Layer("linear", "linear", 1, 1, channels, architecture.classes, 1, 1)
    return (*made, pool, linear)


def _convolutions(body: Body) -> tuple[LayerSpec, ...]:
    """Table 1 without pool and classifier, changed as Table 4 or Table 5 describes."""
    first, *separable = TABLE_1[:-2]
    if body == "full":
        pairs = zip(separable[::2], separable[1::2], strict=True)
        separable = [
            LayerSpec("conv", depthwise.stride, (3, 3, *pointwise.filter[2:]), depthwise.input)
            for depthwise, pointwise in pairs
        ]
    if body == "shallow":
        separable = [row for row in separable if (row.stride, row.input) != (1, (14, 14, 512))]
    return (first, *separable)


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _positive(name: str, value: float) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < value < math.inf:
        raise HemozoinError(f"{name} is {value!r}; give a finite number above 0")


def _one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise HemozoinError(f"{name} is {value!r}; give one of {', '.join(allowed)}")
