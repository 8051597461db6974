"""The weights of a model folder: names, shapes and types, all of them finite."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import safetensors
import safetensors.numpy

from hemozoin.arrays import Array, NamedArrays
from hemozoin.decision.temperature import MAX_TEMPERATURE, MIN_TEMPERATURE
from hemozoin.errors import ModelError
from hemozoin.mobilenet.architecture import Layer
from hemozoin.model.checks.protobuf import shortened

#: Most bytes of the list of arrays at the start of a file; hemozoin's have 20,000.
_MOST_HEADER = 1_000_000

#: Prefixes of the names of arrays; that of a convolution is followed by its layer's name.
_BODY, _HEAD = "network.body.", "network.head."


def read_safetensors(content: bytes, name: str) -> NamedArrays:
    """Return the arrays of a safetensors file; raises ModelError where it is damaged."""
    try:
        if int.from_bytes(content[:8], "little") > _MOST_HEADER:
            raise ValueError("too many arrays")
        return safetensors.numpy.load(content)
    except _DAMAGE as error:
        raise ModelError(f"{name}: damaged, or not a safetensors file; copy it again") from error


#: What safetensors and numpy raise. LookupError is an element type that numpy does not have.
_DAMAGE = (safetensors.SafetensorError, ArithmeticError, LookupError, TypeError, ValueError)


def require_weights(weights: NamedArrays, table: tuple[Layer, ...], name: str) -> None:
    """Raise ModelError unless these are exactly the weights of the layers in `table`.

    All values have to be finite, variances 0 or more, and the temperature in its range.
    """
    expected = dict(_expected(table))
    if wrong := sorted(expected.keys() ^ weights.keys()):
        what = "is missing" if wrong[0] in expected else "does not belong to this network"
        raise ModelError(f"{name}: {shortened(wrong[0])} {what}; copy the model folder again")
    for key, (dtype, shape) in expected.items():
        array = weights[key]
        if array.dtype != dtype or array.shape != shape:
            found = f"{array.dtype} {shortened([*array.shape])}"
            raise ModelError(
                f"{name}: {key} is {found}, but config.json describes a network with {dtype}"
                f" {[*shape]}; copy the model folder again"
            )
        if not np.isfinite(array).all():
            raise ModelError(f"{name}: {key} has values that are not finite; train it again")
        if key.endswith("running_var") and array.min() < 0:
            raise ModelError(f"{name}: {key} has values below 0; train it again")
    temperature = float(weights["temperature"])
    if not MIN_TEMPERATURE <= temperature <= MAX_TEMPERATURE:
        raise ModelError(
            f"{name}: temperature is {temperature:g}; needs one from {MIN_TEMPERATURE:g} to"
            f" {MAX_TEMPERATURE:g}"
        )


def _expected(table: tuple[Layer, ...]) -> Iterator[tuple[str, tuple[str, tuple[int, ...]]]]:
    """Yield the name of each array, its type and its shape."""
    *convolutions, _, linear = table
    for layer in convolutions:
        channels = layer.channels_out
        depth = 1 if layer.kind == "depthwise" else layer.channels_in
        kernel = (channels, depth, layer.kernel, layer.kernel)
        yield f"{_BODY}{layer.name}.conv.weight", ("float32", kernel)
        for name in ("weight", "bias", "running_mean", "running_var"):
            yield f"{_BODY}{layer.name}.norm.{name}", ("float32", (channels,))
        yield f"{_BODY}{layer.name}.norm.num_batches_tracked", ("int64", ())
    yield f"{_HEAD}weight", ("float32", (linear.channels_out, linear.channels_in))
    yield f"{_HEAD}bias", ("float32", (linear.channels_out,))
    yield "temperature", ("float32", ())


def fold_batch_norm(weights: NamedArrays, layer: str, epsilon: float) -> tuple[Array, Array]:
    """Return weight and bias of a convolution with its batch norm folded in, float32."""
    prefix = f"{_BODY}{layer}"
    gamma, beta, mean, variance = (
        weights[f"{prefix}.norm.{name}"].astype(np.float64)
        for name in ("weight", "bias", "running_mean", "running_var")
    )
    gain = gamma / np.sqrt(variance + epsilon)
    weight = weights[f"{prefix}.conv.weight"] * gain[:, None, None, None]
    return weight.astype(np.float32), (beta - mean * gain).astype(np.float32)
