"""The objects of a smear, each on a small layer of its own.

A layer is drawn at the scale of the single cells and then reduced to the scale of the field, so
that both scales have the same parasites and artefacts.
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
    choose_inclusions,
    draw_haemoglobin,
    platelet,
    specks,
)

#: Diameter in px of a red cell as it is drawn; the sizes of the inclusions fit this.
DRAWN_DIAMETER = 130.0

#: Share of the uninfected cells with an object on them that is not a parasite.
DECOY_SHARE = 0.01

#: Least mean optical density of a pixel within the box of an object; a red cell has 0.2 to 0.5.
_VISIBLE = 0.05


@dataclass(frozen=True, eq=False)
class DensityLayer:
    """Optical densities, float32 `[h, w, 3]`, and the box of the object: x, y, width, height."""

    density: Floats
    box: tuple[int, int, int, int]

    @property
    def radius(self) -> float:
        """Return half of the larger side of the box."""
        return max(self.box[2:]) / 2


def draw_red_cell(rng: Rng, patient: Patient, infected: bool, scale: float) -> DensityLayer:
    """Draw a red cell; most uninfected ones are clean, and nothing extends beyond the outline."""
    outline = smooth_outline(
        rng, DRAWN_DIAMETER, rng.choice([0.03, 0.06, 0.12], p=[0.6, 0.3, 0.1]), 0.06
    )
    canvas = Canvas(rng, outline)
    draw_haemoglobin(canvas)
    canvas.fill("inside", outline, 1)
    inclusions = choose_inclusions(rng, PARASITES, 1 + (rng.random() < 0.2)) if infected else []
    if not infected and rng.random() < DECOY_SHARE:
        inclusions = choose_inclusions(rng, DECOYS, 1)
    for inclusion in inclusions:
        inclusion(canvas, canvas.random_point(), 1 - 0.4 * rng.random() ** 2)
    return _reduced(densities(canvas, patient) * canvas.amount("inside")[..., None], scale)


def draw_white_cell(rng: Rng, patient: Patient, scale: float) -> DensityLayer:
    """Draw a white cell: pale granular cytoplasm and a dark purple nucleus of one to five lobes."""
    diameter = DRAWN_DIAMETER * rng.uniform(1.4, 1.9)
    canvas = Canvas(rng, smooth_outline(rng, diameter, 0.12, 0.05))
    canvas.fill("cytoplasm", canvas.outline, rng.uniform(0.1, 0.25))
    canvas.fill("azure", canvas.outline, rng.uniform(0.05, 0.12))
    for rim in rng.choice(canvas.outline, 150):
        grain = canvas.middle + 0.95 * np.sqrt(rng.random()) * (rim - canvas.middle)
        canvas.blob("azure", grain, rng.uniform(1.5, 4), rng.uniform(0.15, 0.3))
    _nucleus(canvas, diameter, int(rng.integers(1, 6)))
    return _reduced(densities(canvas, patient), scale)


def _nucleus(canvas: Canvas, diameter: float, lobes: int) -> None:
    """Draw lobes on an arc around the middle, with strands between them, or one large lobe."""
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
    return _draw_alone(rng, patient, platelet, scale * rng.uniform(1, 1.8))


def draw_debris(rng: Rng, patient: Patient, scale: float) -> DensityLayer:
    """Draw grains of precipitated stain between the cells."""
    return _draw_alone(rng, patient, specks, scale)


def _draw_alone(rng: Rng, patient: Patient, inclusion: Inclusion, scale: float) -> DensityLayer:
    """Draw an inclusion without a cell, on a canvas of the size of a cell."""
    canvas = Canvas(rng, smooth_outline(rng, DRAWN_DIAMETER, 0, 0))
    inclusion(canvas, canvas.middle, rng.uniform(0.6, 1))
    return _reduced(densities(canvas, patient), scale)


def _reduced(density: Floats, scale: float) -> DensityLayer:
    """Return densities at the scale of the field, with the box of what is visible."""
    height, width = density.shape[:2]
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    channels = [Image.fromarray(density[..., k]) for k in range(3)]
    small = np.stack([np.asarray(c.resize(size, Image.Resampling.BILINEAR)) for c in channels], -1)
    mean = small.mean(axis=2)
    visible = mean > min(_VISIBLE, mean.max() / 2)  # a speck becomes fainter when it is reduced
    rows, columns = np.flatnonzero(visible.any(axis=1)), np.flatnonzero(visible.any(axis=0))
    x, y = int(columns[0]), int(rows[0])
    return DensityLayer(small, (x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y))
