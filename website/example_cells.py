"""Drawn cells for the commands in the documentation to run on."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator

import numpy as np
from PIL import Image

from hemozoin.synthetic.cell import draw_cell, draw_patient

#: Name, seed, and whether the cell is infected. Chosen so that each decision occurs once.
_CELLS = (("a", 10, True), ("b", 28, False), ("c", 12, False))


@contextlib.contextmanager
def in_example_folder() -> Iterator[None]:
    """Change to a new folder with `a.png`, `b.png` and `c.png` while the context is open."""
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        for cell, seed, infected in _CELLS:
            rng = np.random.default_rng(seed)
            Image.fromarray(draw_cell(rng, draw_patient(rng), infected)).save(f"{cell}.png")
        yield
