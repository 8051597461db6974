"""`hemozoin.data.preprocess.prepare` for a cell on black, in ONNX operations: the same bytes.

Pillow resamples by two products with a matrix of weights, across and down, and rounds after each.
The weights are multiples of 2^-22, so sums in 64 bits are exact.
"""

from __future__ import annotations

import numpy as np

from hemozoin.data.preprocess import Preprocessing
from hemozoin.model.onnx_builder import OnnxBuilder

#: Pillow's weights are multiples of one part in this many.
_WEIGHT_STEPS = np.array(2.0**22)

#: More than the side of any picture, in px.
_FAR = np.array(1e9)

_ZERO, _HALF, _ONE = np.array(0.0), np.array(0.5), np.array(1.0)


def add_prepared(g: OnnxBuilder, picture: str, preprocessing: Preprocessing) -> str:
    """Add the preparation of a picture, uint8 `[H, W, 3]`: `pixels`, uint8 `[1, S, S, 3]`."""
    size = preprocessing.size
    levels = g.as_float(picture)
    brightest = g("ReduceMax", levels, np.array([2]), keepdims=1)
    inside = g.as_float(g("Greater", brightest, float(preprocessing.background)))
    if preprocessing.dark_share:
        inside = _without_dark_rim(g, brightest, inside, preprocessing.dark_share)
    planes = g("Concat", g("Mul", levels, inside), g("Mul", inside, 255.0), axis=2)
    planes = g.as_double(g("Transpose", planes, perm=[2, 0, 1]))
    colour = _divided(g, _resampled(g, planes, inside, size))
    colour = g("Transpose", g.as_uint8(colour), perm=[1, 2, 0])
    return g("Reshape", colour, np.array([1, size, size, 3]), name="pixels")


def _without_dark_rim(g: OnnxBuilder, levels: str, inside: str, share: float) -> str:
    """Take the dark pixels around a cell away, as `prepare` does.

    All are `[H, W, 1]`; `inside`, and what is returned, is 1 in the cell and 0 outside.
    """
    wide = g.as_double(inside)
    everywhere = np.array([0, 1, 2])
    total = g("ReduceSum", g("Mul", g.as_double(levels), wide), everywhere, keepdims=1)
    count = g("Max", g("ReduceSum", wide, everywhere, keepdims=1), _ONE)
    dark = g("Floor", g("Div", g("Mul", total, np.array(share)), count))
    bright = g("Mul", inside, g.as_float(g("Greater", g.as_double(levels), dark)))
    for axis in (0, 1):
        for reverse in (0, 1):
            passed = g("CumSum", bright, np.array(axis), reverse=reverse)
            inside = g("Mul", inside, g.as_float(g("Greater", passed, 0.0)))
    return inside


def _resampled(g: OnnxBuilder, planes: str, inside: str, size: int) -> str:
    """Add the resampling of the box around the cell: `[4, H, W]` to `[4, S, S]`.

    Because of the rounding in between, the order of the two products matters. Pillow 13 begins
    with the columns of a cell that is far higher than wide.
    """
    (down, height), (across, width) = (
        _weights(g, g("ReduceMax", inside, np.array(axes), keepdims=0), size)
        for axes in ([1, 2], [0, 2])
    )
    across = g("Transpose", across, perm=[1, 0])
    rows_first, columns_first = (
        _rounded(g, g("MatMul", down, _rounded(g, g("MatMul", planes, across)))),
        _rounded(g, g("MatMul", _rounded(g, g("MatMul", down, planes)), across)),
    )
    above, beside = (g("Sub", side, np.array(float(size))) for side in (height, width))
    is_high = g("And", g("Greater", above, _ZERO), g("Greater", above, g("Add", beside, beside)))
    return g("Where", is_high, columns_first, rows_first)


def _weights(g: OnnxBuilder, inside: str, size: int) -> tuple[str, str]:
    """Add the weights of pixels along an axis, `[size, n]`, and the side of the cell, `[1]`.

    `inside`, float `[n]`, is above 0 where the cell is. Weights are those of a triangle as wide
    as two pixels of the result, or of the cell if these are wider (Pillow's BILINEAR).
    """
    occupied = g("Greater", inside, 0.0)
    ones = g("Add", g("Mul", g.as_double(inside), _ZERO), _ONE)
    end = g("CumSum", ones, np.array(0))
    position = g("Sub", end, _ONE)
    first = g("ReduceMin", g("Where", occupied, position, _FAR), np.array([0]), keepdims=1)
    stop = g("ReduceMax", g("Where", occupied, end, _ZERO), np.array([0]), keepdims=1)
    side = g("Max", g("Sub", stop, first), _ONE)
    scale = g("Div", side, np.array(float(size)))
    centers = g("Mul", np.arange(size)[:, None] + 0.5, scale)
    offset = g("Add", g("Sub", g("Sub", position, first), centers), _HALF)
    distance = g("Abs", g("Mul", offset, g("Div", _ONE, g("Max", scale, _ONE))))
    triangle = g("Max", g("Sub", _ONE, distance), _ZERO)
    in_box = g("And", g("Greater", end, first), g("Less", position, stop))
    triangle = g("Where", in_box, triangle, _ZERO)
    total = g("Max", g("ReduceSum", triangle, np.array([1]), keepdims=1), np.array(1e-9))
    weights = g("Mul", triangle, g("Div", _ONE, total))
    return g("Div", _rounded(g, g("Mul", weights, _WEIGHT_STEPS)), _WEIGHT_STEPS), side


def _divided(g: OnnxBuilder, planes: str) -> str:
    """Add the division of colours by the share that is in the cell: `[4, S, S]` to `[3, S, S]`."""
    weighted = g("Gather", planes, np.arange(3), axis=0)
    share = g("Gather", planes, np.array([3]), axis=0)
    half = g("Floor", g("Mul", share, _HALF))
    raised = g("Add", g("Mul", weighted, np.array(255.0)), half)
    colour = g("Floor", g("Div", raised, g("Max", share, _ONE)))
    most = g("Clip", colour, _ZERO, np.array(255.0))
    return g("Where", g("Less", share, np.array(128.0)), _ZERO, most)


def _rounded(g: OnnxBuilder, x: str) -> str:
    return g("Floor", g("Add", x, _HALF))
