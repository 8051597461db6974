"""Touching cells taken apart.

A watershed on the distance to the glass cuts a clump into more pieces than it has cells. Pieces
are put together again, those with the widest necks first, which makes a tree: each node is a
piece, or two nodes together. The cut through the tree that is best takes, in each branch, the
node that is most like one cell by size and form, or what its parts give, whichever is more.
That is the watershed at all scales at once, each clump at its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.feature import hessian_matrix, hessian_matrix_eigvals, peak_local_max
from skimage.segmentation import watershed

from hemozoin.cells.cutout import Mask
from hemozoin.smear.glass import Floats
from hemozoin.smear.shape import Box, depth_of, measure

Labels = npt.NDArray[np.integer[Any]]

#: How fast likeness falls: with the log of the area over a cell's, when larger and smaller; with
#: what is missing to 0.97 of solidity; with elongation above 1.15.
_LARGER, _SMALLER, _DENTS, _LENGTH = 0.45, 0.45, 0.05, 1.05

#: A line at which the stain, over that of most bodies, curves up like this is a gap between two
#: cells, and half its breadth in px. Cells that touch are joined in the mask, but seldom here.
_VALLEY, _LINE = 0.09, 1.2

#: Blur in px that takes the steps out of distances.
_SMOOTH = 0.7


@dataclass(frozen=True)
class Region:
    """A part of a mask: `inside` is bool `[h, w]` over `box`, `likeness` to one cell 0..1."""

    inside: Mask
    box: Box
    likeness: float


@dataclass(frozen=True)
class _Node:
    labels: tuple[int, ...]
    region: Region
    parts: tuple[_Node, ...]
    best: float


def split(bodies: Mask, amount: Floats, diameter: float, area: float) -> list[Region]:
    """Return the regions of a mask, bool `[h, w]`, that are most like single cells.

    `amount`, float `[h, w]`, is the stain; `diameter` and `area` are those of a cell, in px.
    """
    free = bodies & (_valleys(amount / np.median(amount[bodies])) < _VALLEY)
    depth = depth_of(free, _SMOOTH)
    peaks = _peaks(bodies, depth, diameter)
    seeds = np.zeros(bodies.shape, np.int32)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    pieces = watershed(-depth, seeds, mask=bodies)  # type: ignore[no-untyped-call]
    heights = np.r_[0, depth[tuple(peaks.T)]]
    return _best_cut(pieces, _necks(pieces, depth, heights), area)


def _valleys(amount: Floats) -> Floats:
    """Return how sharply the stain rises on both sides of each place, float `[h, w]`."""
    lines = hessian_matrix(amount, sigma=_LINE, use_gaussian_derivatives=False)  # type: ignore[no-untyped-call]
    return np.asarray(hessian_matrix_eigvals(lines)[0])  # type: ignore[no-untyped-call]


def _peaks(bodies: Mask, depth: Floats, diameter: float) -> Labels:
    peaks: Labels = peak_local_max(  # type: ignore[no-untyped-call]
        depth, min_distance=2, threshold_abs=0.12 * diameter, exclude_border=False
    )
    inside: Labels = peaks[bodies[tuple(peaks.T)]]
    return inside


def _necks(pieces: Labels, depth: Floats, heights: Floats) -> list[tuple[int, int]]:
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


def _best_cut(pieces: Labels, necks: list[tuple[int, int]], area: float) -> list[Region]:
    boxes: list[Box] = ndimage.find_objects(pieces)
    nodes = {k: _node((k,), (), pieces, boxes, area) for k, box in enumerate(boxes, 1) if box}
    top = {k: k for k in nodes}
    for one, other in necks:
        a, b = _root(top, one), _root(top, other)
        if a != b:
            top[b] = a
            parts = (nodes[a], nodes.pop(b))
            nodes[a] = _node(parts[0].labels + parts[1].labels, parts, pieces, boxes, area)
    return [region for node in nodes.values() for region in _chosen(node)]


def _root(top: dict[int, int], label: int) -> int:
    while top[label] != label:
        label = top[label]
    return label


def _node(
    labels: tuple[int, ...], parts: tuple[_Node, ...], pieces: Labels, boxes: list[Box], area: float
) -> _Node:
    box = _around([boxes[label - 1] for label in labels])
    inside: Mask = np.isin(pieces[box], labels)
    size = int(inside.sum())
    likeness = like_a_cell(inside, area) if size < 3 * area else 0.0
    best = max(likeness * size, sum(part.best for part in parts))
    return _Node(labels, Region(inside, box, likeness), parts, best)


def _around(boxes: list[Box]) -> Box:
    rows, columns = zip(*boxes, strict=True)
    return (
        slice(min(r.start for r in rows), max(r.stop for r in rows)),
        slice(min(c.start for c in columns), max(c.stop for c in columns)),
    )


def _chosen(node: _Node) -> list[Region]:
    if node.best > node.region.likeness * node.region.inside.sum():
        return [region for part in node.parts for region in _chosen(part)]
    return [node.region]


def like_a_cell(inside: Mask, area: float) -> float:
    """Return how much a region is like one cell of this area by its size and form: 0..1."""
    shape = measure(inside)
    size = np.log(shape.area / area)
    size /= _LARGER if size > 0 else _SMALLER
    dents, length = max(0, 0.97 - shape.solidity), max(0, shape.elongation - 1.15)
    return float(np.exp(-(size**2) / 2 - dents / _DENTS - length / _LENGTH))
