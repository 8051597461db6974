"""The shape of a region: area, solidity, elongation and outline.

The shapes of two regions add up to that of both together, without a look at their pixels: sums over
the pixels are added, and the convex hull of both is that of their hulls. All of it is exact, in
integers, until the two ratios at the end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from hemozoin.arrays import Ints, Levels
from hemozoin.smear.segmentation.regions import Box, with_border

#: An outline has about this many corners: polygon and region then overlap by 0.99 (intersection
#: over union).
_CORNERS = 38


@dataclass(frozen=True, eq=False)
class Shape:
    """The shape of a region with `area` px.

    `sums` are those of x, y, x², xy and y² over its pixels; `hull` the corners of the convex hull
    of its pixels' middles, int32 `[n, 1, 2]`.
    """

    area: int
    sums: tuple[int, int, int, int, int]
    hull: Ints

    def __add__(self, other: Shape) -> Shape:
        """Return the shape of two regions together."""
        sums = tuple(a + b for a, b in zip(self.sums, other.sums, strict=True))
        hull = np.asarray(cv2.convexHull(np.concatenate([self.hull, other.hull])), np.int32)
        return Shape(self.area + other.area, sums, hull)  # type: ignore[arg-type]

    @property
    def box(self) -> Box:
        """Return the bounding box."""
        x, y, width, height = cv2.boundingRect(self.hull)
        return x, y, width, height

    @cached_property
    def solidity(self) -> float:
        """Return the share of its convex hull that the region fills, 0..1.

        Pixels are squares: around the hull of their middles they add half a px on each side.
        """
        _, _, width, height = self.box
        return self.area / (cv2.contourArea(self.hull) + width + height - 1)

    @cached_property
    def elongation(self) -> float:
        """Return the ratio of the axes of the ellipse with the same second moments, 1 or more."""
        n, (x, y, xx, xy, yy) = self.area, self.sums
        pixel = 1 / 12  # the variance inside of a square pixel
        a, b, c = ((n * s - t) / n**2 for s, t in ((xx, x * x), (yy, y * y), (xy, x * y)))
        return axis_ratio(a, b, c, pixel)


def axis_ratio(xx: float, yy: float, xy: float, inner: float = 0) -> float:
    """Return the ratio of the axes of the ellipse with these central second moments, 1 or more.

    `inner` is added to both variances. The ratio is infinite for a line.
    """
    mean, half = (xx + yy) / 2 + inner, math.hypot((xx - yy) / 2, xy)
    return math.sqrt((mean + half) / (mean - half)) if mean > half else math.inf


def measure_shape(mask: Levels, box: Box) -> Shape:
    """Return the shape of a region in a box of a picture, from its mask within the box."""
    left, top, _, _ = box
    m = cv2.moments(mask, binaryImage=True)
    n, x, y = round(m["m00"]), round(m["m10"]), round(m["m01"])
    sums = (
        x + n * left,
        y + n * top,
        round(m["m20"]) + 2 * left * x + n * left**2,
        round(m["m11"]) + left * y + top * x + n * left * top,
        round(m["m02"]) + 2 * top * y + n * top**2,
    )
    parts, _ = cv2.findContours(
        mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=(left, top)
    )
    return Shape(n, sums, np.asarray(cv2.convexHull(np.concatenate(parts)), np.int32))


def trace_outline(mask: Levels, box: Box, scale: float) -> tuple[tuple[int, int], ...]:
    """Return the outline of a region in px of the whole picture: corners (x, y) of a polygon.

    `mask` is the region within `box`; `scale` is the size of the picture over that of the copy
    in which the region was found. The mask is enlarged with interpolation, which makes its edge
    smooth, and that of the largest part is followed (Suzuki & Abe 1985).
    """
    left, top, width, height = box
    size = max(1, round((width + 2) * scale)), max(1, round((height + 2) * scale))
    enlarged = cv2.resize(with_border(mask), size, interpolation=cv2.INTER_LINEAR)
    smooth = cv2.threshold(enlarged, 127, 255, cv2.THRESH_BINARY)[1]
    origin = round((left - 1) * scale), round((top - 1) * scale)
    parts, _ = cv2.findContours(smooth, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=origin)
    longest = max(parts, key=len, default=np.zeros((0, 1, 2), int))[:, 0]
    step = max(1, round(len(longest) / _CORNERS))
    x, y = longest[::step].T.tolist()
    return tuple(zip(x, y, strict=True))
