"""The shape of a region: area, solidity, elongation, outline and edge distance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError
from skimage.measure import find_contours

from hemozoin.arrays import Bools, Floats

#: The rows and the columns of a region's bounding box.
Box = tuple[slice, slice]

#: Of an outline with more corners than this each third is kept, about 38 for a red cell: polygon
#: and region then overlap by 0.99 (intersection over union). Douglas and Peucker's method took a
#: third of the time of the whole segmentation.
_FEW = 24


@dataclass(frozen=True)
class Shape:
    """The shape of a region.

    `area` in px; `solidity`, the share of its convex hull that it fills, 0..1; `elongation`, the
    ratio of the axes of the ellipse with the same second moments, 1 or more.
    """

    area: int
    solidity: float
    elongation: float


def measure_shape(mask: Bools) -> Shape:
    """Return the shape of a region, bool `[h, w]`, with at least one pixel."""
    y, x = np.nonzero(mask)
    pixel = np.eye(2) / 12  # a pixel is a square: this is the variance inside of it
    moments = np.cov(np.stack([x, y]), bias=True) + pixel
    minor, major = np.linalg.eigvalsh(moments)
    return Shape(len(x), min(1.0, len(x) / _hull_area(mask)), float(np.sqrt(major / minor)))


def _hull_area(mask: Bools) -> float:
    rows = np.flatnonzero(mask.any(axis=1))  # only the ends of each row can be on the hull
    first = mask[rows].argmax(axis=1)
    last = mask.shape[1] - mask[rows, ::-1].argmax(axis=1)
    x, y = np.concatenate([first, last] * 2), np.concatenate([rows, rows, rows + 1, rows + 1])
    try:
        return float(ConvexHull(np.column_stack([x, y])).volume)
    except QhullError:  # pixels have an area, so the corners are never on a line; but for rounding
        return float(mask.sum())


def trace_outline(mask: Bools, box: Box, scale: float) -> tuple[tuple[int, int], ...]:
    """Return the outline of a region in px of the whole picture: corners (x, y) of a polygon.

    `mask` is the region within `box`; `scale` is the size of the picture over that of the copy
    in which the region was found.
    """
    contours = find_contours(np.pad(mask, 1).astype(float), 0.5)  # type: ignore[no-untyped-call]
    longest = max(contours, key=len)[:-1]
    corners = longest[:: 3 if len(longest) > _FEW else 1]
    origin = np.array([box[0].start, box[1].start]) - 0.5
    points = np.rint((corners + origin) * scale).astype(int)
    return tuple((int(x), int(y)) for y, x in points)


def edge_distance(mask: Bools, sigma: float) -> Floats:
    """Return the distance in px of each pixel of a mask to its edge, blurred: float `[h, w]`.

    0 outside of the mask, before the blur. The picture's border is an edge as well.
    """
    distance = ndimage.distance_transform_edt(np.pad(mask, 1))
    return np.asarray(ndimage.gaussian_filter(distance, sigma)[1:-1, 1:-1])


def touches_border(box: Box, shape: tuple[int, ...]) -> bool:
    """Return whether a box reaches the border of a picture with this shape, `(h, w)`."""
    return any(side.start == 0 or side.stop == end for side, end in zip(box, shape, strict=True))
