"""The lit disc that an eyepiece shows, in a picture whose surround is dark.

A phone held to an eyepiece takes such pictures. The surround is replaced by the colour of the
background of the slide, so that the rest of the program sees an ordinary field; what lies at the
rim of the disc is cut by the edge, as at the border of a picture.

    picture ── small copy ── dark pixels connected to the border ── circle fitted to their edge
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from hemozoin.arrays import Bools, Floats, Pixels
from hemozoin.data.cutout import brightest

#: Longer side in px of the copy in which the disc is found.
_SIDE = 256

#: A pixel is dark below this share of the field's bright pixels (95th percentile).
_DARK = 0.45

#: Least share of the picture that a surround covers, and least share that the disc covers.
_MIN_SURROUND, _MIN_DISC = 0.03, 0.15

#: Largest root mean square distance of the disc's edge from the fitted circle, in radii.
_MAX_DEVIATION = 0.03

#: Share of the radius that is left out at the rim, where the light falls off.
_RIM = 0.03


@dataclass(frozen=True)
class FieldOfView:
    """A lit disc: its centre and its radius, without the rim, in px of the picture."""

    x: float
    y: float
    radius: float

    def mask(self, shape: tuple[int, ...]) -> Bools:
        """Return which pixels of a picture with this shape, `(H, W, ...)`, are in the disc."""
        y, x = np.ogrid[: shape[0], : shape[1]]
        return self.contains(x + 0.5, y + 0.5)

    def contains(self, x: Floats, y: Floats) -> Bools:
        """Return which of these places, in px, are in the disc; arrays of the same shape."""
        inside: Bools = (x - self.x) ** 2 + (y - self.y) ** 2 <= self.radius**2
        return inside


def find_field_of_view(pixels: Pixels) -> FieldOfView | None:
    """Return the lit disc in a picture, uint8 `[H, W, 3]`; None where light reaches all of it."""
    height, width = pixels.shape[:2]
    scale = max(1.0, max(width, height) / _SIDE)
    light = brightest(_resized(pixels, max(1, round(width / scale)), max(1, round(height / scale))))
    disc = _without_surround(light)
    if disc is None:
        return None
    edge = _edge(disc)
    if len(edge) < 8:
        return None
    x, y, radius, deviation = _fit_circle(edge)
    if deviation > _MAX_DEVIATION * radius:
        return None
    return FieldOfView(x * scale, y * scale, radius * scale * (1 - _RIM))


def fill_surround(pixels: Pixels, view: FieldOfView) -> Pixels:
    """Return a picture in which the surround has the colour of the background of the slide.

    That is the median colour of the brighter half of the disc.
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
    return disc if disc.mean() >= _MIN_DISC else None


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
