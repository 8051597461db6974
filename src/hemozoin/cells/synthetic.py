"""Synthetic cells: drawn, not photographed, and openly called so.

They stand in for NLM's file in the demo and in tests; no figure measured on them says anything
about a real smear. Each infected cell has a parasite where an uninfected one has a decoy of
like darkness, so that form and colour tell the classes apart: blue cytoplasm with chromatin on
it, not how dark a cell is, or where.

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
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from hemozoin.cells.picture import Pixels
from hemozoin.errors import DataError
from hemozoin.progress import track

Floats = npt.NDArray[np.floating[Any]]
Rng = np.random.Generator

#: Optical densities (R, G, B) of red cells as Giemsa in different buffers leaves them:
#: pink, salmon, lilac, blue-grey, greenish grey.
_PINKS, _GREYS = [(0.06, 0.50, 0.38), (0.05, 0.38, 0.46)], [(0.34, 0.27, 0.14), (0.27, 0.19, 0.27)]
_STAINS = np.array([*_PINKS, (0.26, 0.42, 0.24), *_GREYS])

#: Optical densities (R, G, B) at full amount of what else absorbs light.
_INKS = {
    "cytoplasm": (0.85, 0.55, 0.05),
    "chromatin": (0.25, 1.30, 0.40),
    "pigment": (0.40, 0.65, 0.95),
    "azure": (0.55, 1.40, 0.45),
    "dirt": (1.10, 1.20, 1.00),
}

#: How far the edges of an ink fade, in pixels; 1.1 where nothing else is said.
_FADE = {"haemoglobin": 1.8, "pallor": 11.0, "clearing": 2.0, "dirt": 0.5}

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
        blur=rng.uniform(0.6, 1.5),
        noise=rng.uniform(1, 3),
        diameter=rng.uniform(122, 142),
        debris=rng.uniform(0.05, 0.4),
    )


def draw_cell(rng: Rng, patient: Patient, infected: bool) -> Pixels:
    """Draw one cell: uint8 `[h, w, 3]`, RGB, 90 to 180 px wide and high.

    As in NLM's file it is cut to its bounding box and black (0) outside of its outline; inside
    every channel is at least 16.
    """
    canvas = _Canvas(rng, _outline(rng, patient.diameter))
    _red_cell(canvas)
    bodies = _choose(rng, _PARASITES if infected else _DECOYS, 1 + (rng.random() < 0.25))
    bodies += _choose(rng, _DEBRIS, rng.poisson(patient.debris))
    for body in bodies:
        body(canvas, canvas.place(), 1 - 0.5 * rng.random() ** 2)  # few are faint
    return _cut_out(_photograph(canvas, patient), canvas)


def write_synthetic(
    out: Path, patients: int = 24, cells_per_patient: int = 100, seed: int = 0
) -> int:
    """Write a zip of synthetic cells in the layout of NLM's own; return how many.

    Half of each patient's cells are infected. Same arguments, same pixels. The zip appears
    whole or not at all; raises DataError where it can't be written.
    """
    total = patients * cells_per_patient
    cells = _cells(patients, cells_per_patient, seed)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _write_zip(out, track(cells, "drawing synthetic cells", total))
    except OSError as error:
        raise DataError(f"{out}: can't be written ({error.strerror or error})") from error
    return total


def _write_zip(out: Path, cells: Iterator[tuple[str, Pixels]]) -> None:
    partial = out.with_name(f"{out.name}.{os.getpid()}.partial")
    try:
        with zipfile.ZipFile(partial, "w") as archive:
            for folder in ("Parasitized", "Uninfected"):  # NLM's file has this junk in both
                archive.writestr(_entry(f"cell_images/{folder}/Thumbs.db"), b"no picture")
            for name, cell in cells:
                archive.writestr(_entry(name), _png(cell))
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)


def _cells(patients: int, cells_per_patient: int, seed: int) -> Iterator[tuple[str, Pixels]]:
    for number in range(1, patients + 1):
        rng = np.random.default_rng([seed, number])
        patient = draw_patient(rng)
        half = (cells_per_patient + number % 2) // 2
        for cell, rank in enumerate(rng.permutation(cells_per_patient), 1):
            folder = "Parasitized" if rank < half else "Uninfected"
            name = f"C{number}P{number}Synthetic_IMG_20260101_000000_cell_{cell}.png"
            yield f"cell_images/{folder}/{name}", draw_cell(rng, patient, bool(rank < half))


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
        self.middle: Floats = outline.mean(axis=0)
        width, height = np.ceil(outline.max(axis=0)).astype(int).tolist()
        self.size = (width + _MARGIN, height + _MARGIN)
        self._layers: dict[str, Image.Image] = {}

    def place(self) -> Floats:
        """Return a point in the cell; every fifth is at the rim."""
        rng = self.rng
        reach = rng.uniform(0.8, 0.92) if rng.random() < 0.2 else 0.8 * np.sqrt(rng.random())
        rim: Floats = rng.choice(self.outline)
        return self.middle + reach * (rim - self.middle)

    def fill(self, ink: str, points: Floats, amount: float) -> None:
        self._pen(ink).polygon(points.ravel().tolist(), fill=round(255 * amount))

    def stroke(self, ink: str, points: Floats, width: float, amount: float) -> None:
        self._pen(ink).line(points.ravel().tolist(), round(255 * amount), round(width))

    def blob(self, ink: str, at: Floats, radius: float, amount: float, rough: float = 0.1) -> None:
        self.fill(ink, at + radius * _closed_curve(self.rng, rough), amount)

    def amount(self, ink: str) -> Floats:
        """Return an ink's amounts, its edges faded: float32 `[h, w]`."""
        if ink not in self._layers:
            return np.zeros(self.size[::-1], np.float32)
        layer = self._layers[ink].filter(ImageFilter.BoxBlur(_FADE.get(ink, 1.1)))
        return np.asarray(layer, dtype=np.float32) / np.float32(255)

    def _pen(self, ink: str) -> ImageDraw.ImageDraw:
        return ImageDraw.Draw(self._layers.setdefault(ink, Image.new("L", self.size)))


def _closed_curve(rng: Rng, rough: float) -> Floats:
    """A wobbly circle of radius 1 around (0, 0): points `[angles, 2]`."""
    waves = np.arange(2, 7)
    height, phase = rng.normal(0, rough / waves), rng.uniform(0, 2 * np.pi, len(waves))
    radius = 1 + np.cos(np.outer(_ANGLES, waves) + phase) @ height
    curve: Floats = _CIRCLE * radius.clip(0.3)[:, None]
    return curve


def _outline(rng: Rng, diameter: float) -> Floats:
    """The cell's edge: points `[angles, 2]`, with bites and spikes where neighbours touched."""
    curve = _closed_curve(rng, rng.choice([0.04, 0.08, 0.2], p=[0.5, 0.35, 0.15]))
    for _ in range(rng.poisson(0.5)):
        away = np.angle(np.exp(1j * (_ANGLES - rng.uniform(0, 2 * np.pi))))
        bump = np.exp(-((away / rng.uniform(0.08, 0.4)) ** 2))
        curve = curve * (1 + rng.uniform(-0.4, 0.25) * bump[:, None])
    box = rng.normal(diameter, 9) * np.exp(rng.normal(0, 0.06, 2))
    unit = (curve - curve.min(axis=0)) / np.ptp(curve, axis=0)
    outline: Floats = unit * box.clip(96, 170) + _MARGIN
    return outline


def _red_cell(canvas: _Canvas) -> None:
    """Haemoglobin a little inside the outline (a bright rim stays), with or without pallor."""
    rng = canvas.rng
    edge = canvas.middle + rng.uniform(0.96, 1) * (canvas.outline - canvas.middle)
    body, rim = rng.normal(0.6, 0.05), rng.choice([0, 0, 0.1, 0.2])
    canvas.fill("haemoglobin", edge, body)
    canvas.stroke("haemoglobin", np.r_[edge, edge[:2]], rng.uniform(3, 9), body + rim)
    if rng.random() < 0.25:  # a shadow on one side
        canvas.stroke("haemoglobin", edge[: rng.integers(13, 40)], 10, body + 0.15)
    at, depth = canvas.middle + rng.normal(0, 6, 2), rng.choice([0.05, 0.15, 0.35])
    canvas.blob("pallor", at, rng.uniform(12, 32), depth, rough=0.3)


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
        away = radius * rng.uniform(0.45, 0.95) * point
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
    for point in rng.choice(body, 14):
        grain = at + 0.8 * rng.random() * (point - at)
        canvas.blob("azure", grain, rng.uniform(1.2, 2.6), rng.uniform(0.6, 1) * strength)


def _specks(canvas: _Canvas, at: Floats, strength: float) -> None:
    """Grains of precipitated stain: dark and crisp."""
    rng = canvas.rng
    for offset in rng.normal(0, 14, (rng.integers(1, 5), 2)):
        canvas.blob("dirt", at + offset, rng.uniform(1.2, 3.8), strength, rough=0.4)


def _howell_jolly(canvas: _Canvas, at: Floats, strength: float) -> None:
    """A rest of the nucleus: one round dot without any cytoplasm."""
    canvas.blob("azure", at, canvas.rng.uniform(3, 5), strength, rough=0.05)


def _bubble(canvas: _Canvas, at: Floats, strength: float) -> None:
    """Drying artefact: a refractile ring, bright within, without chromatin."""
    rng = canvas.rng
    edge = at + rng.uniform(7, 15) * _closed_curve(rng, 0.2)
    canvas.fill("clearing", edge, rng.uniform(0.3, 0.8))
    canvas.stroke("dirt", np.r_[edge, edge[:2]], rng.uniform(1.5, 3.5), 0.7 * strength)


def _scratch(canvas: _Canvas, at: Floats, strength: float) -> None:
    """A bent line across the cell, dark or bright."""
    rng = canvas.rng
    start, end = at + rng.normal(0, 35, (2, 2))
    ink = "dirt" if rng.random() < 0.6 else "clearing"
    canvas.stroke(ink, np.stack([start, at, end]), rng.uniform(1, 2.5), 0.6 * strength)


def _nothing(canvas: _Canvas, at: Floats, strength: float) -> None:
    """Most real cells are clean; few are here, or darkness would tell the classes apart."""


#: How often each is drawn. The decoys are weighted so that the darkest pixels of both classes
#: are alike.
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


def _photograph(canvas: _Canvas, patient: Patient) -> Pixels:
    """Light through the inks, lens, sensor: uint8 `[h, w, 3]`."""
    rng = canvas.rng
    thickness = canvas.amount("haemoglobin") / np.float32(0.6)
    thickness *= (1 - canvas.amount("pallor")) * (1 - canvas.amount("clearing"))
    thickness *= 1 + _spread(rng.normal(0, 0.05, (9, 9)), canvas.size)
    amounts = np.stack([thickness, *map(canvas.amount, _INKS)], axis=-1)
    density = amounts @ np.array([patient.stain, *_INKS.values()], np.float32)
    tint, light = np.array(patient.tint, np.float32), _spread(_light(rng, patient), canvas.size)
    noise = patient.noise * rng.standard_normal(light.shape, dtype=np.float32)
    seen = light[..., None] * tint * np.exp(-density) + noise[..., None]
    seen = seen.clip(16, 255).astype(np.uint8)
    return np.asarray(Image.fromarray(seen).filter(ImageFilter.BoxBlur(patient.blur)))


def _light(rng: Rng, patient: Patient) -> Floats:
    """The empty field, seen around a random place in it: coarse, `[5, 5]`."""
    x, y = rng.uniform(-1, 1, (2, 1)) + np.linspace(-0.15, 0.15, 5)
    return np.asarray(patient.light * (1 - patient.vignetting / 2 * np.add.outer(y**2, x**2)))


def _spread(coarse: Floats, size: tuple[int, int]) -> Floats:
    """Coarse values, smoothly spread over `(width, height)` pixels: float32 `[h, w]`."""
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
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    cell: Pixels = picture[box] * mask[box][..., None]
    return cell
