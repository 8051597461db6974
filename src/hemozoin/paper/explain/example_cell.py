"""The example cell: a synthetic cell, filtered with a kernel and with the kernel's factors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hemozoin.arrays import Floats, Pixels
from hemozoin.paper.separable import Separation, convolve
from hemozoin.synthetic.cell import draw_cell, draw_patient

#: A seed that draws a cell with a clearly visible ring-stage parasite.
_SEED = 10


@dataclass(frozen=True, eq=False)
class FilteredCell:
    """A synthetic cell, and its green channel filtered in two ways with a kernel [h, w].

    `cell` is uint8 [H, W, 3]. Stained cells are darkest in the green channel. `by_kernel` is the
    kernel's response, [H − h + 1, W − w + 1]. `by_column` is the response of the column alone,
    [H − h + 1, W]; `by_factors` is that of the column and then the row, with the shape of
    `by_kernel`.
    """

    cell: Pixels
    by_kernel: Floats
    by_column: Floats
    by_factors: Floats

    @property
    def largest_difference(self) -> float:
        """The largest absolute difference between `by_kernel` and `by_factors`."""
        return float(np.abs(self.by_kernel - self.by_factors).max())

    @property
    def largest_response(self) -> float:
        """The largest absolute response of the kernel."""
        return float(np.abs(self.by_kernel).max())


def filter_example_cell(separation: Separation) -> FilteredCell:
    """Filter the synthetic cell with the kernel, and with its column and then its row."""
    rng = np.random.default_rng(_SEED)
    cell = draw_cell(rng, draw_patient(rng), infected=True)
    green = cell[..., 1].astype(np.float64)
    by_column = _filter(green, separation.column)
    return FilteredCell(
        cell=cell,
        by_kernel=_filter(green, separation.kernel),
        by_column=by_column,
        by_factors=_filter(by_column, separation.row),
    )


def _filter(channel: Floats, kernel: Floats) -> Floats:
    """Filter one channel [H, W] with a kernel [h, w], without padding: [H − h + 1, W − w + 1]."""
    response: Floats = convolve(channel[..., None], kernel[..., None, None])[..., 0]
    return response
