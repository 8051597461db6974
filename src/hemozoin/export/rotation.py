"""The quarter turns of a cell, taken over by kernels.

A convolution of a turned cell is what the turned kernel makes of the cell as it is, turned. So
the first layers can run once, with the kernels of all turns side by side, and what comes out is
turned, not what goes in.

Why: turning what the network sees took a fifth of its time in 8 bits, and there a convolution with
8 channels (the first ones at α = .25) takes as long as one with 32.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hemozoin.arrays import Floats
from hemozoin.export.graph_parts import Convolution
from hemozoin.model.onnx_builder import OnnxBuilder

#: Whether a turn leaves the (rows, columns) of a cell in reverse.
_REVERSED = ((0, 0), (0, 1), (1, 1), (1, 0))


def for_all_rotations(
    convolution: Convolution, turns: int, size: int, sees_cell: bool
) -> Convolution:
    """Return the convolution that does what this one does to a cell in each of its turns.

    Channels `[k · C : (k + 1) · C]` belong to turn k, in what comes out, and also in what goes in
    unless that is the cell itself (`sees_cell`). `size` is the side of what goes in.
    """
    kernels = [np.rot90(convolution.weight, -turn, (2, 3)) for turn in range(turns)]
    pads = convolution.pads
    if convolution.stride == 2 and size % 2 == 0:
        # Every second place of an even map: from the other end, it is the places in between.
        first = 1 - pads[0]
        kernels = [
            _widened(kernel, *(first ^ reverse for reverse in _REVERSED[turn]))
            for turn, kernel in enumerate(kernels)
        ]
        pads = (1, 1, 1, 1)
    apart = convolution.is_depthwise or sees_cell
    return replace(
        convolution,
        weight=np.concatenate(kernels) if apart else _side_by_side(kernels),
        bias=np.tile(convolution.bias, turns),
        pads=pads,
        groups=convolution.groups * turns if convolution.is_depthwise else 1,
    )


def _side_by_side(kernels: list[Floats]) -> Floats:
    """Return one kernel in which each turn sees its own channels, and 0 of the others."""
    out, seen = kernels[0].shape[:2]
    whole = np.zeros((len(kernels) * out, len(kernels) * seen, *kernels[0].shape[2:]), np.float32)
    for k, kernel in enumerate(kernels):
        whole[k * out : (k + 1) * out, k * seen : (k + 1) * seen] = kernel
    return whole


def turned(g: OnnxBuilder, x: str, turns: int, channels: int, size: int) -> str:
    """Add what brings `[N, turns · C, S, S]` to `[turns · N, C, S, S]`, each turn done.

    With the channels last, as ONNX Runtime keeps them in 8 bits, a place is a few bytes that
    lie together, and one Gather brings all of them to where the turn has them.
    """
    places = np.arange(size**2).reshape(size, size)
    sources = [np.rot90(places, turn).ravel() * turns + turn for turn in range(turns)]
    x = g("Transpose", x, name="turns_last", perm=[0, 2, 3, 1])
    x = g("Reshape", x, np.array([0, -1, channels]), name="turns_flat")
    x = g("Gather", x, np.stack(sources).astype(np.int32), name="turns_done", axis=1)
    x = g("Transpose", x, name="turns_first", perm=[1, 0, 2, 3])
    x = g("Reshape", x, np.array([-1, size, size, channels]), name="turns_cells")
    return g("Transpose", x, name="turns", perm=[0, 3, 1, 2])


def _widened(kernel: Floats, row: int, column: int) -> Floats:
    """Return a kernel of 4 x 4 with the one of 3 x 3 at a place in it."""
    wide = np.zeros((*kernel.shape[:2], 4, 4), np.float32)
    wide[:, :, row : row + 3, column : column + 3] = kernel
    return wide
