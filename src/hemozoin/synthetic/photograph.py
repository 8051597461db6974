"""A field as it is photographed: light through the smear, lens, sensor."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageFilter

from hemozoin.arrays import Floats, Pixels
from hemozoin.synthetic.canvas import Rng
from hemozoin.synthetic.cell import Patient, upsample


def photograph(rng: Rng, patient: Patient, density: Floats, scale: float) -> Pixels:
    """Return what the camera sees of a field: uint8 `[H, W, 3]`.

    `density` `[H, W, 3]` is what lies on the glass; `scale` is that of the field, 1 where a red
    cell is as large as the single drawn cells.
    """
    height, width = density.shape[:2]
    light = _light(rng, patient, width, height)[..., None] * np.array(patient.tint, np.float32)
    seen = Image.fromarray((light * np.exp(-density)).clip(0, 255).astype(np.uint8))
    sharp = np.asarray(seen.filter(ImageFilter.BoxBlur(patient.blur * scale)), np.float32)
    noise = patient.noise * rng.standard_normal((height, width, 1), dtype=np.float32)
    picture: Pixels = (sharp + noise).clip(0, 255).astype(np.uint8)
    return picture


def _light(rng: Rng, patient: Patient, width: int, height: int) -> Floats:
    """Return the lamp's light in each place, `[H, W]`: it falls off to the corners, unevenly."""
    x, y = np.linspace(-1, 1, width), np.linspace(-1, 1, height)
    away = np.add.outer((y - rng.normal(0, 0.15)) ** 2, (x - rng.normal(0, 0.15)) ** 2)
    uneven = 1 + upsample(rng.normal(0, 0.015, (4, 4)), (width, height))
    light: Floats = (patient.light * (1 - patient.vignetting / 2 * away) * uneven).astype(
        np.float32
    )
    return light


def png(picture: Pixels) -> bytes:
    """Return uint8 `[h, w, 3]` as the bytes of a PNG file, packed quickly rather than tightly."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
