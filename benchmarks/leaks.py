"""What file names reveal: how often the label is guessed correctly without looking at the cell.

    python benchmarks/leaks.py cell_images.zip --labels corrections.csv

Each cell is given the more common label of its patient (or photo, or day). The accuracy of this
guess, which reads no pixel, is a row in benchmarks/results/leaks.csv. patients.csv gets one row:
how unevenly the parasitized cells and the corrected labels are distributed among the patients.
Both files are overwritten.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import markdown_tables as md
import rows
from hemozoin.about import VERSION
from hemozoin.classes import PARASITIZED
from hemozoin.data.cells import LabelledCells
from hemozoin.data.index import index_cells
from hemozoin.data.labels import with_corrections
from hemozoin.data.source import open_source

FILE, PATIENTS_FILE = "leaks.csv", "patients.csv"

#: NLM's names: C100P61ThinF_IMG_20150918_144104_cell_162; some days have a letter after the time.
_NAME = re.compile(r"(?P<photo>.*?_IMG_(?P<day>\d{8})_.*)_cell_(?P<number>\d+)$")


def main() -> None:
    """Guess the labels from each part of the names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cells", type=Path)
    parser.add_argument("--labels", type=Path, required=True)
    given = parser.parse_args()
    cells = parse_names(with_corrections(index_cells(open_source(given.cells)), given.labels))
    rows.remove(FILE)
    rows.remove(PATIENTS_FILE)
    rows.append(PATIENTS_FILE, distribution(cells) | {"hemozoin": VERSION})
    for known in ("nothing", "day", "patient", "photo"):
        row = {"known": known, **guess(cells, known), **order(cells)}
        rows.append(FILE, row | {"hemozoin": VERSION})


@dataclass(frozen=True)
class NamedCell:
    """What the name of a cell contains, and its labels."""

    patient: str
    photo: str
    day: str
    number: int
    infected: bool
    #: Whether the list of corrections has another label, or none.
    corrected: bool


def parse_names(cells: LabelledCells) -> list[NamedCell]:
    """Return the cells that are named as NLM's are."""
    corrected = cells.label if cells.corrected is None else cells.corrected
    columns = (cells.cell, cells.patient, cells.label, corrected)
    return [
        NamedCell(
            patient=patient,
            photo=name["photo"],
            day=name["day"],
            number=int(name["number"]),
            infected=label == PARASITIZED,
            corrected=new != label,
        )
        for cell, patient, label, new in zip(*columns, strict=True)
        if (name := _NAME.match(cell))
    ]


def guess(cells: list[NamedCell], known: str) -> rows.Row:
    """Return the number of groups and the share of cells with the majority label of their group.

    `known` is what the cells of a group have in common, a field of `NamedCell` or "nothing".
    """
    groups = defaultdict[object, list[bool]](list)
    for cell in cells:
        groups[getattr(cell, known, None)].append(cell.infected)
    right = sum(max(sum(group), len(group) - sum(group)) for group in groups.values())
    return {
        "groups": len(groups),
        "cells": len(cells),
        "patients": len({cell.patient for cell in cells}),
        "accuracy": round(right / len(cells), 4),
    }


def order(cells: list[NamedCell]) -> rows.Row:
    """Count the photos with both classes, and those whose infected cells have the higher numbers.

    A photo is counted as `in_order` where every infected cell has a higher number than every
    uninfected one.
    """
    infected, uninfected = defaultdict[str, list[int]](list), defaultdict[str, list[int]](list)
    for cell in cells:
        (infected if cell.infected else uninfected)[cell.photo].append(cell.number)
    mixed = infected.keys() & uninfected.keys()
    return {
        "mixed_photos": len(mixed),
        "in_order": sum(min(infected[photo]) > max(uninfected[photo]) for photo in mixed),
    }


def distribution(cells: list[NamedCell]) -> rows.Row:
    """Return how few patients have half of the parasitized cells, and half of the corrections."""
    counts = Counter(cell.patient for cell in cells)
    infected = Counter(cell.patient for cell in cells if cell.infected)
    corrected = Counter(cell.patient for cell in cells if cell.corrected)
    ((most, most_corrected),) = corrected.most_common(1)
    return {
        "cells": len(cells),
        "patients": len(counts),
        "patients_with_half_of_parasitized": fewest_with_half(infected),
        "patients_without_parasitized": len(counts.keys() - infected.keys()),
        "corrected": corrected.total(),
        "patients_with_half_of_corrected": fewest_with_half(corrected),
        "most_corrected_of_a_patient": most_corrected,
        "cells_of_that_patient": counts[most],
    }


def fewest_with_half(counts: Counter[str]) -> int:
    """Return the smallest number of counts that together are at least half of the sum."""
    held = accumulate(count for _, count in counts.most_common())
    return sum(count < counts.total() / 2 for count in held) + 1


def table() -> str:
    """Return the results in Markdown: a line for each part of the names."""
    found = rows.read(FILE)
    lines = [
        (row["known"], f"{int(row['groups']):,}", md.share(row["accuracy"], 1)) for row in found
    ]
    last = found[-1]
    note = (
        f"{int(last['cells']):,} cells of {last['patients']} patients; no pixel was read. In"
        f" {last['in_order']} of {last['mixed_photos']} photos with both classes, every"
        " parasitized cell has a higher number than every uninfected one."
    )
    columns = ("known about a cell", "different values", "labels guessed correctly")
    return md.table(columns, lines, note)


def patients() -> str:
    """Return how unevenly cells and corrected labels are distributed, in words."""
    (row,) = rows.read(PATIENTS_FILE)
    corrected, cells = int(row["corrected"]), int(row["cells"])
    return (
        f"Of {row['patients']} patients, {row['patients_with_half_of_parasitized']} have half of"
        f" the parasitized cells, and {row['patients_without_parasitized']} have none. Fuhad et"
        f" al. corrected {corrected:,} of {cells:,} labels ({corrected / cells:.1%})."
        f" {row['patients_with_half_of_corrected']} patients have half of these corrections; of"
        f" one patient's {row['cells_of_that_patient']} labels,"
        f" {row['most_corrected_of_a_patient']} were corrected."
    )


if __name__ == "__main__":
    main()
