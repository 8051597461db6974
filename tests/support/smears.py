"""Files of small drawn fields for the tests of screening."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from hemozoin.synthetic.cell import draw_patient
from hemozoin.synthetic.smear import draw_smear
from tests.conftest import png


def make_fields(folder: Path, *names: str, seed: int = 0) -> Path:
    """Draw a field of 320x240 px with nine cells for each name; return `folder`."""
    patient = draw_patient(np.random.default_rng(seed))
    for number, name in enumerate(names):
        rng = np.random.default_rng((seed, number))
        smear = draw_smear(rng, patient, size=(320, 240), cells=9, infected=2, diameter=50)
        put(folder / name, png(Image.fromarray(smear.pixels)))
    return folder


def make_plain(folder: Path, *names: str) -> Path:
    """Write a grey picture, large enough for a field, for each name; return `folder`."""
    for number, name in enumerate(names):
        put(folder / name, png(Image.new("RGB", (200, 200), (150 + number % 100,) * 3)))
    return folder


def put(path: Path, content: bytes) -> None:
    """Write a file, and make the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
