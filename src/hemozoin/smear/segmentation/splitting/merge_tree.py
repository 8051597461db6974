"""The pieces of a watershed merged to cells: the best cut through the tree of merges.

Each node of the tree is one piece, or two nodes merged. In each branch the best cut takes either
the node, or the best cuts of its parts, whichever has the higher total of single-cell score times
area. Pieces with a colour that is an outlier in the field belong to infected cells: they are
merged with each other first, and such a cell may be swollen and crenated.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from hemozoin.arrays import Floats, Ints
from hemozoin.smear.segmentation.color import Triple, typical_color
from hemozoin.smear.segmentation.parameters import CELL
from hemozoin.smear.segmentation.regions import Box, Region, bounding_box, boxes_of, mask_of, within
from hemozoin.smear.segmentation.shape import Shape, measure_shape


@dataclass(frozen=True, eq=False)
class _Node:
    """One piece, or two nodes merged; `best` is the total score of the best cut below.

    `size` is in px, `density` the mean of these, and `score` that as a single cell. `shape` is
    missing in a node that is too large for a cell, and `label` in one that is not a piece.
    """

    size: int
    box: Box
    density: Triple
    shape: Shape | None
    color_outlier: bool
    score: float = 0.0
    best: float = 0.0
    children: tuple[_Node, ...] = ()
    label: int = 0


def best_cut(
    pieces: Ints, neighbours: list[tuple[int, int]], relative: Floats, area: float
) -> list[Region]:
    """Return the regions, each of one or more `pieces`, that are most like single cells.

    `pieces` `[h, w]` are numbered from 1, and 0 is background; `neighbours` are pairs of them that
    touch, in the order in which they are to be merged; `relative` `[h, w, 3]` are densities
    relative to the background; `area` is that of a cell in px.
    """
    tree = _Tree(pieces, relative, area)
    nodes = tree.leaves
    outliers = {label for label, node in nodes.items() if node.color_outlier}
    parents = {label: label for label in nodes}
    for one, other in sorted(neighbours, key=lambda pair: not outliers.issuperset(pair)):
        a, b = _root(parents, one), _root(parents, other)
        if a != b:
            parents[b] = a
            nodes[a] = tree.merge(nodes[a], nodes.pop(b))
    return _regions(pieces, [node for root in nodes.values() for node in _cut(root)])


class _Tree:
    """Makes the nodes; `leaves` are the pieces by their numbers."""

    def __init__(self, pieces: Ints, relative: Floats, area: float) -> None:
        self._area = area
        boxes = boxes_of(pieces, int(pieces.max()))
        measured = {}
        for label, box in enumerate(boxes):
            if box[2] > 0:
                mask = mask_of(pieces, label, box)
                shape = measure_shape(mask, box)
                red, green, blue, _ = cv2.mean(within(relative, box), mask)
                measured[label] = shape, (red, green, blue)
        large = [d for shape, d in measured.values() if shape.area > CELL.min_colored * area]
        self._typical = typical_color(large)
        self.leaves = {
            label: self._node(shape.area, boxes[label], density, shape, label=label)
            for label, (shape, density) in measured.items()
        }

    def merge(self, one: _Node, other: _Node) -> _Node:
        size, shape = one.size + other.size, None
        if one.shape and other.shape and size < CELL.too_large * self._area:
            shape = one.shape + other.shape
        a, b = one.size / size, other.size / size
        red, green, blue = (a * x + b * y for x, y in zip(one.density, other.density, strict=True))
        box = bounding_box(one.box, other.box)
        return self._node(size, box, (red, green, blue), shape, (one, other))

    def _node(
        self,
        size: int,
        box: Box,
        density: Triple,
        shape: Shape | None,
        children: tuple[_Node, ...] = (),
        label: int = 0,
    ) -> _Node:
        outlier = self._typical.is_outlier(density)
        score = 0.0
        if shape and size < CELL.too_large * self._area:
            score = single_cell_score(shape, self._area, outlier)
        best = max(score * size, sum(child.best for child in children))
        return _Node(size, box, density, shape, outlier, score, best, children, label)


def _root(parents: dict[int, int], label: int) -> int:
    while parents[label] != label:
        label = parents[label]
    return label


def _cut(root: _Node) -> Iterator[_Node]:
    """Yield the nodes of the best cut through the tree below a node."""
    waiting = [root]  # no recursion: a clump of a thousand pieces may be a thousand merges deep
    while waiting:
        node = waiting.pop()
        if node.best > node.score * node.size:
            waiting += reversed(node.children)
        else:
            yield node


def _regions(pieces: Ints, nodes: list[_Node]) -> list[Region]:
    """Return the regions of the nodes of a cut."""
    numbers = np.zeros(int(pieces.max()) + 1, np.int32)
    for number, node in enumerate(nodes, 1):
        numbers[_labels(node)] = number
    regions = numbers[pieces]
    return [
        Region(mask_of(regions, number, node.box), node.box, node.score, node.color_outlier)
        for number, node in enumerate(nodes, 1)
    ]


def _labels(node: _Node) -> list[int]:
    """Return the pieces of a node."""
    found, waiting = [], [node]
    while waiting:
        node = waiting.pop()
        if node.children:
            waiting += node.children
        else:
            found.append(node.label)
    return found


def single_cell_score(shape: Shape, area: float, color_outlier: bool = False) -> float:
    """Return how much the size and shape of a region are like those of one cell: 0..1.

    `area` is that of a cell in px; a colour outlier may be larger and more dented.
    """
    swollen, crenated = (CELL.swollen, CELL.crenated) if color_outlier else (1, 1)
    size = math.log(shape.area / area / swollen) / CELL.area_scale
    dents = max(0, CELL.solid - shape.solidity) / (CELL.dents_scale * crenated)
    length = max(0, shape.elongation - CELL.round) / CELL.length_scale
    return math.exp(-(size**2) / 2 - dents - length)
