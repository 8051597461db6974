"""Measures of a region: how much like one cell its form is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError
from skimage.measure import find_contours

from hemozoin.arrays import Bools, Floats

Box = tuple[slice, slice]

#: An outline of more corners than this keeps each third, some 38 of a red cell's: the polygon and
#: the region share .99 of their union. Douglas and Peucker's choice took a third of all the time.
_FEW = 24


@dataclass(frozen=True)
class Shape:
    """The form of a region.

    `area` in px; `solidity`, the share of its convex hull that it fills, 0..1; `elongation`, the
    length of the ellipse of the same moments over its breadth, from 1.
    """

    area: int
    solidity: float
    elongation: float


def measure_shape(region: Bools) -> Shape:
    """Measure a region, bool `[h, w]`, with at least one pixel."""
    y, x = np.nonzero(region)
    spread = np.cov(np.stack([x, y]), bias=True) + np.eye(2) / 12  # a pixel is no point
    narrow, wide = np.linalg.eigvalsh(spread)
    return Shape(len(x), min(1.0, len(x) / _hull_area(region)), float(np.sqrt(wide / narrow)))


def _hull_area(region: Bools) -> float:
    rows = np.flatnonzero(region.any(axis=1))  # of each row only the ends can be on the hull
    first = region[rows].argmax(axis=1)
    last = region.shape[1] - region[rows, ::-1].argmax(axis=1)
    x, y = np.concatenate([first, last] * 2), np.concatenate([rows, rows, rows + 1, rows + 1])
    try:
        return float(ConvexHull(np.column_stack([x, y])).volume)
    except QhullError:  # no region has corners in a line, but rounding might say so
        return float(region.sum())


def trace_outline(region: Bools, box: Box, scale: float) -> tuple[tuple[int, int], ...]:
    """Return the outline of a region that lies in `box`, magnified: corners (x, y) in px."""
    around = max(find_contours(np.pad(region, 1).astype(float), 0.5), key=len)[:-1]  # type: ignore[no-untyped-call]
    some = around[:: 3 if len(around) > _FEW else 1]
    corner = np.array([box[0].start, box[1].start]) - 0.5
    points = np.rint((some + corner) * scale).astype(int)
    return tuple((int(x), int(y)) for y, x in points)


def depth_of(region: Bools, blur: float) -> Floats:
    """Return how far each place of a region is from its end, blurred: float `[h, w]`, in px.

    The picture's edge is an end as well.
    """
    depth = ndimage.distance_transform_edt(np.pad(region, 1))
    return np.asarray(ndimage.gaussian_filter(depth, blur)[1:-1, 1:-1])


def at_edge(box: Box, shape: tuple[int, ...]) -> bool:
    """Tell whether a box reaches the edge of a picture of this shape."""
    return any(side.start == 0 or side.stop == end for side, end in zip(box, shape, strict=True))
