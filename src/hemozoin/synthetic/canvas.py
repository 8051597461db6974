"""The canvas of one cell: for each ink, a layer of amounts that stand for optical densities."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from hemozoin.arrays import Floats

Rng = np.random.Generator

#: Optical densities (R, G, B) of the inks at full amount; the stain of the cell is the patient's.
INKS = {
    "cytoplasm": (0.85, 0.55, 0.05),
    "chromatin": (0.25, 1.30, 0.40),
    "pigment": (0.40, 0.65, 0.95),
    "azure": (0.55, 1.40, 0.45),
    "dirt": (1.10, 1.20, 1.00),
}

#: Radius in px by which the edges of an ink are blurred, if it is not 1.1.
_BLUR = {"haemoglobin": 1.8, "pallor": 11.0, "clearing": 2.0, "dirt": 0.5}

_ANGLES = np.linspace(0, 2 * np.pi, 80, endpoint=False)
_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
_MARGIN = 6


class Canvas:
    """One cell with everything in and on it: for each ink a layer of amounts.

    Points are (x, y) in pixels; amounts are 0..1 of the full density of an ink. Where an ink is
    drawn twice, the later amount counts.
    """

    def __init__(self, rng: Rng, outline: Floats) -> None:
        self.rng, self.outline = rng, outline
        self.middle: Floats = outline.mean(axis=0)
        width, height = np.ceil(outline.max(axis=0)).astype(int).tolist()
        self.size = (width + _MARGIN, height + _MARGIN)
        self._layers: dict[str, Image.Image] = {}

    def random_point(self) -> Floats:
        """Return a random point in the cell, in one of five cases close to the rim."""
        rng = self.rng
        distance = rng.uniform(0.8, 0.92) if rng.random() < 0.2 else 0.8 * np.sqrt(rng.random())
        rim: Floats = rng.choice(self.outline)
        return self.middle + distance * (rim - self.middle)

    def fill(self, ink: str, points: Floats, amount: float) -> None:
        """Fill the polygon with these corners."""
        self._pen(ink).polygon(points.ravel().tolist(), fill=round(255 * amount))

    def stroke(self, ink: str, points: Floats, width: float, amount: float) -> None:
        """Draw a line through the points."""
        self._pen(ink).line(points.ravel().tolist(), round(255 * amount), round(width))

    def blob(self, ink: str, at: Floats, radius: float, amount: float, rough: float = 0.1) -> None:
        """Fill an irregular disc."""
        self.fill(ink, at + radius * closed_curve(self.rng, rough), amount)

    def amount(self, ink: str) -> Floats:
        """Return the amounts of an ink with blurred edges: float32 `[h, w]`."""
        if ink not in self._layers:
            return np.zeros(self.size[::-1], np.float32)
        layer = self._layers[ink].filter(ImageFilter.BoxBlur(_BLUR.get(ink, 1.1)))
        return np.asarray(layer, dtype=np.float32) / np.float32(255)

    def _pen(self, ink: str) -> ImageDraw.ImageDraw:
        return ImageDraw.Draw(self._layers.setdefault(ink, Image.new("L", self.size)))


def closed_curve(rng: Rng, rough: float) -> Floats:
    """Return an irregular circle of radius 1 around (0, 0): points `[angles, 2]`."""
    waves = np.arange(2, 7)
    height, phase = rng.normal(0, rough / waves), rng.uniform(0, 2 * np.pi, len(waves))
    radius = 1 + np.cos(np.outer(_ANGLES, waves) + phase) @ height
    curve: Floats = _CIRCLE * radius.clip(0.3)[:, None]
    return curve


def irregular_outline(rng: Rng, diameter: float) -> Floats:
    """Return the outline of a cell, points `[angles, 2]`, with dents and spikes of neighbours."""
    curve = closed_curve(rng, rng.choice([0.04, 0.08, 0.2], p=[0.5, 0.35, 0.15]))
    for _ in range(rng.poisson(0.5)):
        away = np.angle(np.exp(1j * (_ANGLES - rng.uniform(0, 2 * np.pi))))
        bump = np.exp(-((away / rng.uniform(0.08, 0.4)) ** 2))
        curve = curve * (1 + rng.uniform(-0.4, 0.25) * bump[:, None])
    box = rng.normal(diameter, 9) * np.exp(rng.normal(0, 0.06, 2))
    return _boxed(curve, box.clip(96, 170))


def smooth_outline(rng: Rng, diameter: float, rough: float, uneven: float) -> Floats:
    """Return an outline without dents: points `[angles, 2]` of a rotated oval.

    `uneven` is the standard deviation of its width and height, as a share of the diameter.
    """
    oval = closed_curve(rng, rough) * np.exp(rng.normal(0, uneven, 2))
    angle = rng.uniform(0, np.pi)
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    rotated = oval @ rotation
    return _boxed(rotated, diameter / 2 * np.ptp(rotated, axis=0))


def _boxed(curve: Floats, box: Floats) -> Floats:
    """Stretch a curve to a box (width, height) at a margin from (0, 0)."""
    unit = (curve - curve.min(axis=0)) / np.ptp(curve, axis=0)
    boxed: Floats = unit * box + _MARGIN
    return boxed
