"""Masks made smaller and larger (Serra 1982), and cut into connected components.

A mask is uint8 `[h, w]` as in OpenCV: 255 inside and 0 outside.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from hemozoin.arrays import Array, Ints, Levels

#: A pixel and the four that share a side with it.
CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))

#: Left and top, width and height of a bounding box, in px.
Box = tuple[int, int, int, int]


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
    return Components(labels, stats[:, cv2.CC_STAT_AREA], boxes)


def mask_of(labels: Ints, label: int, box: Box) -> Levels:
    """Return the mask of the pixels with one label, within a box of a picture of labels."""
    return np.asarray(within(labels, box) == label).view(np.uint8) * np.uint8(255)


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


def within(picture: Array, box: Box) -> Array:
    """Return the part of a picture `[h, w, ...]` that is in a box, without a copy."""
    x, y, width, height = box
    return picture[y : y + height, x : x + width]


def touches_border(box: Box, shape: tuple[int, ...]) -> bool:
    """Return whether a box reaches the border of a picture with this shape, `(h, w)`."""
    x, y, width, height = box
    return x == 0 or y == 0 or x + width == shape[1] or y + height == shape[0]


def eroded(mask: Levels, radius: int) -> Levels:
    """Return a mask without the pixels within `radius` steps, by sides, of its outside."""
    return np.asarray(cv2.erode(mask, CROSS, iterations=radius))


def dilated(mask: Levels, radius: int) -> Levels:
    """Return a mask with the pixels within `radius` steps, by sides, of it."""
    return np.asarray(cv2.dilate(mask, CROSS, iterations=radius))


def opened(mask: Levels, radius: int) -> Levels:
    """Return a mask without its parts narrower than 2 `radius` + 1 px."""
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, CROSS, iterations=radius))
