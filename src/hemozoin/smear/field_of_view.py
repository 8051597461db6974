"""The field of view, where it is not the whole picture: a lit disc, or a rectangle.

A phone held to an eyepiece shows a disc in the dark. A screenshot, a frame of a video or a figure
of a paper has margins of one colour. What surrounds the field of view is replaced by the colour of
the background of the slide, so that the rest of the program sees an ordinary field; what lies at
the rim of the field of view is cut by the edge, as at the border of a picture.

    picture ── small copy ─┬─ dark pixels connected to the border ── circle fitted to their edge
                           └─ lines of one colour along a side ── straight end of this margin
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import cv2
import numpy as np

from hemozoin.arrays import Bools, Floats, Pixels
from hemozoin.data.cutout import brightest

#: Longer side in px of the copy in which the disc is found.
_SIDE = 256

#: A pixel is dark below this share of the picture's bright pixels (95th percentile).
_DARK = 0.45

#: Least share of the picture that a surround covers, and least share that the field of view covers.
_MIN_SURROUND, _MIN_VIEW = 0.03, 0.15

#: Largest root mean square distance of the disc's edge from the fitted circle, in radii.
_MAX_DEVIATION = 0.03

#: Share of the radius that is left out at the rim, where the light falls off.
_RIM = 0.03

#: Least share of what is lit that a disc holds: a circle fitted to a dark spot at the border holds
#: less.
_MIN_LIT = 0.8


#: A pixel has the colour of a margin if no channel differs by more levels. At least this share of
#: the outermost line has it.
_SAME, _UNIFORM = 8, 0.95

#: Of the lines of a field, at least this share has other colours than the margin. The field is the
#: longest run of lines with at least half of the largest share; a line of text is a short one.
#: Above the field the share is below a quarter: cells come gradually, a margin ends at once.
_OTHER, _RUN, _ABOVE = 0.5, 0.5, 0.25


class FieldOfView(ABC):
    """A part of a picture; lengths and places are in px of the picture."""

    @abstractmethod
    def contains(self, x: Floats, y: Floats) -> Bools:
        """Return which of these places are in the field of view; arrays of the same shape."""

    @abstractmethod
    def shrunk(self, rim: float) -> FieldOfView:
        """Return the field of view without a rim of this width."""

    def mask(self, shape: tuple[int, ...]) -> Bools:
        """Return which pixels of a picture with this shape, `(H, W, ...)`, are in it."""
        y, x = np.ogrid[: shape[0], : shape[1]]
        return self.contains(x + 0.5, y + 0.5)


@dataclass(frozen=True)
class Disc(FieldOfView):
    """A lit disc: its centre and its radius, without the rim."""

    x: float
    y: float
    radius: float

    def contains(self, x: Floats, y: Floats) -> Bools:
        """Return which of these places are in the disc."""
        inside: Bools = (x - self.x) ** 2 + (y - self.y) ** 2 <= self.radius**2
        return inside

    def shrunk(self, rim: float) -> Disc:
        """Return a disc with a smaller radius."""
        return Disc(self.x, self.y, self.radius - rim)


@dataclass(frozen=True)
class Rectangle(FieldOfView):
    """A rectangle; a side that is the picture's own is infinitely far away."""

    left: float
    top: float
    right: float
    bottom: float

    def contains(self, x: Floats, y: Floats) -> Bools:
        """Return which of these places are in the rectangle."""
        across, down = (self.left <= x) & (x <= self.right), (self.top <= y) & (y <= self.bottom)
        inside: Bools = across & down
        return inside

    def shrunk(self, rim: float) -> Rectangle:
        """Return a rectangle whose sides are further inside."""
        return Rectangle(self.left + rim, self.top + rim, self.right - rim, self.bottom - rim)


def find_field_of_view(pixels: Pixels) -> FieldOfView | None:
    """Return the field of view in a picture, uint8 `[H, W, 3]`; None where it is all of it."""
    height, width = pixels.shape[:2]
    scale = max(1.0, max(width, height) / _SIDE)
    small = _resized(pixels, max(1, round(width / scale)), max(1, round(height / scale)))
    rows, columns = _without_margins(small)
    disc = _find_disc(brightest(np.ascontiguousarray(small[rows, columns])))
    if disc:
        x, y = disc.x + columns.start, disc.y + rows.start
        return Disc(x * scale, y * scale, disc.radius * scale)
    return _rectangle(rows, columns, small.shape, scale)


def _find_disc(light: Pixels) -> Disc | None:
    """Return the lit disc in a small copy, in px of it; None without one."""
    lit = _without_surround(light)
    if lit is None:
        return None
    edge = _edge(lit)
    if len(edge) < 8:
        return None
    x, y, radius, deviation = _fit_circle(edge)
    size = min(radius, max(lit.shape))  # of the part that can be seen
    disc = Disc(x, y, radius - _RIM * size)
    if deviation > _MAX_DEVIATION * size or lit[disc.mask(lit.shape)].sum() < _MIN_LIT * lit.sum():
        return None
    return disc


def _without_margins(small: Pixels) -> tuple[slice, slice]:
    """Return the rows and the columns between the margins of a small copy."""
    height, width = small.shape[:2]
    turned = small.swapaxes(0, 1)
    rows = slice(_margin(small), height - _margin(small[::-1]))
    columns = slice(_margin(turned), width - _margin(turned[::-1]))
    if small[rows, columns].size < _MIN_VIEW * small.size:
        return slice(0, height), slice(0, width)
    return rows, columns


def _rectangle(
    rows: slice, columns: slice, shape: tuple[int, ...], scale: float
) -> Rectangle | None:
    """Return some rows and columns of a small copy in px of the picture; None for all of them."""
    left, right = _ends(columns, shape[1], scale)
    top, bottom = _ends(rows, shape[0], scale)
    is_all = not any(map(math.isfinite, (left, top, right, bottom)))
    return None if is_all else Rectangle(left, top, right, bottom)


def _ends(lines: slice, count: int, scale: float) -> tuple[float, float]:
    start = lines.start * scale if lines.start else -math.inf
    return start, lines.stop * scale if lines.stop < count else math.inf


def _margin(lines: Pixels) -> int:
    """Return the number of lines of the margin at the top of a picture `[h, w, 3]`, 0 without.

    The first line of the field counts as one of the margin: it may be partly that.
    """
    color = np.median(lines[0], axis=0)
    if _differing(lines[:1], color)[0] > 1 - _UNIFORM:
        return 0
    share = _differing(lines, color)
    most = share.max()
    if most < _OTHER:
        return 0
    start = _longest_run(share >= _RUN * most)
    above = share[max(start - 2, 0)]  # the next line may be partly margin, partly field
    return start + 1 if start and above <= _ABOVE * most else 0


def _longest_run(inside: Bools) -> int:
    """Return where the longest run of True begins, `[n]` with one or more."""
    ends = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]])))
    starts, stops = ends[::2], ends[1::2]
    return int(starts[np.argmax(stops - starts)])


def _differing(lines: Pixels, color: Floats) -> Floats:
    """Return the share of the pixels of each line `[h, w, 3]` that have another colour, `[h]`."""
    return np.asarray((np.abs(lines - color) > _SAME).any(axis=2).mean(axis=1))


def fill_surround(pixels: Pixels, view: FieldOfView) -> Pixels:
    """Return a picture in which the surround has the colour of the background of the slide.

    That is the median colour of the brighter half of the field of view.
    """
    filled = pixels.copy()
    filled[~view.mask(pixels.shape)] = _background_color(pixels, view)
    return filled


def _without_surround(light: Pixels) -> Bools | None:
    """Return the largest region that is not dark surround, holes filled; None without surround."""
    dark = (light < _DARK * np.percentile(light, 95)).astype(np.uint8)
    surround = _at_the_border(dark)
    if surround.mean() < _MIN_SURROUND:
        return None
    count, labels, measures, _ = cv2.connectedComponentsWithStats((~surround).astype(np.uint8))
    if count < 2:
        return None
    disc: Bools = labels == 1 + int(measures[1:, cv2.CC_STAT_AREA].argmax())
    return disc if disc.mean() >= _MIN_VIEW else None


def _at_the_border(mask: Pixels) -> Bools:
    """Return the connected regions of a mask that touch the border of the picture."""
    _, labels = cv2.connectedComponents(mask)
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    return np.isin(labels, border[border > 0])


def _edge(disc: Bools) -> Floats:
    """Return the points (x, y) of the disc's edge that are not on the border: float `[n, 2]`."""
    contours, _ = cv2.findContours(disc.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    points = max(contours, key=len)[:, 0]
    end = np.array(disc.shape[::-1]) - 1
    inner = ((points > 0) & (points < end)).all(axis=1)
    return np.asarray(points[inner] + 0.5)


def _fit_circle(points: Floats) -> tuple[float, float, float, float]:
    """Return x, y, radius and root mean square deviation of a circle through points `[n, 2]`.

    The algebraic least-squares fit (Kåsa 1976): x² + y² = 2 a x + 2 b y + c is linear in a, b, c.
    It also fits an arc, as where the picture's border cuts the disc.
    """
    terms = np.column_stack([2 * points, np.ones(len(points))])
    (x, y, c), *_ = np.linalg.lstsq(terms, (points**2).sum(axis=1), rcond=None)
    radius = float(np.sqrt(max(c + x * x + y * y, 0)))
    distances = np.hypot(points[:, 0] - x, points[:, 1] - y)
    return float(x), float(y), radius, float(np.sqrt(np.mean((distances - radius) ** 2)))


def _background_color(pixels: Pixels, view: FieldOfView) -> Pixels:
    height, width = pixels.shape[:2]
    small = _resized(pixels, _SIDE, _SIDE)
    y, x = (np.arange(_SIDE) + 0.5) / _SIDE * height, (np.arange(_SIDE) + 0.5) / _SIDE * width
    inside = small[view.contains(x[None], y[:, None])]
    light = inside.max(axis=1)
    return np.asarray(np.median(inside[light >= np.median(light)], axis=0).astype(np.uint8))


def _resized(pixels: Pixels, width: int, height: int) -> Pixels:
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
