"""Synthetic cells: drawn, not photographed, and openly called so.

They stand in for NLM's file in the demo and in tests; no figure measured on them says anything
about a real smear. Each infected cell has a parasite where an uninfected one has a decoy of
like size and darkness, so that form tells the classes apart: cytoplasm with chromatin on it,
not how dark a cell is, or where.

A cell comes about as its picture does in a microscope: inks lie on a canvas as optical
densities, light falls through them (Beer-Lambert), the lens blurs, the sensor adds noise, and
a coarse segmentation cuts the cell out.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from hemozoin.cells.picture import Pixels
from hemozoin.errors import DataError
from hemozoin.progress import track

Floats = npt.NDArray[np.float32]
Rng = np.random.Generator

#: Optical densities (R, G, B) of red cells as Giemsa and different buffers leave them:
#: pink, salmon, lilac, blue-grey, greenish grey.
_STAINS = np.array(
    [
        (0.06, 0.50, 0.38),
        (0.05, 0.38, 0.46),
        (0.26, 0.42, 0.24),
        (0.34, 0.27, 0.14),
        (0.27, 0.19, 0.27),
    ]
)

#: Optical densities (R, G, B) at full amount of what else absorbs light.
_INKS = {
    "cytoplasm": (0.85, 0.55, 0.05),
    "chromatin": (0.25, 1.30, 0.40),
    "pigment": (0.40, 0.65, 0.95),
    "azure": (0.55, 1.40, 0.45),
    "dirt": (1.10, 1.20, 1.00),
}

#: Blur of an ink's own edges in pixels.
_SOFTNESS = {"haemoglobin": 1.8, "pallor": 11.0, "clearing": 2.0, "dirt": 0.5}

_ANGLES = np.linspace(0, 2 * np.pi, 80, endpoint=False)
_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
_MARGIN = 6


@dataclass(frozen=True)
class Patient:
    """What all cells of one patient have in common: the smear, its stain, the microscope.

    `stain`: optical densities (R, G, B) of a red cell. `light`: brightness (0..255) in the
    middle of the empty field; it falls by the share `vignetting` to the field's corners.
    `tint`: gains of the camera (R, G, B), around 1. `blur`: of the lens, in pixels. `noise`:
    of the sensor, in grey levels. `diameter`: mean width of a cell in pixels. `debris`: mean
    number of platelets, specks and scratches on a cell, infected or not.
    """

    stain: tuple[float, ...]
    light: float
    vignetting: float
    tint: tuple[float, ...]
    blur: float
    noise: float
    diameter: float
    debris: float


def draw_patient(rng: Rng) -> Patient:
    """Draw a patient; the stain is a mixture of known ones."""
    mixture = rng.dirichlet(np.full(len(_STAINS), 0.4)) @ _STAINS
    return Patient(
        stain=tuple((mixture * rng.uniform(0.7, 1.2)).tolist()),
        light=rng.uniform(210, 245),
        vignetting=rng.uniform(0.02, 0.15),
        tint=tuple((rng.uniform(0.95, 1.05, 3) * (1, 0.95, 0.9)).tolist()),
        blur=rng.uniform(0.5, 1.2),
        noise=rng.uniform(0.6, 2.2),
        diameter=rng.uniform(122, 142),
        debris=rng.uniform(0.05, 0.4),
    )


def draw_cell(rng: Rng, patient: Patient, infected: bool) -> Pixels:
    """Draw one cell: uint8 `[h, w, 3]`, RGB, 90 to 180 px wide and high.

    As in NLM's file it is cut to its bounding box and black outside of its outline.
    """
    canvas = _Canvas(rng, _outline(rng, patient.diameter))
    _red_cell(canvas)
    bodies = _choose(rng, _PARASITES if infected else _DECOYS, 1 + (rng.random() < 0.25))
    bodies += _choose(rng, _DEBRIS, rng.poisson(patient.debris))
    for body in bodies:
        body(canvas, canvas.place(), rng.uniform(0.6, 1.0))
    return _cut_out(_photograph(rng, patient, canvas), canvas)


def write_synthetic(
    out: Path, patients: int = 24, cells_per_patient: int = 100, seed: int = 0
) -> int:
    """Write a zip of synthetic cells in the layout of NLM's own; return how many.

    Half of each patient's cells are infected. Same arguments, same pixels. The zip appears
    whole or not at all; raises DataError where it can't be written.
    """
    partial = out.with_name(out.name + ".partial")
    total = patients * cells_per_patient
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(partial, "w") as archive:
            for folder in ("Parasitized", "Uninfected"):  # NLM's file has this junk in both
                archive.writestr(_entry(f"cell_images/{folder}/Thumbs.db"), b"no picture")
            cells = _cells(patients, cells_per_patient, seed)
            for name, cell in track(cells, "drawing synthetic cells", total):
                archive.writestr(_entry(name), _png(cell))
        os.replace(partial, out)
    except OSError as error:
        raise DataError(f"{out}: can't be written ({error.strerror or error})") from error
    finally:
        partial.unlink(missing_ok=True)
    return total


def _cells(patients: int, cells_per_patient: int, seed: int) -> Iterator[tuple[str, Pixels]]:
    for number in range(1, patients + 1):
        rng = np.random.default_rng([seed, number])
        patient = draw_patient(rng)
        half = (cells_per_patient + number % 2) // 2
        for cell, rank in enumerate(rng.permutation(cells_per_patient), 1):
            infected = bool(rank < half)
            folder = "Parasitized" if infected else "Uninfected"
            name = f"C{number}P{number}Synthetic_IMG_20260101_000000_cell_{cell}.png"
            yield f"cell_images/{folder}/{name}", draw_cell(rng, patient, infected)


def _entry(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(name, date_time=(2026, 1, 1, 0, 0, 0))


def _png(cell: Pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(cell).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


# ---- the canvas ------------------------------------------------------------------------------


class _Canvas:
    """One cell and what lies in and on it: for each ink a layer of amounts.

    Points are (x, y) in pixels; amounts are 0..1 of an ink's full density. Later paint covers
    earlier paint of the same ink.
    """

    def __init__(self, rng: Rng, outline: Floats) -> None:
        self.rng, self.outline = rng, outline
        self.middle = outline.mean(axis=0)
        width, height = np.ceil(outline.max(axis=0)).astype(int) + _MARGIN
        self.size = (int(width), int(height))
        self._layers: dict[str, Image.Image] = {}

    def place(self) -> Floats:
        """Return a point in the cell; every fifth is at the rim."""
        rng = self.rng
        reach = rng.uniform(0.8, 0.92) if rng.random() < 0.2 else 0.8 * np.sqrt(rng.random())
        return self.middle + np.float32(reach) * (rng.choice(self.outline) - self.middle)

    def fill(self, ink: str, points: Floats, amount: float) -> None:
        self._pen(ink).polygon(points.ravel().tolist(), fill=round(255 * amount))

    def stroke(self, ink: str, points: Floats, width: float, amount: float) -> None:
        self._pen(ink).line(points.ravel().tolist(), round(255 * amount), round(width))

    def blob(self, ink: str, at: Floats, radius: float, amount: float, rough: float = 0.1) -> None:
        self.fill(ink, at + radius * _closed_curve(self.rng, rough), amount)

    def amount(self, ink: str) -> Floats:
        """Return an ink's amounts, edges softened: float32 `[h, w]`."""
        if ink not in self._layers:
            return np.zeros(self.size[::-1], np.float32)
        blur = ImageFilter.BoxBlur(_SOFTNESS.get(ink, 1.1))
        return np.asarray(self._layers[ink].filter(blur), dtype=np.float32) / 255

    def _pen(self, ink: str) -> ImageDraw.ImageDraw:
        layer = self._layers.setdefault(ink, Image.new("L", self.size))
        return ImageDraw.Draw(layer)


def _closed_curve(rng: Rng, rough: float) -> Floats:
    """A wobbly circle of radius 1 around (0, 0): points `[angles, 2]`."""
    waves = np.arange(2, 7)
    height, phase = rng.normal(0, rough / waves), rng.uniform(0, 2 * np.pi, len(waves))
    radius = 1 + np.cos(np.outer(_ANGLES, waves) + phase) @ height
    return (radius.clip(0.3)[:, None] * _CIRCLE).astype(np.float32)


def _outline(rng: Rng, diameter: float) -> Floats:
    """The cell's edge: points `[angles, 2]`, with bites and spikes where neighbours touched."""
    curve = _closed_curve(rng, rng.choice([0.04, 0.08, 0.2], p=[0.5, 0.35, 0.15]))
    for _ in range(rng.poisson(0.5)):
        away = np.angle(np.exp(1j * (_ANGLES - rng.uniform(0, 2 * np.pi))))
        bump = np.exp(-((away / rng.uniform(0.08, 0.4)) ** 2))
        curve = curve * (1 + rng.uniform(-0.4, 0.25) * bump[:, None])
    box = rng.normal(diameter, 9) * np.exp(rng.normal(0, 0.06, 2))
    unit = (curve - curve.min(axis=0)) / np.ptp(curve, axis=0)
    return (unit * box.clip(96, 170) + _MARGIN).astype(np.float32)


def _red_cell(canvas: _Canvas) -> None:
    """Haemoglobin a little inside the outline (a bright rim stays), with or without pallor."""
    rng = canvas.rng
    edge = canvas.middle + rng.uniform(0.96, 1.0) * (canvas.outline - canvas.middle)
    body = rng.normal(0.6, 0.05)
    canvas.fill("haemoglobin", edge, body)
    rim = np.concatenate([edge, edge[:2]])
    canvas.stroke("haemoglobin", rim, rng.uniform(3, 9), body + rng.choice([0, 0, 0.1, 0.2]))
    if rng.random() < 0.25:  # a shadow on one side
        canvas.stroke("haemoglobin", edge[: rng.integers(13, 40)], 10, body + 0.15)
    at = canvas.middle + rng.normal(0, 6, 2)
    canvas.blob("pallor", at, rng.uniform(12, 32), rng.choice([0.05, 0.15, 0.35]), rough=0.3)


# ---- parasites -------------------------------------------------------------------------------

Body = Callable[[_Canvas, Floats, float], None]


def _ring(canvas: _Canvas, at: Floats, strength: float) -> None:
    """Ring form: cytoplasm around a vacuole that may reach its edge, one or two dots on it."""
    rng = canvas.rng
    radius, thickness = rng.uniform(9, 20), rng.uniform(3, 6)
    curve = _closed_curve(rng, 0.2) * rng.uniform([0.7, 0.7], 1)
    hole = at + (radius - thickness) * curve + rng.normal(0, 0.4 * thickness, 2)
    canvas.fill("cytoplasm", at + radius * curve, strength)
    canvas.fill("cytoplasm", hole, rng.uniform(0, 0.4) * strength)
    canvas.fill("clearing", hole, rng.uniform(0, 0.3))
    edge = at + (radius - thickness / 2) * np.roll(curve, rng.integers(len(curve)), axis=0)
    for dot in edge[[0, 10]][: 1 + (rng.random() < 0.25)]:
        canvas.blob("chromatin", dot, rng.uniform(3.2, 5.5), 0.65 * strength, rough=0.3)


def _trophozoite(canvas: _Canvas, at: Floats, strength: float) -> None:
    """Amoeboid form: ragged cytoplasm, a vacuole, chromatin, first grains of pigment."""
    rng = canvas.rng
    radius = rng.uniform(10, 18)
    body = at + radius * _closed_curve(rng, 0.6)
    canvas.fill("cytoplasm", body, 0.8 * strength)
    canvas.blob("cytoplasm", at, 0.4 * radius, 0.2 * strength, rough=0.3)
    canvas.blob("chromatin", (at + body[0]) / 2, rng.uniform(3.5, 6), 0.6 * strength, rough=0.4)
    for point in rng.permutation(body)[: rng.integers(5)]:
        canvas.blob("pigment", (at + point) / 2, 1.5, strength)


def _schizont(canvas: _Canvas, at: Floats, strength: float) -> None:
    """Merozoites around a clump of brown pigment: hemozoin."""
    rng = canvas.rng
    at, radius = (at + canvas.middle) / 2, rng.uniform(18, 26)
    canvas.blob("cytoplasm", at, radius, 0.3 * strength, rough=0.2)
    for point in rng.permutation(_closed_curve(rng, 0.2))[: rng.integers(6, 13)]:
        away = radius * np.float32(rng.uniform(0.45, 0.95)) * point
        canvas.blob("chromatin", at + away, rng.uniform(2.5, 3.5), 0.7 * strength, rough=0.3)
    canvas.blob("pigment", at, rng.uniform(4, 6), 0.8 * strength, rough=0.5)


# ---- what is no parasite ---------------------------------------------------------------------


def _platelet(canvas: _Canvas, at: Floats, strength: float) -> None:
    """A platelet on top of the cell: purple, granular, without a hole, in a light halo."""
    rng = canvas.rng
    radius = rng.uniform(8, 14)
    body = at + radius * _closed_curve(rng, 0.3)
    canvas.blob("clearing", at, radius + rng.uniform(2, 6), rng.uniform(0.1, 0.5))
    canvas.fill("azure", body, 0.35 * strength)
    for point in body[rng.integers(len(body), size=14)]:
        grain = at + np.float32(0.8 * rng.random()) * (point - at)
        canvas.blob("azure", grain, rng.uniform(1.2, 2.6), rng.uniform(0.6, 1) * strength)


def _specks(canvas: _Canvas, at: Floats, strength: float) -> None:
    """Grains of precipitated stain: dark and crisp."""
    rng = canvas.rng
    for offset in rng.normal(0, 14, (rng.integers(1, 5), 2)).astype(np.float32):
        canvas.blob("dirt", at + offset, rng.uniform(1.2, 3.8), strength, rough=0.4)


def _howell_jolly(canvas: _Canvas, at: Floats, strength: float) -> None:
    """A rest of the nucleus: one round dot of chromatin without any cytoplasm."""
    canvas.blob("azure", at, canvas.rng.uniform(3, 5), strength, rough=0.05)


def _bubble(canvas: _Canvas, at: Floats, strength: float) -> None:
    """Drying artefact: a refractile ring, bright within, without chromatin."""
    rng = canvas.rng
    edge = at + rng.uniform(7, 15) * _closed_curve(rng, 0.2)
    canvas.fill("clearing", edge, rng.uniform(0.3, 0.8))
    canvas.stroke("dirt", np.concatenate([edge, edge[:2]]), rng.uniform(1.5, 3.5), 0.7 * strength)


def _scratch(canvas: _Canvas, at: Floats, strength: float) -> None:
    """A bent line across the cell, dark or bright."""
    rng = canvas.rng
    ends = at + rng.normal(0, 35, (2, 2))
    line = np.stack([ends[0], at + rng.normal(0, 5, 2), ends[1]]).astype(np.float32)
    ink = "dirt" if rng.random() < 0.6 else "clearing"
    canvas.stroke(ink, line, rng.uniform(1, 2.5), 0.6 * strength)


def _nothing(canvas: _Canvas, at: Floats, strength: float) -> None:
    """Most real cells are clean; few are here, or darkness would tell the classes apart."""


_PARASITES: dict[Body, float] = {_ring: 0.65, _trophozoite: 0.25, _schizont: 0.1}
_DECOYS: dict[Body, float] = {
    _specks: 0.4,
    _howell_jolly: 0.25,
    _platelet: 0.2,
    _bubble: 0.1,
    _nothing: 0.05,
}
_DEBRIS: dict[Body, float] = {_specks: 0.4, _platelet: 0.3, _scratch: 0.3}


def _choose(rng: Rng, bodies: dict[Body, float], count: int) -> list[Body]:
    picked = rng.choice(len(bodies), size=count, p=list(bodies.values()))
    return [list(bodies)[k] for k in picked]


# ---- the picture -----------------------------------------------------------------------------


def _photograph(rng: Rng, patient: Patient, canvas: _Canvas) -> Pixels:
    """Light through the inks, lens, sensor: uint8 `[h, w, 3]`."""
    thin = (1 - canvas.amount("pallor")) * (1 - canvas.amount("clearing"))
    uneven = 1 + _spread(rng.normal(0, 0.05, (9, 9)), canvas.size)
    amounts = [canvas.amount("haemoglobin") / 0.6 * thin * uneven, *map(canvas.amount, _INKS)]
    densities = np.array([patient.stain, *_INKS.values()], np.float32)
    density = np.stack(amounts, axis=-1) @ densities
    light = _spread(_light(rng, patient), canvas.size)[..., None] * np.float32(patient.tint)
    noise = patient.noise * rng.standard_normal(density.shape, dtype=np.float32)
    seen = (light * np.exp(-density) + noise).clip(16, 255).astype(np.uint8)
    return np.asarray(Image.fromarray(seen).filter(ImageFilter.GaussianBlur(patient.blur)))


def _light(rng: Rng, patient: Patient) -> npt.NDArray[np.float64]:
    """The empty field, seen around a random place in it: coarse, `[5, 5]`."""
    x, y = rng.uniform(-1, 1, (2, 1)) + np.linspace(-0.15, 0.15, 5)
    return patient.light * (1 - patient.vignetting / 2 * np.add.outer(y**2, x**2))


def _spread(coarse: npt.NDArray[np.float64], size: tuple[int, int]) -> Floats:
    """Coarse values, smoothly spread over `(width, height)` pixels: `[h, w]`."""
    image = Image.fromarray(coarse.astype(np.float32))
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC))


def _cut_out(picture: Pixels, canvas: _Canvas) -> Pixels:
    """Black outside the outline, cut to its bounding box.

    The outline has steps of 3 px: NLM segmented at a third of the resolution.
    """
    width, height = canvas.size
    small = Image.new("1", (width // 3 + 1, height // 3 + 1))
    ImageDraw.Draw(small).polygon((canvas.outline / 3).ravel().tolist(), fill=1)
    mask = np.asarray(small).repeat(3, axis=0).repeat(3, axis=1)[:height, :width]
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    cell = picture * mask[..., None]
    return cell[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
