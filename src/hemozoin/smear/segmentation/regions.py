"""Regions of a picture: connected components and pieces, their masks and bounding boxes.

A mask is uint8 `[h, w]` as in OpenCV: 255 inside and 0 outside. That of a region covers its
bounding box alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from hemozoin.arrays import Array, Ints, Levels
from hemozoin.errors import DataError
from hemozoin.smear.segmentation.parameters import KIND

#: Left and top, width and height of a bounding box, in px.
Box = tuple[int, int, int, int]

#: Most objects in a field: a tenth of a millisecond or more is needed for each.
MAX_OBJECTS = 20_000

#: A field may have this many small objects, or as many as others. Of 150 fields of many
#: microscopes, the one with the most has 101.
_MAX_SMALL = 2_000


@dataclass(frozen=True, eq=False)
class Region:
    """A part of the foreground.

    `mask` is uint8 `[h, w]` within `box`; `single_cell_score` 0..1; `color_outlier` says whether
    its colour differs from that of most pieces in the field.
    """

    mask: Levels
    box: Box
    single_cell_score: float = 0.0
    color_outlier: bool = False


@dataclass(frozen=True, eq=False)
class Components:
    """The connected components of a mask, numbered from 1: pixels connect at their sides.

    `labels` is int32 `[h, w]`, 0 outside of the mask; `areas` `[n + 1]` and `boxes`, `n + 1` of
    them, have a row for the outside as well.
    """

    labels: Ints
    areas: Ints
    boxes: list[Box]

    def mask(self, label: int) -> Levels:
        """Return the mask of one component within its box."""
        return mask_of(self.labels, label, self.boxes[label])


def components(mask: Levels) -> Components:
    """Return the connected components of a mask."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    boxes = [tuple(row) for row in stats[:, : cv2.CC_STAT_AREA].tolist()]
    areas = np.asarray(stats[:, cv2.CC_STAT_AREA], np.int32)
    return Components(np.asarray(labels, np.int32), areas, boxes)


def mask_of(labels: Ints, label: int, box: Box) -> Levels:
    """Return the mask of the pixels with one label, within a box of a picture of labels."""
    return np.asarray(cv2.inRange(within(labels, box), label, label), np.uint8)


def boxes_of(labels: Ints, count: int) -> list[Box]:
    """Return the bounding boxes of the labels 0..`count` in a picture; that of 0 is empty."""
    y, x = np.nonzero(labels)
    found, ends = labels[y, x], np.zeros((4, count + 1), int)
    ends[:2] = max(labels.shape)
    np.minimum.at(ends[0], found, x)
    np.minimum.at(ends[1], found, y)
    np.maximum.at(ends[2], found, x + 1)
    np.maximum.at(ends[3], found, y + 1)
    ends[2:] -= ends[:2]
    return [tuple(box) for box in ends.T.tolist()]


def bounding_box(one: Box, other: Box) -> Box:
    """Return the smallest box with both boxes in it."""
    left, top = min(one[0], other[0]), min(one[1], other[1])
    right = max(one[0] + one[2], other[0] + other[2])
    bottom = max(one[1] + one[3], other[1] + other[3])
    return left, top, right - left, bottom - top


def within(picture: Array, box: Box) -> Array:
    """Return the part of a picture `[h, w, ...]` that is in a box, without a copy."""
    x, y, width, height = box
    return picture[y : y + height, x : x + width]


def with_border(mask: Levels) -> Levels:
    """Return a mask with a border of 1 px that is outside."""
    # np.pad takes 20 times as long for a small mask.
    return np.asarray(cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0), np.uint8)


def touches_border(box: Box, shape: tuple[int, ...]) -> bool:
    """Return whether a box reaches the border of a picture with this shape, `(h, w)`."""
    x, y, width, height = box
    return x == 0 or y == 0 or x + width == shape[1] or y + height == shape[0]


def require_countable(areas: Ints, cell_area: float) -> None:
    """Raise DataError where there are more objects, or more small ones, than in any field.

    `areas` `[n]` are those of the objects, `cell_area` that of a red cell, all in px.
    """
    small = int((areas < KIND.small * cell_area).sum())
    if len(areas) > MAX_OBJECTS or small > max(_MAX_SMALL, len(areas) - small):
        raise DataError(
            f"{len(areas):,} objects, of which {small:,} are too small for red cells: not a field"
        )
