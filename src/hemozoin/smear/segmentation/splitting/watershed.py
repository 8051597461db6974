"""Touching cells are separated by a watershed, then by merging its pieces.

A watershed on the edge distance cuts a clump into more pieces than it has cells. Neighbouring
pieces are merged again, those with the widest necks first, and the best cut through the tree of
merges is taken (`merge_tree.best_cut`). Each clump is thus cut at its own scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from hemozoin.arrays import Bools, Floats, Ints, Levels
from hemozoin.smear.segmentation.distance import edge_distance, local_maxima
from hemozoin.smear.segmentation.levels import as_mask, median_level
from hemozoin.smear.segmentation.morphology import CROSS, dilated, eroded
from hemozoin.smear.segmentation.parameters import CELL, DIAMETER, STAIN, WATERSHED
from hemozoin.smear.segmentation.regions import Region, require_countable
from hemozoin.smear.segmentation.splitting.merge_tree import best_cut

#: Highest edge distance in the watershed: the sum of two fits into 8 bits.
_HIGHEST = 127


def split_clumps(mask: Levels, relative: Floats, stain: Levels, area: float) -> list[Region]:
    """Return the regions of a mask, uint8 `[h, w]`, that are most like single cells.

    `relative` `[h, w, 3]` are densities relative to the background, `stain` `[h, w]` are the levels
    of the stain; `area` is that of a red cell, in px. Raises DataError where there are too many
    pieces.
    """
    gaps = _gaps(stain, mask)
    found = _pieces(mask, gaps)
    require_countable(np.bincount(found.labels.ravel())[1:], area)
    if (pale := _pale_middles(found.labels, stain, mask, area)).any():
        found = _pieces(mask, gaps | pale)
    return best_cut(found.labels, _neighbours(found), relative, area)


@dataclass(frozen=True, eq=False)
class _Pieces:
    """The pieces of a mask: `labels` int32 `[h, w]`, numbered from 1, and 0 elsewhere.

    `distance` `[h, w]` are the levels of the edge distance, `heights` those at the seeds, by the
    number of the piece.
    """

    labels: Ints
    distance: Levels
    heights: Floats


def _pieces(mask: Levels, gaps: Levels) -> _Pieces:
    """Return the pieces into which a watershed on the edge distance cuts a mask."""
    distance = _levels(edge_distance(mask & ~gaps, WATERSHED.blur))
    least = WATERSHED.min_seed * DIAMETER * WATERSHED.levels
    seeds = local_maxima(distance & mask, WATERSHED.radius, least)
    return _Pieces(flood(distance, seeds.labels, mask), distance, seeds.heights)


def _pale_middles(pieces: Ints, stain: Levels, mask: Levels, area: float) -> Levels:
    """Return the palest pixels, off the rim, of the pieces that are too large for a cell.

    Where several cells lie around a filled gap, or in a pale film, their edge distance has a
    single maximum, in the middle. The pale pixels are then the gap.
    """
    pale = np.zeros_like(mask)
    large = np.bincount(pieces.ravel()) > CELL.too_large * area
    large[0] = False
    if not large.any():
        return pale
    core = eroded(mask, WATERSHED.rim) > 0
    for label in np.flatnonzero(large).tolist():
        inside = pieces == label
        least = np.percentile(stain[inside], WATERSHED.palest)
        pale[inside & core & (stain < least)] = 255
    return pale


def _levels(distance: Floats) -> Levels:
    """Return an edge distance in px as uint8."""
    return np.rint(distance * WATERSHED.levels).clip(0, _HIGHEST).astype(np.uint8)


def _gaps(stain: Levels, mask: Levels) -> Levels:
    """Return where the stain rises sharply on both sides: the gaps between touching cells.

    That is where the larger eigenvalue of the Hessian is at least `WATERSHED.curvature`.
    """
    level = median_level(stain, mask) - STAIN.zero
    if level <= 0:  # most of each object is as pale as the background
        return np.zeros_like(mask)
    smooth = cv2.GaussianBlur(stain.astype(np.float32), (0, 0), WATERSHED.sigma)
    along = np.array([[1, 0, -2, 0, 1]], np.float32) / 4
    across = np.array([[1, 0, -1], [0, 0, 0], [-1, 0, 1]], np.float32) / 4
    least = np.float32(WATERSHED.curvature * level)
    x, y = (least - cv2.filter2D(smooth, -1, kernel) for kernel in (along, along.T))
    flat = (x > 0) & (y > 0) & (x * y > cv2.filter2D(smooth, -1, across) ** 2)
    return ~as_mask(flat)


def flood(distance: Levels, seeds: Ints, mask: Levels) -> Ints:
    """Return the pieces of a mask, int32 `[h, w]`, that grow from the seeds, the highest first.

    A watershed by flooding (Meyer 1994). OpenCV's floods in the order of the difference between
    neighbouring pixels. On a checkerboard of positive and negative depths this difference is the
    sum of both depths, and so the order is that of depth. Parts of the mask without a seed get 0.
    """
    depth = _HIGHEST - distance
    board = _HIGHEST - depth
    for odd in (0, 1):
        board[odd::2, odd::2] = 1 + _HIGHEST + depth[odd::2, odd::2]
    moat = ~mask  # one px wide, higher than any depth; behind it is the outside
    pieces = seeds.copy()
    outside = int(seeds.max()) + 1
    pieces[dilated(mask, 1) == 0] = outside
    cv2.watershed(cv2.merge([board, moat, moat]), pieces)
    pieces[(pieces == outside) | (mask == 0)] = 0
    return _without_lines(pieces, _with_seeds(mask, seeds))


def _with_seeds(mask: Levels, seeds: Ints) -> Bools:
    """Return where the components of a mask are that have a seed, bool `[h, w]`."""
    count, labels = cv2.connectedComponents(mask, connectivity=4)
    seeded = np.zeros(count, bool)
    seeded[labels[seeds > 0]] = True
    seeded[0] = False
    return np.asarray(seeded[labels])


def _without_lines(pieces: Ints, inside: Bools) -> Ints:
    """Return the pieces with the lines between them, which are -1, given to a neighbour."""
    filled = np.where(inside, pieces, 0).clip(min=0)
    while (lines := inside & (filled == 0)).any():
        grown = cv2.dilate(filled.astype(np.float32), CROSS)
        if not grown[lines].any():
            break
        filled[lines] = grown[lines]
    return filled


def _neighbours(found: _Pieces) -> list[tuple[int, int]]:
    """Return the pairs of pieces that touch, sorted by the width of their necks, widest first.

    The width is relative to the smaller piece's own.
    """
    pieces, distance, heights = found.labels, found.distance, found.heights
    keys, widths = [], []
    for one, other in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
        a, b = pieces[one], pieces[other]
        meet = (a != b) & (a > 0) & (b > 0)
        low, high = np.minimum(a[meet], b[meet]).astype(np.int64), np.maximum(a[meet], b[meet])
        keys.append(low * len(heights) + high)
        widths.append(np.minimum(distance[one][meet], distance[other][meet]))
    pairs, first, number = np.unique(np.concatenate(keys), return_index=True, return_inverse=True)
    necks = np.zeros(len(pairs))
    np.maximum.at(necks, number, np.concatenate(widths))
    low, high = np.divmod(pairs, len(heights))
    narrowness = -necks / np.minimum(heights[low], heights[high])
    order = np.lexsort((first, narrowness))
    return list(zip(low[order].tolist(), high[order].tolist(), strict=True))
