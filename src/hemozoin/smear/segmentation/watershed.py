"""Touching cells are separated by a watershed, then by merging its pieces.

A watershed on the edge distance cuts a clump into more pieces than it has cells. Neighbouring
pieces are merged again, those with the widest necks first, and the best cut through the tree of
merges is taken (`merge_tree.best_cut`). Each clump is thus cut at its own scale.
"""

from __future__ import annotations

import numpy as np
from skimage.feature import hessian_matrix, hessian_matrix_eigvals, peak_local_max
from skimage.segmentation import watershed

from hemozoin.arrays import Bools, Floats, Ints
from hemozoin.smear.segmentation.countable import require_countable
from hemozoin.smear.segmentation.merge_tree import Region, best_cut
from hemozoin.smear.segmentation.shape import edge_distance

#: A pixel is in the gap between two touching cells where the stain density, over its median, has
#: at least this curvature (larger eigenvalue of the Hessian), with this sigma in px. The mask
#: joins such cells, but the stain seldom does.
_CURVATURE, _SIGMA = 0.09, 1.2

#: Standard deviation in px of the blur that smooths the steps of the edge distance.
_BLUR = 0.7

#: Least edge distance of a seed, in diameters of a cell.
_MIN_SEED = 0.12


def split_clumps(
    mask: Bools, relative: Floats, stain: Floats, diameter: float, area: float
) -> list[Region]:
    """Return the regions of a mask, bool `[h, w]`, that are most like single cells.

    `relative` `[h, w, 3]` are densities relative to the background, `stain` `[h, w]` is the stain
    density; `diameter` and `area` are those of a red cell, in px. Raises DataError where there are
    too many pieces.
    """
    level = np.median(stain[mask])
    without_gaps = mask
    if level > 0:  # 0 if most of each object is as pale as the background
        without_gaps = mask & (_curvature(stain / level) < _CURVATURE)
    distance = edge_distance(without_gaps, _BLUR)
    peaks = _peaks(mask, distance, _MIN_SEED * diameter)
    seeds = np.zeros(mask.shape, np.int32)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    pieces = watershed(-distance, seeds, mask=mask)  # type: ignore[no-untyped-call]
    require_countable(np.bincount(pieces.ravel())[1:], area)
    heights = np.r_[0, distance[tuple(peaks.T)]]
    return best_cut(pieces, _neighbours(pieces, distance, heights), relative, area)


def _curvature(stain: Floats) -> Floats:
    """Return how sharply the stain density rises on both sides of each pixel, float `[h, w]`."""
    hessian = hessian_matrix(stain, sigma=_SIGMA, use_gaussian_derivatives=False)  # type: ignore[no-untyped-call]
    return np.asarray(hessian_matrix_eigvals(hessian)[0])  # type: ignore[no-untyped-call]


def _peaks(mask: Bools, distance: Floats, least: float) -> Ints:
    """Return the local maxima of the edge distance in a mask: rows and columns, `[n, 2]`."""
    peaks: Ints = peak_local_max(  # type: ignore[no-untyped-call]
        distance, min_distance=2, threshold_abs=least, exclude_border=False
    )
    inside: Ints = peaks[mask[tuple(peaks.T)]]
    return inside


def _neighbours(pieces: Ints, distance: Floats, heights: Floats) -> list[tuple[int, int]]:
    """Return the pairs of pieces that touch, sorted by the width of their necks, widest first.

    The width is relative to the smaller piece's own: `heights` are the edge distances at the
    seeds, by the number of the piece.
    """
    keys, widths = [], []
    for one, other in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
        a, b = pieces[one], pieces[other]
        meet = (a != b) & (a > 0) & (b > 0)
        low, high = np.minimum(a, b)[meet].astype(np.int64), np.maximum(a, b)[meet]
        keys.append(low * len(heights) + high)
        widths.append(np.minimum(distance[one], distance[other])[meet])
    pairs, first, number = np.unique(np.concatenate(keys), return_index=True, return_inverse=True)
    necks = np.zeros(len(pairs))
    np.maximum.at(necks, number, np.concatenate(widths))
    low, high = np.divmod(pairs, len(heights))
    narrowness = -necks / np.minimum(heights[low], heights[high])
    order = np.lexsort((first, narrowness))
    return list(zip(low[order].tolist(), high[order].tolist(), strict=True))
