"""Touching cells taken apart.

A watershed on the distance to the glass cuts a clump into more pieces than it has cells. Pieces
are put together again, those with the widest necks first, and the best of it is taken
(`tree.best_cut`). That is the watershed at all scales at once, each clump at its own.
"""

from __future__ import annotations

import numpy as np
from skimage.feature import hessian_matrix, hessian_matrix_eigvals, peak_local_max
from skimage.segmentation import watershed

from hemozoin.arrays import Bools, Floats, Ints
from hemozoin.smear.segmentation.merge_tree import Region, best_cut
from hemozoin.smear.segmentation.shape import depth_of

#: A line at which the stain, over that of most bodies, curves up like this is a gap between two
#: cells, and half its breadth in px. Cells that touch are joined in the mask, but seldom here.
_VALLEY, _LINE = 0.09, 1.2

#: Blur in px that takes the steps out of distances.
_SMOOTH = 0.7


def split(
    bodies: Bools, relative: Floats, amount: Floats, diameter: float, area: float
) -> list[Region]:
    """Return the regions of a mask, bool `[h, w]`, that are most like single cells.

    `relative`, `[h, w, 3]`, are densities against the glass, `amount`, float `[h, w]`, is the
    stain; `diameter` and `area` are those of a cell, in px.
    """
    free = bodies & (_valleys(amount / np.median(amount[bodies])) < _VALLEY)
    depth = depth_of(free, _SMOOTH)
    peaks = _peaks(bodies, depth, diameter)
    seeds = np.zeros(bodies.shape, np.int32)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    pieces = watershed(-depth, seeds, mask=bodies)  # type: ignore[no-untyped-call]
    heights = np.r_[0, depth[tuple(peaks.T)]]
    return best_cut(pieces, _necks(pieces, depth, heights), relative, area)


def _valleys(amount: Floats) -> Floats:
    """Return how sharply the stain rises on both sides of each place, float `[h, w]`."""
    lines = hessian_matrix(amount, sigma=_LINE, use_gaussian_derivatives=False)  # type: ignore[no-untyped-call]
    return np.asarray(hessian_matrix_eigvals(lines)[0])  # type: ignore[no-untyped-call]


def _peaks(bodies: Bools, depth: Floats, diameter: float) -> Ints:
    peaks: Ints = peak_local_max(  # type: ignore[no-untyped-call]
        depth, min_distance=2, threshold_abs=0.12 * diameter, exclude_border=False
    )
    inside: Ints = peaks[bodies[tuple(peaks.T)]]
    return inside


def _necks(pieces: Ints, depth: Floats, heights: Floats) -> list[tuple[int, int]]:
    """Return pairs of neighbours, the one with the widest neck for its breadth first."""
    widest: dict[tuple[int, int], float] = {}
    for one, other in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
        a, b = pieces[one], pieces[other]
        meet = (a != b) & (a > 0) & (b > 0)
        width = np.minimum(depth[one], depth[other])[meet]
        for pair in zip(a[meet].tolist(), b[meet].tolist(), width.tolist(), strict=True):
            key = (min(pair[:2]), max(pair[:2]))
            widest[key] = max(widest.get(key, 0.0), pair[2])
    return sorted(widest, key=lambda k: -widest[k] / min(heights[k[0]], heights[k[1]]))
