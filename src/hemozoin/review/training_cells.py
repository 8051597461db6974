"""Reviewed cells as training data: class folders of cells on black, and the patient of each.

    TO/
      Parasitized/ Uninfected/   cells cut out of their pictures, as NLM's are
      patients.csv               cell,patient

A cell has the answer of most of its readers. What nobody can tell, on which readers differ, or what
is no single red cell is left out. The patient is that of the slide's record, or else the slide.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from hemozoin.arrays import Pixels
from hemozoin.classes import PARASITIZED, UNINFECTED
from hemozoin.csv_files import csv_table
from hemozoin.errors import DataError
from hemozoin.files import is_free, replace_file, unfinished_folder
from hemozoin.review.agreement import ReviewedCell, reviewed_cells
from hemozoin.review.field_pictures import read_field
from hemozoin.review.found_cells import CLUMP, FoundCells, read_found_cells
from hemozoin.review.reviews import REVIEWS, read_reviews
from hemozoin.smear.classification.classify import cut_out
from hemozoin.smear.output.folder import SLIDES, SlideFolder
from hemozoin.smear.output.results import SavedSlide

#: The class folders that `hemozoin train` looks for.
_FOLDERS = {PARASITIZED: "Parasitized", UNINFECTED: "Uninfected"}

PATIENTS = "patients.csv"


@dataclass(frozen=True)
class _Slide:
    """A slide with reviews: its folder, its patient, and its reviewed cells."""

    folder: SlideFolder
    patient: str
    cells: FoundCells
    reviewed: Mapping[int, ReviewedCell]

    def of_field(self) -> dict[str, dict[int, str]]:
        """Return the class folder of each cell to write, by field and by number of the cell."""
        found: dict[str, dict[int, str]] = {}
        for index, cell in self.reviewed.items():
            if cell.answer in _FOLDERS and self.cells.decisions[index] != CLUMP:
                numbers = found.setdefault(self.cells.fields[index], {})
                numbers[self.cells.numbers[index]] = _FOLDERS[cell.answer]
        return found


def write_training_cells(out: Path, to: Path) -> Counter[str]:
    """Write the reviewed cells of the slides in `out` to `to`; return their number by class.

    `out` is a folder of `hemozoin screen`, of one or several slides; `to` is new or empty, and
    stays so if anything fails. Raises DataError where there are no reviews of cells of the two
    classes, or a picture is no longer where it was screened.
    """
    if not is_free(to):
        raise DataError(f"{to}: not empty; give a new folder")
    slides = [_slide(folder) for folder in _reviewed_folders(out)]
    if not any(slide.of_field() for slide in slides):
        raise DataError(f"{out}: no cell was reviewed as parasitized or uninfected")
    names: list[str] = []
    patients: list[str] = []
    counts: Counter[str] = Counter()
    with unfinished_folder(to) as add:
        for patient, folder, name, picture in _all_cells(slides):
            add(f"{folder}/{name}")
            (to / folder).mkdir(exist_ok=True)
            replace_file(to / folder / name, picture)
            names.append(name)
            patients.append(patient)
            counts[folder.lower()] += 1
        add(PATIENTS)
        replace_file(to / PATIENTS, csv_table({"cell": names, "patient": patients}))
    return counts


def _reviewed_folders(out: Path) -> list[Path]:
    """Return the folders of slides with reviews; raises DataError where there is none."""
    several = (out / SLIDES).is_file()
    found = sorted(path.parent for path in out.rglob(REVIEWS)) if several else [out]
    if not several:
        read_found_cells(out)
    found = [folder for folder in found if (folder / REVIEWS).is_file()]
    if not found:
        raise DataError(f"{out}: no reviews; see hemozoin audit")
    return found


def _slide(folder: Path) -> _Slide:
    cells = read_found_cells(folder)
    saved = SavedSlide.load(folder)
    reviewed, _ = reviewed_cells(cells, read_reviews(folder))
    return _Slide(saved.folder, saved.record.patient or saved.slide, cells, reviewed)


def _all_cells(slides: list[_Slide]) -> Iterator[tuple[str, str, str, bytes]]:
    """Yield patient, class folder, file name and PNG of each cell; names are distinct."""
    used: set[str] = set()
    for slide in slides:
        for field, folders in slide.of_field().items():
            stem = _distinct(f"{slide.cells.slide}_{field}", used)
            for number, picture in _cut_out(slide.folder, field, folders):
                yield slide.patient, folders[number], f"{stem}_cell_{number}.png", picture


def _distinct(name: str, used: set[str]) -> str:
    """Return a name that every file system takes, and that is not in `used`; add it there."""
    plain = re.sub(r"[^A-Za-z0-9.-]+", "_", name)[:120]
    count = 1
    found = plain
    while found in used:
        count += 1
        found = f"{plain}-{count}"
    used.add(found)
    return found


def _cut_out(
    folder: SlideFolder, name: str, numbers: Mapping[int, str]
) -> Iterator[tuple[int, bytes]]:
    """Yield the cells of a field with these numbers, as PNGs on black."""
    field, picture = read_field(folder, name)
    pixels = np.asarray(picture)
    for cell in field.cells:
        if cell.cell in numbers:
            yield cell.cell, _png(cut_out(pixels, cell))


def _png(pixels: Pixels) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
