"""What lies on the glass of a smear, each on a small layer of its own.

A layer is painted at the scale of the single cells and shrunk to the field's: parasites and
dirt are the same bodies at both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from hemozoin.arrays import Floats
from hemozoin.synthetic.canvas import Canvas, Rng, smooth_outline
from hemozoin.synthetic.cell import Patient, densities
from hemozoin.synthetic.inclusions import (
    DECOYS,
    PARASITES,
    Inclusion,
    draw_inclusions,
    platelet,
    red_cell,
    specks,
)

#: Diameter in px of a red cell as it is painted; the bodies' sizes fit it.
PAINTED = 130.0

#: Share of the uninfected cells that have something on them that is no parasite.
WITH_DECOY = 0.01

#: Mean optical density from which on a place belongs to what is drawn; a red cell has .2 to .5.
_SEEN = 0.05


@dataclass(frozen=True, eq=False)
class DensityLayer:
    """Optical densities, float32 `[h, w, 3]`, and where the drawn is in it: x, y, width, height."""

    density: Floats
    box: tuple[int, int, int, int]

    @property
    def radius(self) -> float:
        """Return half of the larger side of the box."""
        return max(self.box[2:]) / 2


def draw_red_cell(rng: Rng, patient: Patient, infected: bool, scale: float) -> DensityLayer:
    """Draw a red cell; most of the uninfected are clean. Nothing in it reaches over its edge."""
    edge = smooth_outline(rng, PAINTED, rng.choice([0.03, 0.06, 0.12], p=[0.6, 0.3, 0.1]), 0.06)
    canvas = Canvas(rng, edge)
    red_cell(canvas)
    canvas.fill("inside", edge, 1)
    bodies = draw_inclusions(rng, PARASITES, 1 + (rng.random() < 0.2)) if infected else []
    if not infected and rng.random() < WITH_DECOY:
        bodies = draw_inclusions(rng, DECOYS, 1)
    for body in bodies:
        body(canvas, canvas.place(), 1 - 0.4 * rng.random() ** 2)
    return _layer(densities(canvas, patient) * canvas.amount("inside")[..., None], scale)


def draw_white_cell(rng: Rng, patient: Patient, scale: float) -> DensityLayer:
    """Draw a white cell: pale granular cytoplasm, a dark purple nucleus of one to five lobes."""
    diameter = PAINTED * rng.uniform(1.4, 1.9)
    canvas = Canvas(rng, smooth_outline(rng, diameter, 0.12, 0.05))
    canvas.fill("cytoplasm", canvas.outline, rng.uniform(0.1, 0.25))
    canvas.fill("azure", canvas.outline, rng.uniform(0.05, 0.12))
    for rim in rng.choice(canvas.outline, 150):
        grain = canvas.middle + 0.95 * np.sqrt(rng.random()) * (rim - canvas.middle)
        canvas.blob("azure", grain, rng.uniform(1.5, 4), rng.uniform(0.15, 0.3))
    _nucleus(canvas, diameter, int(rng.integers(1, 6)))
    return _layer(densities(canvas, patient), scale)


def _nucleus(canvas: Canvas, diameter: float, lobes: int) -> None:
    """Lobes on an arc around the middle, with strands between them; a single one is large."""
    rng, dark = canvas.rng, canvas.rng.uniform(0.75, 1)
    if lobes == 1:
        canvas.blob("azure", canvas.middle + rng.normal(0, 6, 2), 0.37 * diameter, dark, rough=0.15)
        return
    angles = rng.uniform(0, 2 * np.pi) + np.arange(lobes) * rng.uniform(1.0, 1.3)
    away = 0.22 * diameter * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    lobe = canvas.middle + away + rng.normal(0, 0.03 * diameter, away.shape)
    canvas.stroke("azure", lobe, 0.08 * diameter, dark)
    for at in lobe:
        canvas.blob("azure", at, diameter * rng.uniform(0.12, 0.17), dark, rough=0.2)


def draw_platelet(rng: Rng, patient: Patient, scale: float) -> DensityLayer:
    """Draw a platelet between the cells."""
    return _dot(rng, patient, platelet, scale * rng.uniform(1, 1.8))


def draw_debris(rng: Rng, patient: Patient, scale: float) -> DensityLayer:
    """Draw grains of precipitated stain on the glass."""
    return _dot(rng, patient, specks, scale)


def _dot(rng: Rng, patient: Patient, body: Inclusion, scale: float) -> DensityLayer:
    """Draw a small body by itself; its canvas has the size of a cell."""
    canvas = Canvas(rng, smooth_outline(rng, PAINTED, 0, 0))
    body(canvas, canvas.middle, rng.uniform(0.6, 1))
    return _layer(densities(canvas, patient), scale)


def _layer(density: Floats, scale: float) -> DensityLayer:
    height, width = density.shape[:2]
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    channels = [Image.fromarray(density[..., k]) for k in range(3)]
    small = np.stack([np.asarray(c.resize(size, Image.Resampling.BILINEAR)) for c in channels], -1)
    mean = small.mean(axis=2)
    seen = mean > min(_SEEN, mean.max() / 2)  # a speck fades as it is shrunk
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    x, y = int(columns[0]), int(rows[0])
    return DensityLayer(small, (x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y))
