"""What the commands in the documentation work on: pictures that a program draws."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator

import numpy as np
from PIL import Image

from hemozoin.synthetic.cell import draw_cell, draw_patient

#: Name, seed, and whether it is infected. Chosen so that each decision is shown once.
_CELLS = (("a", 10, True), ("b", 28, False), ("c", 12, False))


@contextlib.contextmanager
def in_example_folder() -> Iterator[None]:
    """Let commands run in a new folder that has `a.png`, `b.png` and `c.png`."""
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        for cell, seed, infected in _CELLS:
            rng = np.random.default_rng(seed)
            Image.fromarray(draw_cell(rng, draw_patient(rng), infected)).save(f"{cell}.png")
        yield
