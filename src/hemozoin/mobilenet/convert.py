"""Convert third-party weights: Keras' `MobileNet` and timm's `mobilenetv1_100` and `_125`.

    file ── arrays by third-party name ── check every name and shape ── our names and axis order

With the same weights and the same pixels the networks return the same logits, if the architecture
has the same three settings: both libraries use ReLU6, Keras pads as TensorFlow does, and Keras
adds 1e-3 to the variance in batch norm where torch adds 1e-5. Both were trained on RGB in -1..1:
Keras' `preprocess_input` divides by 127.5 and subtracts 1, and timm's mean and standard deviation
of 0.5 do the same.

timm's `mobilenetv1_125` is Table 1 at α = 1.25. Its `mobilenetv1_100h` has one convolution more
than the paper and is refused.
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

#: The arrays of a batch norm: the name in torch (ours and timm's), and the name in Keras.
_NORM_NAMES = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}

#: How many blocks each of timm's stages has. The picture is halved between two stages.
_TIMM_STAGES = (1, 2, 2, 6, 2)


class _ArraySpec(NamedTuple):
    """One array of the network: its name and shape here, its name and axes in the library.

    `axes` gives the library's axis order: its axis i is our axis `axes[i]`.
    """

    name: str
    shape: tuple[int, ...]
    library_name: str
    axes: tuple[int, ...]

    @property
    def library_shape(self) -> tuple[int, ...]:
        return tuple(self.shape[axis] for axis in self.axes)


class _Library(NamedTuple):
    """A library's MobileNet: its settings, its arrays, and the arrays that give α and classes."""

    title: str
    architecture: Architecture
    array_specs: Callable[[Architecture], Iterator[_ArraySpec]]
    #: An array with one number for each channel of the last layer; its length gives α.
    last_channels: str
    #: An array with one number for each class; missing where there is no classifier.
    classifier_bias: str


def read_third_party(path: Path) -> tuple[Architecture, NamedArrays]:
    """Return the architecture and the weights that Keras or timm saved, for `MobileNet`.

    `path` is a `.h5`, `.weights.h5` or `.keras` of `keras.applications.MobileNet`, any α, or a
    `.safetensors` of timm's `mobilenetv1_100` or `_125`. The arrays are float32 and have the
    names of `MobileNet`'s state dict. Where the network was saved without its classifier
    (Keras' `include_top=False`, timm's `num_classes=0`), `head.weight` and `head.bias` are
    missing and `classes` is the paper's 1000.

    Raises ModelError where the file is damaged or has another network, MissingExtraError where
    a file of Keras needs h5py, OSError where the file can't be read.
    """
    library = _TIMM if path.suffix == ".safetensors" else _KERAS
    return _convert(path, read_arrays(path), library)


def _convert(
    path: Path, arrays: NamedArrays, library: _Library
) -> tuple[Architecture, NamedArrays]:
    """Find α and the classes, check every name and shape, rename and transpose."""
    sizes = {name: array.size for name, array in arrays.items()}
    if not sizes.get(library.last_channels):
        raise ModelError(f"{path}: not {library.title}: missing {library.last_channels}")
    found = {"alpha": _alpha(sizes[library.last_channels])}
    if has_head := bool(sizes.get(library.classifier_bias)):
        found["classes"] = sizes[library.classifier_bias]
    architecture = Architecture(**{**library.architecture.to_dict(), **found})
    specs = [
        spec
        for spec in library.array_specs(architecture)
        if has_head or not spec.name.startswith("head.")
    ]
    _require_names(path, set(arrays), {spec.library_name for spec in specs}, library)
    weights = {
        spec.name: _convert_array(path, arrays[spec.library_name], spec, architecture)
        for spec in specs
    }
    if has_head:  # Keras' classifier is a 1 × 1 convolution
        weights["head.weight"] = weights["head.weight"].reshape(architecture.classes, -1)
    return architecture, weights


def _alpha(width: int) -> float:
    """Return the shortest decimal α with α · 1024, rounded down, equal to `width`: .3 for 307.

    Every such α gives the same width in all other layers, since their channels divide 1024.
    """
    for digits in range(17):
        alpha = math.ceil(width * 10.0**digits / 1024) / 10.0**digits
        if int(alpha * 1024) == width:
            return alpha
    return width / 1024


def _require_names(path: Path, found: set[str], expected: set[str], library: _Library) -> None:
    if found != expected:
        missing, unknown = _first_and_count(expected - found), _first_and_count(found - expected)
        raise ModelError(f"{path}: not {library.title}: missing {missing}; unknown {unknown}")


def _first_and_count(names: set[str]) -> str:
    """Return the first name and how many more there are: "a and 2 more"."""
    first = min(names, default="nothing")
    return f"{first} and {len(names) - 1} more" if len(names) > 1 else first


def _convert_array(
    path: Path, array: Array, spec: _ArraySpec, architecture: Architecture
) -> Floats:
    """Return an array as float32 in torch's axis order; raises ModelError where it doesn't fit."""
    if array.shape != spec.library_shape:
        raise ModelError(
            f"{path}: {spec.library_name} is {array.shape}; a MobileNet of"
            f" α = {architecture.alpha:g} has {spec.library_shape} there"
        )
    if array.dtype.kind != "f" or not np.isfinite(array).all():
        raise ModelError(
            f"{path}: {spec.library_name} has values that are not finite floating-point numbers"
        )
    transposed = array.transpose(np.argsort(spec.axes)).astype(np.float32)
    return np.ascontiguousarray(transposed)


# ---- the arrays of each library ------------------------------------------------------------------


def _keras_array_specs(architecture: Architecture) -> Iterator[_ArraySpec]:
    """Yield Keras' arrays: kernels are [height, width, in, out], depthwise [height, width, C, 1].

    The classifier is the 1 × 1 convolution `conv_preds`.
    """
    prefixes = {"conv": "conv", "depthwise": "conv_dw_", "pointwise": "conv_pw_"}
    for layer, number, shape in _convolutions(architecture):
        keras_layer = f"{prefixes[layer.kind]}{number}"
        axes = (2, 3, 0, 1) if layer.kind == "depthwise" else (2, 3, 1, 0)
        yield _ArraySpec(f"body.{layer.name}.conv.weight", shape, f"{keras_layer}/kernel", axes)
        for name, keras_name in _NORM_NAMES.items():
            norm = f"body.{layer.name}.norm.{name}"
            yield _ArraySpec(norm, (layer.channels_out,), f"{keras_layer}_bn/{keras_name}", (0,))
    shape = (architecture.classes, architecture.width(1024), 1, 1)
    yield _ArraySpec("head.weight", shape, "conv_preds/kernel", (2, 3, 1, 0))
    yield _ArraySpec("head.bias", shape[:1], "conv_preds/bias", (0,))


def _timm_array_specs(architecture: Architecture) -> Iterator[_ArraySpec]:
    """Yield timm's arrays, whose axis order is ours."""
    blocks = [
        f"blocks.{stage}.{block}."
        for stage, count in enumerate(_TIMM_STAGES)
        for block in range(count)
    ]
    in_block = {"depthwise": ("conv_dw", "bn1"), "pointwise": ("conv_pw", "bn2")}
    for layer, number, shape in _convolutions(architecture):
        conv, norm = in_block.get(layer.kind, ("conv_stem", "bn1"))
        block = blocks[number - 1] if layer.kind in in_block else ""
        unit = f"body.{layer.name}"
        yield _ArraySpec(f"{unit}.conv.weight", shape, f"{block}{conv}.weight", (0, 1, 2, 3))
        for name in _NORM_NAMES:
            timm_name = f"{block}{norm}.{name}"
            yield _ArraySpec(f"{unit}.norm.{name}", (layer.channels_out,), timm_name, (0,))
    shape = (architecture.classes, architecture.width(1024))
    yield _ArraySpec("head.weight", shape, "classifier.weight", (0, 1))
    yield _ArraySpec("head.bias", shape[:1], "classifier.bias", (0,))


def _convolutions(architecture: Architecture) -> Iterator[tuple[Layer, int, tuple[int, ...]]]:
    """Yield each convolution, its number among those of its kind, and its weight shape in torch."""
    for layer in layers(architecture, SMALLEST_SIZE)[:-2]:
        number = int(layer.name.removeprefix(layer.kind))
        channels_in = 1 if layer.kind == "depthwise" else layer.channels_in
        yield layer, number, (layer.channels_out, channels_in, layer.kernel, layer.kernel)


_KERAS = _Library(
    "a MobileNet of Keras",
    Architecture(activation="relu6", padding="same", bn_epsilon=1e-3),
    _keras_array_specs,
    "conv_pw_13_bn/gamma",
    "conv_preds/bias",
)
_TIMM = _Library(
    "a mobilenetv1_100 or _125 of timm",
    Architecture(activation="relu6"),
    _timm_array_specs,
    "blocks.4.1.bn2.weight",
    "classifier.bias",
)
