"""From the densities of a field to its picture: light, lens and sensor."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from hemozoin.arrays import Floats, Pixels
from hemozoin.images import to_png
from hemozoin.synthetic.canvas import Rng
from hemozoin.synthetic.cell import Patient, upsample


def photograph(rng: Rng, patient: Patient, density: Floats, scale: float) -> Pixels:
    """Return the picture of a field: uint8 `[H, W, 3]`.

    `density` `[H, W, 3]` are the optical densities; `scale` is that of the field, 1 if a red cell
    is as large as a single drawn cell.
    """
    height, width = density.shape[:2]
    light = _light(rng, patient, width, height)[..., None] * np.array(patient.tint, np.float32)
    exposed = Image.fromarray((light * np.exp(-density)).clip(0, 255).astype(np.uint8))
    blurred = np.asarray(exposed.filter(ImageFilter.BoxBlur(patient.blur * scale)), np.float32)
    noise = patient.noise * rng.standard_normal((height, width, 1), dtype=np.float32)
    picture: Pixels = (blurred + noise).clip(0, 255).astype(np.uint8)
    return picture


def _light(rng: Rng, patient: Patient, width: int, height: int) -> Floats:
    """Return the light at each pixel, `[H, W]`: uneven, and darker towards the corners."""
    x, y = np.linspace(-1, 1, width), np.linspace(-1, 1, height)
    distance = np.add.outer((y - rng.normal(0, 0.15)) ** 2, (x - rng.normal(0, 0.15)) ** 2)
    uneven = 1 + upsample(rng.normal(0, 0.015, (4, 4)), (width, height))
    light: Floats = (patient.light * (1 - patient.vignetting / 2 * distance) * uneven).astype(
        np.float32
    )
    return light


def png(picture: Pixels) -> bytes:
    """Return uint8 `[h, w, 3]` as the bytes of a PNG file; the compression is quick, not strong."""
    return to_png(Image.fromarray(picture), compress_level=1)
