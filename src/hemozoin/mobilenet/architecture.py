"""MobileNet V1 as data: Table 1 of arXiv 1704.04861, and the list of layers that follows from it.

Nothing here computes with pixels. `layers` turns the table, a width multiplier α and an input
size into a list of layers with their shapes. `network.py` builds that list with torch and
`cost.py` counts it, so the network and the paper's numbers always have the same source.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, NamedTuple, get_args

from hemozoin.errors import HemozoinError, require_number, require_whole_number

LayerKind = Literal["conv", "depthwise", "pointwise", "pool", "linear"]
Activation = Literal["relu", "relu6"]
Padding = Literal["symmetric", "same"]
Body = Literal["separable", "full", "shallow"]

#: The largest width multiplier; the paper's is 1.
LARGEST_ALPHA = 4.0

#: Smallest and largest input size in pixels. Five layers halve the picture, so 32 px leave a 1 × 1
#: map; the paper's largest is 224.
SMALLEST_SIZE, LARGEST_SIZE = 32, 1024

#: Most classes; ImageNet's largest data set has 22,000.
_MOST_CLASSES = 100_000


class LayerSpec(NamedTuple):
    """One line of Table 1: type, stride, filter shape and input shape (height, width, channels)."""

    kind: LayerKind
    stride: int
    filter_shape: tuple[int, ...]
    input_shape: tuple[int, int, int]


# fmt: off
#: Table 1 at α = 1 and 224 px. Batch norm and ReLU follow every line except the last two. The
#: final softmax is left out: it has no weights, and the loss functions take logits.
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
    # The paper prints "s2" here. It must be s1: the input of the next line is still 7 × 7.
    LayerSpec("depthwise",     1, (3, 3, 1024),       (7, 7, 1024)),
    LayerSpec("pointwise",     1, (1, 1, 1024, 1024), (7, 7, 1024)),
    LayerSpec("pool",          1, (7, 7),             (7, 7, 1024)),
    LayerSpec("linear",        1, (1024, 1000),       (1, 1, 1024)),
)
# fmt: on


@dataclass(frozen=True)
class Architecture:
    """The variant of MobileNet. The defaults are the paper's, with PyTorch's padding and epsilon.

    TF-slim and Keras use `activation="relu6", padding="same", bn_epsilon=1e-3`. (Keras equals
    TF-slim only at input sizes that are multiples of 32; it pads odd maps differently.)

    Raises HemozoinError where a value isn't allowed.
    """

    #: Width multiplier α, above 0, at most 4 (section 3.3; the paper: 1, 0.75, 0.5, 0.25).
    alpha: float = 1.0
    #: Number of logits, 1 to 100,000.
    classes: int = 1000
    #: "relu" as in the paper, or "relu6" = min(max(0, x), 6) as in Google's released weights.
    activation: Activation = "relu"
    #: How a stride-2 layer pads a map of even size: "symmetric", one pixel on all sides (timm),
    #: or "same", right and bottom only (TensorFlow). The output shape is the same.
    padding: Padding = "symmetric"
    #: Added to the variance in batch norm, above 0, at most 1.
    bn_epsilon: float = 1e-5
    #: "separable" (Table 1); "full", with full convolutions instead of the separable ones
    #: (Table 4); or "shallow", without the five 14 × 14 × 512 layers (Table 5).
    body: Body = "separable"

    def __post_init__(self) -> None:
        """Raise HemozoinError where a value isn't allowed."""
        require_number("alpha", self.alpha, 0, LARGEST_ALPHA, above=True)
        require_number("bn_epsilon", self.bn_epsilon, 0, 1, above=True)
        require_whole_number("classes", self.classes, 1, _MOST_CLASSES)
        _one_of("activation", self.activation, get_args(Activation))
        _one_of("padding", self.padding, get_args(Padding))
        _one_of("body", self.body, get_args(Body))

    def width(self, channels: int) -> int:
        """Return α · `channels` rounded down (as Keras does), at least 1.

        The paper doesn't say how it rounds; its own four values of α need no rounding.
        """
        return max(1, int(self.alpha * channels))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Architecture:
        """Return the architecture that `to_dict` described.

        Raises HemozoinError where a field is missing or unknown, or a value isn't allowed.
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
    """One layer; it turns [channels_in, size_in, size_in] into [channels_out, size_out, size_out].

    Sizes and strides are in pixels.
    """

    name: str
    kind: LayerKind
    kernel: int
    stride: int
    channels_in: int
    channels_out: int
    size_in: int
    size_out: int

    @property
    def gets_zeros(self) -> bool:
        """Whether its map is padded with zeros in memory while it trains (`DepthwiseConv2d`)."""
        return self.kind == "depthwise" and is_small(self.size_in, self.stride)


def is_small(size: int, stride: int) -> bool:
    """Return whether a map of `size` px has a single place or two for a 3 × 3 filter."""
    return size < 2 + stride


def layers(architecture: Architecture, size: int) -> tuple[Layer, ...]:
    """Return every layer for square RGB pictures of `size` px, in the order in which they run.

    `size` is the paper's 224 · ρ (section 3.4: 224, 192, 160, 128), or any other from 32 to 1024.
    The last two layers are the average pool over the whole map and the classifier.

    Raises HemozoinError for another size.
    """
    require_whole_number("size", size, SMALLEST_SIZE, LARGEST_SIZE)
    convolutions: list[Layer] = []
    count: Counter[str] = Counter()
    channels = 3
    for spec in _convolutions(architecture.body):
        count[spec.kind] += 1
        name = f"{spec.kind}{count[spec.kind]}"
        kernel, out = spec.filter_shape[0], architecture.width(spec.filter_shape[-1])
        size_out = math.ceil(size / spec.stride)
        layer = Layer(name, spec.kind, kernel, spec.stride, channels, out, size, size_out)
        convolutions.append(layer)
        channels, size = out, size_out
    pool = Layer("pool", "pool", size, 1, channels, channels, size, 1)
    linear = Layer("linear", "linear", 1, 1, channels, architecture.classes, 1, 1)
    return (*convolutions, pool, linear)


def _convolutions(body: Body) -> tuple[LayerSpec, ...]:
    """Return Table 1 without pool and classifier, changed for Table 4 ("full") or 5 ("shallow")."""
    first, *separable = TABLE_1[:-2]
    if body == "full":
        pairs = zip(separable[::2], separable[1::2], strict=True)
        separable = [
            LayerSpec(
                "conv",
                depthwise.stride,
                (3, 3, *pointwise.filter_shape[2:]),
                depthwise.input_shape,
            )
            for depthwise, pointwise in pairs
        ]
    if body == "shallow":
        left_out = (1, (14, 14, 512))
        separable = [spec for spec in separable if (spec.stride, spec.input_shape) != left_out]
    return (first, *separable)


def _one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise HemozoinError(f"{name} is {value!r}; give one of {', '.join(allowed)}")
