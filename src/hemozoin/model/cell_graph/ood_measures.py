"""The out-of-distribution detector of `hemozoin.decision.ood` in ONNX operations.

Neighbouring pixels are compared by products with constant matrices.
"""

from __future__ import annotations

import numpy as np

from hemozoin.decision.ood import FLOOR, OutOfDistributionDetector
from hemozoin.model.onnx_builder import OnnxBuilder

_LARGEST = float(np.finfo(np.float32).max)

#: The axes of the pixels in `[1, C, S, S]`, and of the measures in `[1, 12]`.
_PIXELS, _COLUMNS = np.array([2, 3]), np.array([1])


def add_is_out_of_distribution(
    g: OnnxBuilder, detector: OutOfDistributionDetector, size: int
) -> str:
    """Add whether `pixels`, uint8 `[1, S, S, 3]`, are out of distribution: bool `[1]`."""
    measures = add_cell_measures(g, size)
    # The file has no infinite numbers.
    low, high = (end.clip(-_LARGEST, _LARGEST) for end in (detector.low, detector.high))
    outside = g("Or", g("Less", measures, low), g("Greater", measures, high))
    return g("Greater", g("ReduceMax", g.as_float(outside), _COLUMNS, keepdims=0), 0.0)


def add_cell_measures(g: OnnxBuilder, size: int) -> str:
    """Add the twelve measures of `cell_measures` for `pixels`: float `[1, 12]`."""
    levels = g.as_float(g("Transpose", "pixels", perm=[0, 3, 1, 2]))
    inside = g.as_float(g("Greater", g("ReduceMax", levels, np.array([1]), keepdims=1), 0.0))
    density = g("Neg", g("Log", g("Div", g("Add", levels, 1.0), 256.0)))
    channels = [g("Gather", density, np.array([channel]), axis=1) for channel in range(3)]
    columns = [
        *_outline(g, inside, size),
        *_stain(g, channels, inside),
        *_texture(g, channels, inside, size),
    ]
    return g("Concat", *(g("Reshape", column, np.array([1, 1])) for column in columns), axis=1)


def _outline(g: OnnxBuilder, inside: str, size: int) -> list[str]:
    # The differences between neighbours, and between the edge and the black beyond it.
    difference = np.eye(size + 1, size, dtype=np.float32) - np.eye(
        size + 1, size, -1, dtype=np.float32
    )
    down = g("Abs", g("MatMul", difference, inside))
    across = g("Abs", g("MatMul", inside, np.ascontiguousarray(difference.T)))
    perimeter = g("Add", _sum(g, down), _sum(g, across))
    beyond_edge = np.ones(size + 1, np.float32)
    beyond_edge[[0, -1]] = 0
    changes = [
        _sum(g, g("Mul", g("ReduceMax", changed, np.array([axis]), keepdims=1), within))
        for changed, axis, within in ((down, 3, beyond_edge[:, None]), (across, 2, beyond_edge))
    ]
    share = g("Div", g("Add", *changes), float(size - 1))
    ends = np.array([0, size - 1])
    level, upright = (
        _largest_mean(g, g("Gather", inside, ends, axis=axis), along)
        for axis, along in ((2, 3), (3, 2))
    )
    outline = g("Log", g("Div", g("Add", perimeter, 1.0), 4.0 * size))
    return [
        g("Div", _sum(g, inside), float(size**2)),
        g("Min", level, upright),
        outline,
        g("Sub", 1.0, g("Mul", share, 0.5)),
    ]


def _stain(g: OnnxBuilder, channels: list[str], inside: str) -> list[str]:
    red, green, blue = (_masked_mean(g, channel, inside) for channel in channels)
    mean = g("Div", g("Add", g("Add", red, green), blue), 3.0)
    return [
        g("Log", g("Add", mean, FLOOR)),
        g("Sub", green, g("Max", red, blue)),
        g("Sub", blue, red),
    ]


def _texture(g: OnnxBuilder, channels: list[str], inside: str, size: int) -> list[str]:
    to_next, to_previous = (
        g.constant(np.eye(size, k=k, dtype=np.float32), "neighbours") for k in (-1, 1)
    )

    def neighbours(x: str) -> tuple[str, str, str, str]:
        """Add the pixels above, below, left and right of each; 0 beyond the edge."""
        above, below = g("MatMul", to_next, x), g("MatMul", to_previous, x)
        return above, below, g("MatMul", x, to_previous), g("MatMul", x, to_next)

    interior = inside
    for neighbour in neighbours(inside):
        interior = g("Mul", interior, neighbour)
    red, green, blue = channels
    grey = g("Div", g("Add", g("Add", red, green), blue), 3.0)
    above, below, left, right = neighbours(grey)
    around = g("Add", g("Add", above, below), g("Add", left, right))
    grain = g("Abs", g("Sub", g("Mul", grey, 4.0), around))
    across, down = (
        g("Abs", g("Sub", one, other)) for one, other in ((right, left), (below, above))
    )
    measures = [
        _masked_deviation(g, grey, interior),
        _masked_mean(g, grain, interior),
        _masked_mean(g, g("Add", across, down), interior),
        _masked_deviation(g, g("Sub", red, green), interior),
        _masked_deviation(g, g("Sub", blue, green), interior),
    ]
    return [g("Log", g("Add", measure, FLOOR)) for measure in measures]


def _largest_mean(g: OnnxBuilder, x: str, axis: int) -> str:
    """Add the largest of the means along an axis: `[1, 1, H, W]` to `[1, 1, 1, 1]`."""
    means = g("ReduceMean", x, np.array([axis]), keepdims=1)
    return g("ReduceMax", means, _PIXELS, keepdims=1)


def _sum(g: OnnxBuilder, x: str) -> str:
    return g("ReduceSum", x, _PIXELS, keepdims=1)


def _masked_mean(g: OnnxBuilder, values: str, mask: str) -> str:
    total = _sum(g, g("Mul", values, mask))
    return g("Div", total, g("Max", _sum(g, mask), 1.0))


def _masked_deviation(g: OnnxBuilder, values: str, mask: str) -> str:
    deviation = g("Sub", values, _masked_mean(g, values, mask))
    return g("Sqrt", _masked_mean(g, g("Mul", deviation, deviation), mask))
