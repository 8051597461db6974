"""A kernel and its factors, tried on the picture of a cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hemozoin.arrays import Floats, Pixels
from hemozoin.paper.separable import Separation, convolve
from hemozoin.synthetic.cell import draw_cell, draw_patient

#: A cell with a good ring in it.
_SEED = 10


@dataclass(frozen=True, eq=False)
class Trial:
    """A synthetic cell under a kernel [h, w] at once, and under its factors in turn.

    `cell` is uint8 [H, W, 3]. Its green channel, where stained cells are darkest, was filtered:
    `at_once` and `in_turn` are [H − h + 1, W − w + 1], `after_column` is [H − h + 1, W].
    """

    cell: Pixels
    at_once: Floats
    after_column: Floats
    in_turn: Floats

    @property
    def difference(self) -> float:
        """The largest difference between both ways, in the response's own unit."""
        return float(np.abs(self.at_once - self.in_turn).max())

    @property
    def largest(self) -> float:
        """The largest response of the kernel, as an amount."""
        return float(np.abs(self.at_once).max())


def try_on_cell(separation: Separation) -> Trial:
    """Filter a synthetic cell with the kernel, and with its column and then its row."""
    rng = np.random.default_rng(_SEED)
    cell = draw_cell(rng, draw_patient(rng), infected=True)
    grey = cell[..., 1].astype(np.float64)
    after_column = _filter(grey, separation.column)
    return Trial(
        cell=cell,
        at_once=_filter(grey, separation.kernel),
        after_column=after_column,
        in_turn=_filter(after_column, separation.row),
    )


def _filter(grey: Floats, kernel: Floats) -> Floats:
    """Filter a picture of one channel, [H, W] by [h, w], where the kernel lies wholly on it."""
    filtered: Floats = convolve(grey[..., None], kernel[..., None, None])[..., 0]
    return filtered
