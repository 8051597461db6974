"""`hemozoin reviews`: write reviewed cells as training data."""

from __future__ import annotations

from pathlib import Path


def reviews(out: Path, /, *, to: Path) -> None:
    """Write the cells that people reviewed as class folders, ready for hemozoin train.

    Each cell has the answer of most of its readers. The pictures have to be where they were when
    they were screened. The patient of a cell is that of the slide's record, or else the slide.

    Parameters
    ----------
    out
        Folder of hemozoin screen, of one or several slides.
    to
        New or empty folder for Parasitized/, Uninfected/ and patients.csv.
    """
    from hemozoin.review.training_cells import PATIENTS, write_training_cells

    counts = write_training_cells(out, to)
    print(f"{counts['parasitized']:,} parasitized, {counts['uninfected']:,} uninfected cells: {to}")
    print(f"Train: hemozoin train {to} --patients {to / PATIENTS} --out runs/reviewed")
