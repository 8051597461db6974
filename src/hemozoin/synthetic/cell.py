"""One cell of a patient: drawn, photographed and cut out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from hemozoin.arrays import Floats, Pixels
from hemozoin.synthetic.canvas import INKS, Canvas, Rng, irregular_outline
from hemozoin.synthetic.inclusions import (
    DEBRIS,
    DECOYS,
    PARASITES,
    choose_inclusions,
    draw_haemoglobin,
)

#: Optical densities (R, G, B) of red cells after Giemsa stain in different buffers: pink, salmon,
#: lilac, blue-grey, greenish grey.
_PINKS, _GREYS = [(0.06, 0.50, 0.38), (0.05, 0.38, 0.46)], [(0.34, 0.27, 0.14), (0.27, 0.19, 0.27)]
_STAINS = np.array([*_PINKS, (0.26, 0.42, 0.24), *_GREYS])


@dataclass(frozen=True)
class Patient:
    """The common properties of all cells of one patient: smear, stain and microscope.

    `stain`: optical densities (R, G, B) of a red cell. `light`: brightness (0..255) in the
    middle of the empty field; in the corners it is lower by the share `vignetting`. `tint`: gains
    of the camera (R, G, B), around 1. `blur`: radius of the blur of the lens, in pixels. `noise`:
    standard deviation of the sensor's noise, in grey levels. `diameter`: mean width of a cell in
    pixels. `debris`: mean number of platelets, specks and scratches on a cell, infected or not.
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
    """Draw a random patient; the stain is a mixture of known ones."""
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

    As in NLM's file it is cropped to its bounding box and black (0) outside its outline; inside,
    every channel is at least 16.
    """
    canvas = Canvas(rng, irregular_outline(rng, patient.diameter))
    draw_haemoglobin(canvas)
    inclusions = choose_inclusions(
        rng, PARASITES if infected else DECOYS, 1 + (rng.random() < 0.25)
    )
    inclusions += choose_inclusions(rng, DEBRIS, rng.poisson(patient.debris))
    for inclusion in inclusions:
        inclusion(canvas, canvas.random_point(), 1 - 0.5 * rng.random() ** 2)  # few are faint
    return _cut_out(_photograph(canvas, patient), canvas)


def densities(canvas: Canvas, patient: Patient) -> Floats:
    """Return the optical densities of all inks: float32 `[h, w, 3]`, 0 where there is no ink.

    The thickness of the stained cell is slightly uneven.
    """
    thickness = canvas.amount("haemoglobin") / np.float32(0.6)
    thickness *= (1 - canvas.amount("pallor")) * (1 - canvas.amount("clearing"))
    thickness *= 1 + upsample(canvas.rng.normal(0, 0.05, (9, 9)), canvas.size)
    amounts = np.stack([thickness, *map(canvas.amount, INKS)], axis=-1)
    absorbed: Floats = amounts @ np.array([patient.stain, *INKS.values()], np.float32)
    return absorbed


def _photograph(canvas: Canvas, patient: Patient) -> Pixels:
    """Return the picture after light, lens and sensor: uint8 `[h, w, 3]`."""
    rng, density = canvas.rng, densities(canvas, patient)
    tint, light = np.array(patient.tint, np.float32), upsample(_light(rng, patient), canvas.size)
    noise = patient.noise * rng.standard_normal(light.shape, dtype=np.float32)
    picture = light[..., None] * tint * np.exp(-density) + noise[..., None]
    picture = picture.clip(16, 255).astype(np.uint8)
    return np.asarray(Image.fromarray(picture).filter(ImageFilter.BoxBlur(patient.blur)))


def _light(rng: Rng, patient: Patient) -> Floats:
    """Return the light around a random place of the field, at low resolution: `[5, 5]`."""
    x, y = rng.uniform(-1, 1, (2, 1)) + np.linspace(-0.15, 0.15, 5)
    return np.asarray(patient.light * (1 - patient.vignetting / 2 * np.add.outer(y**2, x**2)))


def upsample(coarse: Floats, size: tuple[int, int]) -> Floats:
    """Return coarse values, interpolated to `(width, height)` pixels: float32 `[h, w]`."""
    image = Image.fromarray(coarse.astype(np.float32))
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC))


def _cut_out(picture: Pixels, canvas: Canvas) -> Pixels:
    """Return the picture, black outside the outline, cropped to the bounding box of the outline.

    The outline has steps of 3 px, because NLM segmented at a third of the resolution.
    """
    width, height = canvas.size
    small = Image.new("1", (width // 3 + 1, height // 3 + 1))
    ImageDraw.Draw(small).polygon((canvas.outline / 3).ravel().tolist(), fill=1)
    mask = np.asarray(small).repeat(3, axis=0).repeat(3, axis=1)[:height, :width]
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    cell: Pixels = picture[box] * mask[box][..., None]
    return cell
