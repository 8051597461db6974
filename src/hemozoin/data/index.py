"""The table of cells: the file, the label and the patient of each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hemozoin.arrays import texts
from hemozoin.classes import CLASSES
from hemozoin.csv_files import read_csv
from hemozoin.data.cells import Cells
from hemozoin.data.decoding.file_names import as_nfc
from hemozoin.data.folders import (
    ClassNames,
    folder_names,
    locate,
    missing_class,
    report_merged,
    report_skipped,
)
from hemozoin.data.source import Entry, Source
from hemozoin.errors import DataError

#: NLM's names begin with the patient: C100P61ThinF_IMG_20150918_144104_cell_162.png. The number
#: after P is the slide; the pictures of patient 47 were taken with two microscopes.
_NLM_PATIENT = re.compile(r"(C\d+)[A-Z]?(?=P\d|[Tt]hin|_)")

#: The name of a cell in NLM's lists of patients.
_QUOTED = re.compile(r"'([^']+)'")


class _Located(NamedTuple):
    """A file in a class folder, and the paths above and below this folder."""

    entry: Entry
    label: str
    above: str
    below: str


def index_cells(
    source: Source, classes: ClassNames | None = None, one_class: bool = False
) -> Cells:
    """Return one row per cell, sorted by file.

    `cell` is the file's name without folder and extension, or the whole `file` if another cell has
    the same name; `patient` is None if it is not part of the name. A copy of the data inside the
    data (NLM's file on Kaggle has one) is skipped.

    Prints how many pictures are in other folders, and that folders such as train/ and test/ were
    merged. Raises DataError unless there are cells of both classes, or of one with `one_class`.
    """
    classes = classes or ClassNames()
    entries = source.entries()
    files = [entry.name for entry in entries]
    labels = classes.labels(folder_names(files))
    found = [_Located(entry, *place) for entry in entries if (place := locate(entry.name, labels))]
    if len({one.label for one in found}) < (1 if one_class else len(CLASSES)):
        both = "or" if one_class else "and"
        raise missing_class(source.path, files, classes, labels, both)
    in_classes = {one.entry.name for one in found}
    report_skipped([file for file in files if file not in in_classes], {one.above for one in found})
    found = _without_copies(found)
    report_merged((one.entry.name, one.above) for one in found)
    return _table(found)


def _without_copies(found: list[_Located]) -> list[_Located]:
    """Drop a cell whose copy, with the same name and size, is in a folder further up."""
    outermost: dict[tuple[str, str, int], str] = {}
    for one in sorted(found, key=lambda one: len(one.above)):
        outermost.setdefault((one.label, one.below, one.entry.size), one.above)
    return [
        one
        for one in found
        if not one.above.startswith(outermost[one.label, one.below, one.entry.size] + "/")
    ]


def _table(found: list[_Located]) -> Cells:
    files = [one.entry.name for one in found]
    stems = [as_nfc(_stem(file)) for file in files]
    times = Counter(stems)
    names = (stem if times[stem] == 1 else file for stem, file in zip(stems, files, strict=True))
    return Cells(
        file=texts(files),
        cell=texts(names),
        label=texts(one.label for one in found),
        patient=texts(map(patient_of, files)),
        size=np.array([one.entry.size for one in found], np.int64),
        stamp=np.array([one.entry.stamp for one in found], np.int64),
    )


# ---- names and patients ------------------------------------------------------------------------


def patient_of(name: str) -> str | None:
    """Return the patient in one of NLM's file names (`C100`), or None for other names."""
    found = _NLM_PATIENT.match(name, name.rfind("/") + 1)
    return found[1] if found else None


def match_cells(cells: Cells, names: Iterable[str]) -> list[str | None]:
    """Return the `cell` of each name, given with or without folder and extension, or None.

    Spaces around a name may be missing, as `read_csv` removes them.
    """
    stripped = Counter(cell.strip() for cell in cells.cell)
    known = {cell.strip(): cell for cell in cells.cell if stripped[cell.strip()] == 1}
    known |= dict(zip(map(as_nfc, cells.file), cells.cell, strict=True))
    known |= dict(zip(cells.cell, cells.cell, strict=True))
    composed = map(as_nfc, names)
    return [known.get(name) or known.get(_stem(name)) for name in composed]


def with_patients(cells: Cells, csv: Path, column: str = "patient") -> Cells:
    """Add the patients of a CSV: NLM's `patientid_cellmapping_*.csv` or the user's own.

    NLM's two files have one line per patient, followed by the list of the patient's cells. In any
    other file, the column of the cells is the one that names most of them, with or without
    extension. The column of the patients is `column`, or the only other column if no column has
    this name. The first line may be a header. Cells that the file doesn't name keep their patient.

    Raises DataError if the file can't be read, names none of the cells, has no clear column of
    patients, or gives a cell two patients.
    """
    rows = read_csv(csv)
    is_nlm_list = len(rows[0]) > 1 and rows[0][1].startswith("[")
    names, patients = (
        _from_nlm_list(rows) if is_nlm_list else _from_columns(rows, cells, csv, column)
    )
    given: dict[str, str] = {}
    for cell, patient in zip(match_cells(cells, names), patients, strict=True):
        if not cell or not patient:
            continue
        if given.setdefault(cell, _patient_name(patient, cell)) != _patient_name(patient, cell):
            raise DataError(f"{csv}: {cell} has two patients, {given[cell]} and {patient}")
    if not given:
        raise DataError(f"{csv}: has no patient for any of these cells")
    pairs = zip(cells.cell, cells.patient, strict=True)
    return replace(cells, patient=texts(given.get(cell, patient) for cell, patient in pairs))


def _patient_name(patient: str, cell: str) -> str:
    """Return `C100` for NLM's `C100P61ThinF`, so that one patient doesn't have two names."""
    own = patient_of(cell)
    return own if own and own == patient_of(f"{patient}_") else as_nfc(patient)


def _from_nlm_list(rows: list[list[str]]) -> tuple[Sequence[str], Sequence[str]]:
    """Read NLM's lists: `C100P61ThinF,['C100P61ThinF_IMG_20150918_144104_cell_162.png', ...`."""
    pairs = [(name, row[0]) for row in rows for name in _QUOTED.findall(",".join(row[1:]))]
    return [name for name, _ in pairs], [patient for _, patient in pairs]


def _from_columns(
    rows: list[list[str]], cells: Cells, csv: Path, column: str
) -> tuple[Sequence[str], Sequence[str]]:
    columns = list(zip_longest(*rows, fillvalue=""))
    matches = [sum(map(bool, match_cells(cells, values))) for values in columns]
    if not any(matches):
        raise DataError(f"{csv}: no column names any of these cells")
    at = matches.index(max(matches))
    titles = [values[0] for values in columns]
    if column in titles:
        return columns[at], columns[titles.index(column)]
    if len(columns) != 2:
        raise DataError(f"{csv}: no column {column!r}; it has {', '.join(titles)}")
    return columns[at], columns[1 - at]


def _stem(name: str) -> str:
    file = name.rpartition("/")[2]
    return file.rpartition(".")[0] or file
