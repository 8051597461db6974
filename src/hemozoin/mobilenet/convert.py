"""Weights of other people's MobileNets: Keras' `MobileNet` and timm's `mobilenetv1_100`.

    file ── arrays by their names ── every name and shape checked ── our names, our axes

The networks are the same and give the same logits for the same pixels, once three habits are
kept: both libraries cut at 6 (ReLU6), Keras pads as TensorFlow does, and Keras adds 1e-3 to the
variance where torch adds 1e-5. Both were trained on RGB in -1..1: Keras' `preprocess_input`
divides by 127.5 and takes off 1, and timm's mean and deviation of .5 come to the same.

timm's `mobilenetv1_125` is read as well, being Table 1 at α = 1.25; `mobilenetv1_100h` has one
convolution more than the paper and is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hemozoin.arrays import Array, Floats, NamedArrays
from hemozoin.errors import ModelError
from hemozoin.mobilenet.architecture import SMALLEST_SIZE, Architecture, Layer, layers
from hemozoin.mobilenet.weight_files import read_arrays

#: Our names for what a batch norm holds (timm's as well), and Keras'.
_NORM = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}

#: timm's blocks by stage: between two stages the picture is halved.
_TIMM_STAGES = (1, 2, 2, 6, 2)


class _Part(NamedTuple):
    """One array: our name and shape, their name, and our axes in the order in which theirs lie."""

    ours: str
    shape: tuple[int, ...]
    theirs: str
    axes: tuple[int, ...]

    @property
    def their_shape(self) -> tuple[int, ...]:
        return tuple(self.shape[axis] for axis in self.axes)


class _Library(NamedTuple):
    """Whose network it is, what sets it apart, and where the two sizes can be seen."""

    title: str
    habits: Architecture
    parts: Callable[[Architecture], Iterator[_Part]]
    widest: str
    head: str


def read_third_party(path: Path) -> tuple[Architecture, NamedArrays]:
    """Read the weights that Keras or timm saved, for `MobileNet(architecture)`.

    `path` is a `.h5`, `.weights.h5` or `.keras` of `keras.applications.MobileNet`, any α, or a
    `.safetensors` of timm's `mobilenetv1_100` or `_125`. The arrays are float32, under the names
    of the state dict of `MobileNet`. Where the network was saved without its classifier
    (Keras' `include_top=False`, timm's `num_classes=0`) there is no `head.weight` and
    `head.bias`, and `classes` is the paper's 1000.

    Raises ModelError where the file is damaged or not such a network's, MissingExtraError where
    a file of Keras needs h5py, OSError where it can't be read.
    """
    library = _TIMM if path.suffix == ".safetensors" else _KERAS
    return _translate(path, read_arrays(path), library)


def _translate(
    path: Path, found: NamedArrays, library: _Library
) -> tuple[Architecture, NamedArrays]:
    """Find out how wide the network is, hold every name and shape against it, and rename."""
    sizes = {name: array.size for name, array in found.items()}
    if not sizes.get(library.widest):
        raise ModelError(f"{path}: not {library.title}: missing {library.widest}")
    seen = {"alpha": _alpha(sizes[library.widest])}
    if headed := bool(sizes.get(library.head)):
        seen["classes"] = sizes[library.head]
    architecture = Architecture(**{**library.habits.to_dict(), **seen})
    parts = [p for p in library.parts(architecture) if headed or not p.ours.startswith("head.")]
    _require_names(path, set(found), {part.theirs for part in parts}, library)
    weights = {part.ours: _turned(path, found[part.theirs], part, architecture) for part in parts}
    if headed:  # a 1 × 1 convolution in Keras
        weights["head.weight"] = weights["head.weight"].reshape(architecture.classes, -1)
    return architecture, weights


def _alpha(width: int) -> float:
    """Return the shortest α that thins 1024 channels to `width`, rounded down: 307 gives .3.

    Any such α thins the narrower layers alike, since their channels divide 1024.
    """
    for digits in range(17):
        alpha = math.ceil(width * 10.0**digits / 1024) / 10.0**digits
        if int(alpha * 1024) == width:
            return alpha
    return width / 1024


def _require_names(path: Path, found: set[str], wanted: set[str], library: _Library) -> None:
    if found != wanted:
        missing, unknown = _some(wanted - found), _some(found - wanted)
        raise ModelError(f"{path}: not {library.title}: missing {missing}; unknown {unknown}")


def _some(names: set[str]) -> str:
    """Return the first name, and how many more there are."""
    first = min(names, default="nothing")
    return f"{first} and {len(names) - 1} more" if len(names) > 1 else first


def _turned(path: Path, array: Array, part: _Part, architecture: Architecture) -> Floats:
    """Return an array with its axes as torch has them."""
    if array.shape != part.their_shape:
        raise ModelError(
            f"{path}: {part.theirs} is {array.shape}; a MobileNet of α = {architecture.alpha:g}"
            f" has {part.their_shape} there"
        )
    if array.dtype.kind != "f" or not np.isfinite(array).all():
        raise ModelError(f"{path}: {part.theirs} has values that are no finite numbers")
    turned = array.transpose(np.argsort(part.axes)).astype(np.float32)
    return np.ascontiguousarray(turned)


# ---- their names ---------------------------------------------------------------------------------


def _keras_parts(architecture: Architecture) -> Iterator[_Part]:
    """Yield Keras' arrays: kernels are [height, width, in, out], depthwise [height, width, C, 1].

    The classifier is the 1 × 1 convolution `conv_preds`.
    """
    short = {"conv": "conv", "depthwise": "conv_dw_", "pointwise": "conv_pw_"}
    for layer, number, shape in _convolutions(architecture):
        theirs = f"{short[layer.kind]}{number}"
        axes = (2, 3, 0, 1) if layer.kind == "depthwise" else (2, 3, 1, 0)
        yield _Part(f"body.{layer.name}.conv.weight", shape, f"{theirs}/kernel", axes)
        for ours, name in _NORM.items():
            norm = f"body.{layer.name}.norm.{ours}"
            yield _Part(norm, (layer.channels_out,), f"{theirs}_bn/{name}", (0,))
    shape = (architecture.classes, architecture.width(1024), 1, 1)
    yield _Part("head.weight", shape, "conv_preds/kernel", (2, 3, 1, 0))
    yield _Part("head.bias", shape[:1], "conv_preds/bias", (0,))


def _timm_parts(architecture: Architecture) -> Iterator[_Part]:
    """Yield timm's arrays, which lie as ours do."""
    blocks = [
        f"blocks.{stage}.{block}."
        for stage, count in enumerate(_TIMM_STAGES)
        for block in range(count)
    ]
    short = {"depthwise": ("conv_dw", "bn1"), "pointwise": ("conv_pw", "bn2")}
    for layer, number, shape in _convolutions(architecture):
        conv, norm = short.get(layer.kind, ("conv_stem", "bn1"))
        block = blocks[number - 1] if layer.kind in short else ""
        here = f"body.{layer.name}"
        yield _Part(f"{here}.conv.weight", shape, f"{block}{conv}.weight", (0, 1, 2, 3))
        for name in _NORM:
            theirs = f"{block}{norm}.{name}"
            yield _Part(f"{here}.norm.{name}", (layer.channels_out,), theirs, (0,))
    shape = (architecture.classes, architecture.width(1024))
    yield _Part("head.weight", shape, "classifier.weight", (0, 1))
    yield _Part("head.bias", shape[:1], "classifier.bias", (0,))


def _convolutions(architecture: Architecture) -> Iterator[tuple[Layer, int, tuple[int, ...]]]:
    """Yield each convolution, its number among its kind, and its shape in torch."""
    for layer in layers(architecture, SMALLEST_SIZE)[:-2]:
        number = int(layer.name.removeprefix(layer.kind))
        channels_in = 1 if layer.kind == "depthwise" else layer.channels_in
        yield layer, number, (layer.channels_out, channels_in, layer.kernel, layer.kernel)


_KERAS = _Library(
    "a MobileNet of Keras",
    Architecture(activation="relu6", padding="same", bn_epsilon=1e-3),
    _keras_parts,
    "conv_pw_13_bn/gamma",
    "conv_preds/bias",
)
_TIMM = _Library(
    "a mobilenetv1_100 or _125 of timm",
    Architecture(activation="relu6"),
    _timm_parts,
    "blocks.4.1.bn2.weight",
    "classifier.bias",
)
