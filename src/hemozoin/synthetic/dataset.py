"""A zip of synthetic cells in the layout of NLM's own file."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hemozoin.arrays import Pixels
from hemozoin.errors import DataError
from hemozoin.files import remove_leftovers, replacing
from hemozoin.progress import track
from hemozoin.synthetic.cell import draw_cell, draw_patient
from hemozoin.synthetic.photograph import png


def write_synthetic(
    out: Path, patients: int = 24, cells_per_patient: int = 100, seed: int = 0
) -> int:
    """Write a zip of synthetic cells in the layout of NLM's own; return the number of cells.

    Half of the cells of each patient are infected. The same arguments give the same pixels. The
    zip is written completely or not at all; raises DataError if it can't be written.
    """
    total = patients * cells_per_patient
    cells = _cells(patients, cells_per_patient, seed)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(out.parent, out.name)
        _write_zip(out, track(cells, "Drawing synthetic cells", total))
    except OSError as error:
        raise DataError(f"{out}: can't be written ({error.strerror or error})") from error
    return total


def _write_zip(out: Path, cells: Iterator[tuple[str, Pixels]]) -> None:
    with replacing(out) as file, zipfile.ZipFile(file, "w") as archive:
        for folder in ("Parasitized", "Uninfected"):  # as in NLM's file
            archive.writestr(_entry(f"cell_images/{folder}/Thumbs.db"), b"no picture")
        for name, cell in cells:
            archive.writestr(_entry(name), png(cell))


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
