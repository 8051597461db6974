"""Pieces of clumps put together again to cells: the best cut through a tree of them.

Each node is a piece, or two nodes together. The best cut takes, in each branch, the node that is
most like one cell by size and form, or what its parts give, whichever is more. Pieces of a colour
that is odd in the field are those of an infected cell: they are joined first, and the cell may
be swollen and crenated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from hemozoin.arrays import Bools, Floats, Ints
from hemozoin.smear.segmentation.color import typical_color
from hemozoin.smear.segmentation.shape import Box, measure_shape

#: How fast likeness falls: with the log of the area over a cell's; with what is missing to 0.97
#: of solidity; with elongation above 1.15.
_SIZE, _DENTS, _LENGTH = 0.45, 0.05, 1.05

#: Area of a cell of odd colour over that of the others, and how much more dents it may have.
_SWOLLEN, _CRENATED = 1.25, 2

#: What is larger than so many cells isn't one.
_MOST = 3

#: Pieces from this share of a cell's area on show what colour is usual.
_SOME = 0.3


@dataclass(frozen=True)
class Region:
    """A part of a mask: `inside` is bool `[h, w]` over `box`, `likeness` to one cell 0..1.

    `odd` tells whether it is of another colour than most of the field.
    """

    inside: Bools
    box: Box
    single_cell_score: float = 0.0
    odd: bool = False


@dataclass(frozen=True)
class _Node:
    labels: tuple[int, ...]
    region: Region
    parts: tuple[_Node, ...]
    best: float


def best_cut(
    pieces: Ints, necks: list[tuple[int, int]], relative: Floats, area: float
) -> list[Region]:
    """Return the regions, each of one or more `pieces`, that are most like single cells.

    `pieces` `[h, w]` are numbered from 1, 0 is glass; `necks` are pairs that touch, the first to
    be joined first; `relative` `[h, w, 3]` are densities against the glass; `area` is a cell's.
    """
    tree = _Tree(pieces, relative, area)
    nodes = {label: tree.node((label,)) for label in tree.labels}
    odd = {label for label, node in nodes.items() if node.region.odd}
    top = {label: label for label in nodes}
    for one, other in sorted(necks, key=lambda pair: not odd.issuperset(pair)):
        a, b = _root(top, one), _root(top, other)
        if a != b:
            top[b] = a
            parts = nodes[a], nodes.pop(b)
            nodes[a] = tree.node(parts[0].labels + parts[1].labels, parts)
    return [region for node in nodes.values() for region in _chosen(node)]


class _Tree:
    """Makes nodes; knows the pieces, the densities in each, and which colour is usual."""

    def __init__(self, pieces: Ints, relative: Floats, area: float) -> None:
        self._pieces, self._area = pieces, area
        self._boxes: list[Box] = ndimage.find_objects(pieces)
        flat, end = pieces.ravel(), len(self._boxes) + 1
        self._size = np.bincount(flat, minlength=end)
        channels = relative.reshape(-1, 3).T
        self._dye = np.stack([np.bincount(flat, one, end) for one in channels], axis=1)
        some = np.flatnonzero(self._size[1:] > _SOME * area) + 1
        self._usual = typical_color(self._dye[some] / self._size[some, None])

    @property
    def labels(self) -> list[int]:
        """Return the numbers of the pieces."""
        return [label for label, box in enumerate(self._boxes, 1) if box]

    def node(self, labels: tuple[int, ...], parts: tuple[_Node, ...] = ()) -> _Node:
        box = _around([self._boxes[label - 1] for label in labels])
        inside: Bools = np.isin(self._pieces[box], labels)
        size = int(self._size[list(labels)].sum())
        odd = self._usual.is_outlier(self._dye[list(labels)].sum(axis=0) / size)
        score = single_cell_score(inside, self._area, odd) if size < _MOST * self._area else 0.0
        best = max(score * size, sum(part.best for part in parts))
        return _Node(labels, Region(inside, box, score, odd), parts, best)


def _root(top: dict[int, int], label: int) -> int:
    while top[label] != label:
        label = top[label]
    return label


def _around(boxes: list[Box]) -> Box:
    rows, columns = zip(*boxes, strict=True)
    return (
        slice(min(r.start for r in rows), max(r.stop for r in rows)),
        slice(min(c.start for c in columns), max(c.stop for c in columns)),
    )


def _chosen(node: _Node) -> list[Region]:
    if node.best > node.region.single_cell_score * node.region.inside.sum():
        return [region for part in node.parts for region in _chosen(part)]
    return [node.region]


def single_cell_score(inside: Bools, area: float, odd: bool = False) -> float:
    """Return how much a region is like one cell of this area by its size and form: 0..1."""
    shape = measure_shape(inside)
    size = np.log(shape.area / area / (_SWOLLEN if odd else 1)) / _SIZE
    dents = max(0, 0.97 - shape.solidity) / (_DENTS * (_CRENATED if odd else 1))
    length = max(0, shape.elongation - 1.15) / _LENGTH
    return float(np.exp(-(size**2) / 2 - dents - length))
