"""What a network gets to see of a cell: the numbers, and the same as parts of a graph.

Training computes the views with torch (`hemozoin.training.classifier`, which says why they are
as they are); here they are added to the ONNX graph, operation by operation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from hemozoin.arrays import Array
    from hemozoin.model.onnx_builder import OnnxBuilder

#: The cell's optical density relative to its own, or plain RGB.
InputTransform = Literal["density", "rgb"]

#: Optical densities above the cell's mean within which a pixel counts as plain cell: haemoglobin
#: lies close around the mean, chromatin and pigment above it, central pallor below. This is told
#: in 64 bits: in 32, sums in another order than training's let a pixel at the limit count or not,
#: in one of 10,000 cells, and move p by 3e-4.
PLAIN_CELL = (-0.15, 0.08)

#: What is seen where there is no cell, in either view.
OUTSIDE = -1.0

#: Brings the spread of the densities near 1, where networks learn best.
DENSITY_GAIN = 4.0


def add_rgb(g: OnnxBuilder, pixels: str) -> str:
    """Add training's PlainRgb: uint8 `[N, S, S, 3]` to float `[N, 3, S, S]`."""
    return g("Sub", g("Div", _light(g, pixels), 127.5), 1.0)


def add_density(g: OnnxBuilder, pixels: str) -> str:
    """Add training's RelativeOpticalDensity: uint8 `[N, S, S, 3]` to float `[N, 3, S, S]`."""
    light = _light(g, pixels)
    is_inside = g("Greater", g("ReduceMax", light, _CHANNELS, keepdims=1), 0.0)
    above_black = g("Add", light, 1.0)
    density = g("Neg", g("Log", g("Div", above_black, 256.0)))
    plain = g.as_float(g("And", is_inside, _is_plain(g, above_black, is_inside)))
    relative = g("Mul", g("Sub", density, _mean(g, density, plain)), DENSITY_GAIN)
    return g("Where", is_inside, relative, OUTSIDE)


def _is_plain(g: OnnxBuilder, above_black: str, is_inside: str) -> str:
    """Add the test for plain cell: bool `[N, 1, S, S]`, in 64 bits as training has it."""
    product = g.as_double(g("ReduceProd", above_black, _CHANNELS, keepdims=1))
    density = g("Div", g("Log", product), np.array(-3.0))
    above = g("Sub", density, _mean(g, density, g.as_double(is_inside), np.array(1.0)))
    low, high = (np.array(limit) for limit in PLAIN_CELL)
    return g("And", g("Greater", above, low), g("Less", above, high))


#: Adds a view to a graph: name of the pixels in, name of what is seen out.
ONNX_TRANSFORMS: dict[InputTransform, Callable[[OnnxBuilder, str], str]] = {
    "density": add_density,
    "rgb": add_rgb,
}

_CHANNELS, _PICTURE = np.array([1]), np.array([2, 3])


def _light(g: OnnxBuilder, pixels: str) -> str:
    """Add floats with the channels first: uint8 `[N, S, S, 3]` to float `[N, 3, S, S]`."""
    return g.as_float(g("Transpose", pixels, perm=[0, 3, 1, 2]))


def _mean(g: OnnxBuilder, values: str, weight: str, least: float | Array = 1.0) -> str:
    """Add a weighted mean over the picture: `[N, C, S, S]` to `[N, C, 1, 1]`."""
    total = g("Max", g("ReduceSum", weight, _PICTURE, keepdims=1), least)
    return g("Div", g("ReduceSum", g("Mul", values, weight), _PICTURE, keepdims=1), total)
