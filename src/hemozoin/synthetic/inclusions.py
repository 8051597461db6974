"""Objects in and on a red cell: parasites, and other objects that resemble them.

An `Inclusion` draws one of them on a canvas, at a point, with a strength of 0..1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hemozoin.arrays import Floats
from hemozoin.synthetic.canvas import Canvas, Rng, closed_curve

Inclusion = Callable[[Canvas, Floats, float], None]


def draw_haemoglobin(canvas: Canvas) -> None:
    """Draw haemoglobin a little inside the outline (with a bright rim), with or without pallor."""
    rng = canvas.rng
    edge = canvas.middle + rng.uniform(0.96, 1) * (canvas.outline - canvas.middle)
    amount, rim = rng.normal(0.6, 0.05), rng.choice([0, 0, 0.1, 0.2])
    canvas.fill("haemoglobin", edge, amount)
    canvas.stroke("haemoglobin", np.r_[edge, edge[:2]], rng.uniform(3, 9), amount + rim)
    if rng.random() < 0.25:  # a shadow on one side
        canvas.stroke("haemoglobin", edge[: rng.integers(13, 40)], 10, amount + 0.15)
    at, depth = canvas.middle + rng.normal(0, 6, 2), rng.choice([0.05, 0.15, 0.35])
    canvas.blob("pallor", at, rng.uniform(12, 32), depth, rough=0.3)


# ---- parasites ---------------------------------------------------------------------------------


def _ring(canvas: Canvas, at: Floats, strength: float) -> None:
    """Draw a ring form: cytoplasm around a vacuole, and one or two dots of chromatin."""
    rng = canvas.rng
    radius, thickness = rng.uniform(9, 20), rng.uniform(3, 6)
    curve = closed_curve(rng, 0.2) * rng.uniform([0.7, 0.7], 1)
    hole = at + (radius - thickness) * curve + rng.normal(0, 0.4 * thickness, 2)
    canvas.fill("cytoplasm", at + radius * curve, strength)
    canvas.fill("cytoplasm", hole, rng.uniform(0, 0.4) * strength)
    canvas.fill("clearing", hole, rng.uniform(0, 0.3))
    edge = at + (radius - thickness / 2) * np.roll(curve, rng.integers(len(curve)), axis=0)
    for dot in edge[[0, 10]][: 1 + (rng.random() < 0.25)]:
        canvas.blob("chromatin", dot, rng.uniform(3.2, 5.5), 0.65 * strength, rough=0.3)


def _trophozoite(canvas: Canvas, at: Floats, strength: float) -> None:
    """Draw a trophozoite: irregular cytoplasm, a vacuole, chromatin, first grains of pigment."""
    rng = canvas.rng
    radius = rng.uniform(10, 18)
    outline = at + radius * closed_curve(rng, 0.6)
    canvas.fill("cytoplasm", outline, 0.8 * strength)
    canvas.blob("cytoplasm", at, 0.4 * radius, 0.2 * strength, rough=0.3)
    canvas.blob("chromatin", (at + outline[0]) / 2, rng.uniform(3.5, 6), 0.6 * strength, rough=0.4)
    for point in rng.permutation(outline)[: rng.integers(5)]:
        canvas.blob("pigment", (at + point) / 2, 1.5, strength)


def _schizont(canvas: Canvas, at: Floats, strength: float) -> None:
    """Draw a schizont: merozoites around a clump of brown pigment, the hemozoin."""
    rng = canvas.rng
    at, radius = (at + canvas.middle) / 2, rng.uniform(18, 26)
    canvas.blob("cytoplasm", at, radius, 0.3 * strength, rough=0.2)
    for point in rng.permutation(closed_curve(rng, 0.2))[: rng.integers(6, 13)]:
        away = radius * rng.uniform(0.45, 0.95) * point
        canvas.blob("chromatin", at + away, rng.uniform(2.5, 3.5), 0.7 * strength, rough=0.3)
    canvas.blob("pigment", at, rng.uniform(4, 6), 0.8 * strength, rough=0.5)


# ---- other objects -----------------------------------------------------------------------------


def platelet(canvas: Canvas, at: Floats, strength: float) -> None:
    """Draw a platelet on top of the cell: purple, granular, without a hole, with a light halo."""
    rng = canvas.rng
    radius = rng.uniform(8, 14)
    outline = at + radius * closed_curve(rng, 0.3)
    canvas.blob("clearing", at, radius + rng.uniform(2, 6), rng.uniform(0.1, 0.5))
    canvas.fill("azure", outline, 0.35 * strength)
    for point in rng.choice(outline, 14):
        grain = at + 0.8 * rng.random() * (point - at)
        canvas.blob("azure", grain, rng.uniform(1.2, 2.6), rng.uniform(0.6, 1) * strength)


def specks(canvas: Canvas, at: Floats, strength: float) -> None:
    """Draw grains of precipitated stain: dark and sharp."""
    rng = canvas.rng
    for offset in rng.normal(0, 14, (rng.integers(1, 5), 2)):
        canvas.blob("dirt", at + offset, rng.uniform(1.2, 3.8), strength, rough=0.4)


def _howell_jolly(canvas: Canvas, at: Floats, strength: float) -> None:
    """Draw a Howell-Jolly body, a rest of the nucleus: one round dot without cytoplasm."""
    canvas.blob("azure", at, canvas.rng.uniform(3, 5), strength, rough=0.05)


def _bubble(canvas: Canvas, at: Floats, strength: float) -> None:
    """Draw a drying artefact: a refractile ring, bright inside, without chromatin."""
    rng = canvas.rng
    edge = at + rng.uniform(7, 15) * closed_curve(rng, 0.2)
    canvas.fill("clearing", edge, rng.uniform(0.3, 0.8))
    canvas.stroke("dirt", np.r_[edge, edge[:2]], rng.uniform(1.5, 3.5), 0.7 * strength)


def _scratch(canvas: Canvas, at: Floats, strength: float) -> None:
    """Draw a scratch: a bent line across the cell, dark or bright."""
    rng = canvas.rng
    start, end = at + rng.normal(0, 35, (2, 2))
    ink = "dirt" if rng.random() < 0.6 else "clearing"
    canvas.stroke(ink, np.stack([start, at, end]), rng.uniform(1, 2.5), 0.6 * strength)


def _nothing(canvas: Canvas, at: Floats, strength: float) -> None:
    """Draw nothing. More clean cells, as in real data, would let darkness show the class."""


#: Probability of each inclusion. The decoys are weighted so that the darkest pixels of both
#: classes are similar.
PARASITES: dict[Inclusion, float] = {_ring: 0.65, _trophozoite: 0.25, _schizont: 0.1}
DECOYS: dict[Inclusion, float] = {
    specks: 0.4,
    _howell_jolly: 0.25,
    platelet: 0.2,
    _bubble: 0.1,
    _nothing: 0.05,
}
DEBRIS: dict[Inclusion, float] = {specks: 0.4, platelet: 0.3, _scratch: 0.3}


def choose_inclusions(rng: Rng, weights: dict[Inclusion, float], count: int) -> list[Inclusion]:
    """Return `count` random inclusions, chosen with the given probabilities."""
    chosen = rng.choice(len(weights), size=count, p=list(weights.values()))
    return [list(weights)[k] for k in chosen]
