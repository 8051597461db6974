"""The input transform of a network: its constants, and its operations in an ONNX graph.

Training computes the same transforms with torch; `hemozoin.training.classifier` explains them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from hemozoin.arrays import Array
    from hemozoin.model.onnx_builder import OnnxBuilder

#: The optical density relative to the cell's own cytoplasm, or plain RGB.
InputTransform = Literal["density", "rgb"]

#: Scales the standard deviation of the densities to about 1, where networks train best.
DENSITY_GAIN = 4.0

#: Range of a pixel's density, summed over the channels, minus the cell's mean in which the pixel is
#: plain cytoplasm: haemoglobin is close to the mean, chromatin and pigment above it, central pallor
#: below. In optical density it is -0.15 to 0.08.
PLAIN_CYTOPLASM = (-0.15 * 3 * DENSITY_GAIN, 0.08 * 3 * DENSITY_GAIN)

#: The value outside the cell, after either transform.
BACKGROUND = -1.0

#: Sums of the densities of whole levels over the channels are exact in 32 bits, and over a cell in
#: 64, in any order. With rounded sums, the different order of torch and ONNX would put a pixel on
#: the other side of a limit in one of 10,000 cells.
_STEPS = 2**16

#: The density of each level, a multiple of 1 / _STEPS: it is looked up.
DENSITIES = (np.round(-DENSITY_GAIN * np.log((np.arange(256) + 1) / 256) * _STEPS) / _STEPS).astype(
    np.float32
)


def add_rgb(g: OnnxBuilder, pixels: str, size: int) -> str:
    """Add the transform PlainRgb of training: uint8 `[N, S, S, 3]` to float `[N, 3, S, S]`."""
    return g("Sub", g("Div", g.as_float(_channels_first(g, pixels)), 127.5), 1.0)


def add_density(g: OnnxBuilder, pixels: str, size: int) -> str:
    """Add RelativeOpticalDensity of training: uint8 `[N, S, S, 3]` to float `[N, 3, S, S]`."""
    levels = _channels_first(g, pixels)
    is_inside = g("Greater", g("ReduceMax", g.as_float(levels), _CHANNELS, keepdims=1), 0.0)
    density = _densities(g, levels, size)
    cytoplasm = g.as_float(g("And", is_inside, _is_cytoplasm(g, density, is_inside)))
    # Where takes twice as long as a product and a sum.
    above_background = g("Sub", density, g("Add", _mean(g, density, cytoplasm), BACKGROUND))
    return g("Add", g("Mul", above_background, g.as_float(is_inside)), BACKGROUND)


def _densities(g: OnnxBuilder, levels: str, size: int) -> str:
    """Add the look-up of each level's density: uint8 to float, both `[N, 3, S, S]`."""
    indices = g("Reshape", g.as_int32(levels), np.array([-1]))
    # Gather takes ten times as long.
    densities = g("GatherElements", DENSITIES, indices, axis=0)
    return g("Reshape", densities, np.array([-1, 3, size, size]))


def _is_cytoplasm(g: OnnxBuilder, density: str, is_inside: str) -> str:
    """Add the test for plain cytoplasm: bool `[N, 1, S, S]`."""
    total = g("ReduceSum", density, _CHANNELS, keepdims=1)
    mean = _mean(g, g.as_double(total), g.as_double(is_inside), np.array(1.0))
    low, high = (g.as_float(g("Add", mean, np.array(limit))) for limit in PLAIN_CYTOPLASM)
    return g("And", g("Greater", total, low), g("Less", total, high))


#: Functions that add an input transform to a graph, for cells of a size; each maps the input's name
#: to the output's.
ONNX_TRANSFORMS: dict[InputTransform, Callable[[OnnxBuilder, str, int], str]] = {
    "density": add_density,
    "rgb": add_rgb,
}

#: The axes of `[N, C, S, S]`.
_CHANNELS, _PIXELS = np.array([1]), np.array([2, 3])


def _channels_first(g: OnnxBuilder, pixels: str) -> str:
    """Add a transposition that puts the channels first: `[N, S, S, 3]` to `[N, 3, S, S]`."""
    return g("Transpose", pixels, perm=[0, 3, 1, 2])


def _mean(g: OnnxBuilder, values: str, weight: str, least: float | Array = 1.0) -> str:
    """Add a weighted mean over the pixels: `[N, C, S, S]` to `[N, C, 1, 1]`.

    `least` is a lower limit of the total weight, against division by 0, of the same float type.
    """
    total = g("Max", g("ReduceSum", weight, _PIXELS, keepdims=1), least)
    return g("Div", g("ReduceSum", g("Mul", values, weight), _PIXELS, keepdims=1), total)
