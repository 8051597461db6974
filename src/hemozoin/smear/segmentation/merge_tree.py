"""The pieces of a watershed merged to cells: the best cut through the tree of merges.

Each node of the tree is one piece, or two nodes merged. In each branch the best cut takes either
the node, or the best cuts of its parts, whichever has the higher total of single-cell score times
area. Pieces with a colour that is an outlier in the field belong to infected cells: they are
merged with each other first, and such a cell may be swollen and crenated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from hemozoin.arrays import Bools, Floats, Ints
from hemozoin.smear.segmentation.color import typical_color
from hemozoin.smear.segmentation.shape import Box, measure_shape

#: How fast the single-cell score falls: with the logarithm of the area over that of a cell, with
#: the solidity below `_SOLID`, and with the elongation above `_ROUND`.
_AREA_SCALE, _DENTS_SCALE, _LENGTH_SCALE = 0.45, 0.05, 1.05

#: Solidity from which on, and elongation up to which, a shape loses no score.
_SOLID, _ROUND = 0.97, 1.15

#: A colour outlier may have this many times the area of other cells, and of their dents.
_SWOLLEN, _CRENATED = 1.25, 2

#: A region with this many times the area of a cell isn't a single cell.
_TOO_LARGE = 3

#: The typical colour is that of the pieces with at least this share of a cell's area.
_MIN_COLORED = 0.3


@dataclass(frozen=True)
class Region:
    """A part of the foreground.

    `mask` is bool `[h, w]` within `box`; `single_cell_score` 0..1; `color_outlier` says whether
    its colour differs from that of most pieces in the field.
    """

    mask: Bools
    box: Box
    single_cell_score: float = 0.0
    color_outlier: bool = False


@dataclass(frozen=True)
class _Node:
    """One piece, or two nodes merged; `best` is the total score of the best cut below.

    `size` is in px. `labels` are its pieces, and `region` is made of them. Both are missing in a
    merged node that is too large for a cell: it is hardly ever a part of the best cut.
    """

    labels: tuple[int, ...]
    size: int
    region: Region | None
    children: tuple[_Node, ...]
    best: float

    @property
    def score(self) -> float:
        """Return the total score of the node as one cell."""
        return self.region.single_cell_score * self.size if self.region else 0.0


def best_cut(
    pieces: Ints, neighbours: list[tuple[int, int]], relative: Floats, area: float
) -> list[Region]:
    """Return the regions, each of one or more `pieces`, that are most like single cells.

    `pieces` `[h, w]` are numbered from 1, and 0 is background; `neighbours` are pairs of them that
    touch, in the order in which they are to be merged; `relative` `[h, w, 3]` are densities
    relative to the background; `area` is that of a cell in px.
    """
    tree = _Tree(pieces, relative, area)
    nodes = {label: tree.node((label,)) for label in tree.labels}
    outliers = {label for label, node in nodes.items() if tree.region(node).color_outlier}
    parents = {label: label for label in nodes}
    for one, other in sorted(neighbours, key=lambda pair: not outliers.issuperset(pair)):
        a, b = _root(parents, one), _root(parents, other)
        if a != b:
            parents[b] = a
            nodes[a] = tree.merge(nodes[a], nodes.pop(b))
    return [tree.region(node) for root in nodes.values() for node in _cut(root)]


class _Tree:
    """Makes the nodes, from the pieces and the sums of the densities in each."""

    def __init__(self, pieces: Ints, relative: Floats, area: float) -> None:
        self._pieces, self._area = pieces, area
        self._boxes: list[Box] = ndimage.find_objects(pieces)
        flat, end = pieces.ravel(), len(self._boxes) + 1
        self._sizes = np.bincount(flat, minlength=end)
        channels = relative.reshape(-1, 3).T
        self._sums = np.stack([np.bincount(flat, one, end) for one in channels], axis=1)
        large = np.flatnonzero(self._sizes[1:] > _MIN_COLORED * area) + 1
        self._typical = typical_color(self._sums[large] / self._sizes[large, None])

    @property
    def labels(self) -> list[int]:
        """Return the numbers of the pieces."""
        return [label for label, box in enumerate(self._boxes, 1) if box]

    def node(self, labels: tuple[int, ...], children: tuple[_Node, ...] = ()) -> _Node:
        size = int(self._sizes[list(labels)].sum())
        region = self._region(labels, size)
        best = max(region.single_cell_score * size, sum(child.best for child in children))
        return _Node(labels, size, region, children, best)

    def merge(self, one: _Node, other: _Node) -> _Node:
        size = one.size + other.size
        if size < _TOO_LARGE * self._area:
            return self.node(one.labels + other.labels, (one, other))
        return _Node((), size, None, (one, other), one.best + other.best)

    def region(self, node: _Node) -> Region:
        return node.region or self._region(_labels(node), node.size)

    def _region(self, labels: tuple[int, ...], size: int) -> Region:
        box = _bounding_box([self._boxes[label - 1] for label in labels])
        mask: Bools = np.isin(self._pieces[box], labels)
        outlier = self._typical.is_outlier(self._sums[list(labels)].sum(axis=0) / size)
        small_enough = size < _TOO_LARGE * self._area
        score = single_cell_score(mask, self._area, outlier) if small_enough else 0.0
        return Region(mask, box, score, outlier)


def _labels(node: _Node) -> tuple[int, ...]:
    """Return the pieces of a node."""
    found: list[int] = []
    waiting = [node]
    while waiting:
        node = waiting.pop()
        found += node.labels
        if not node.labels:
            waiting += reversed(node.children)
    return tuple(found)


def _root(parents: dict[int, int], label: int) -> int:
    while parents[label] != label:
        label = parents[label]
    return label


def _bounding_box(boxes: list[Box]) -> Box:
    rows, columns = zip(*boxes, strict=True)
    return (
        slice(min(r.start for r in rows), max(r.stop for r in rows)),
        slice(min(c.start for c in columns), max(c.stop for c in columns)),
    )


def _cut(root: _Node) -> Iterator[_Node]:
    """Yield the nodes of the best cut through the tree below a node."""
    waiting = [root]  # no recursion: a clump of a thousand pieces may be a thousand merges deep
    while waiting:
        node = waiting.pop()
        if node.best > node.score:
            waiting += reversed(node.children)
        else:
            yield node


def single_cell_score(mask: Bools, area: float, color_outlier: bool = False) -> float:
    """Return how much the size and shape of a region are like those of one cell: 0..1.

    `area` is that of a cell in px; a colour outlier may be larger and more dented.
    """
    shape = measure_shape(mask)
    size = np.log(shape.area / area / (_SWOLLEN if color_outlier else 1)) / _AREA_SCALE
    dents = max(0, _SOLID - shape.solidity) / (_DENTS_SCALE * (_CRENATED if color_outlier else 1))
    length = max(0, shape.elongation - _ROUND) / _LENGTH_SCALE
    return float(np.exp(-(size**2) / 2 - dents - length))
