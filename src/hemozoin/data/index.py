"""The table of cells: which file, which label, which patient."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from csv import Error as CsvError
from csv import reader
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import polars as pl

from hemozoin.classes import PARASITIZED, UNINFECTED
from hemozoin.data.source import Entry, Source
from hemozoin.errors import DataError

#: NLM's names begin with the patient: C100P61ThinF_IMG_20150918_144104_cell_162.png. The
#: number after P is the slide; patient 47 was photographed on two microscopes.
_NLM_PATIENT = re.compile(r"(C\d+)[A-Z]?(?=P\d|[Tt]hin|_)")

#: One cell in NLM's lists of patients.
_QUOTED = re.compile(r"'([^']+)'")

_SCHEMA = {
    **dict.fromkeys(("file", "cell", "label", "patient", "above", "below"), pl.String),
    **dict.fromkeys(("size", "stamp"), pl.Int64),
}


@dataclass(frozen=True)
class ClassNames:
    """The two folders that hold the cells, compared without regard to case."""

    parasitized: str = "Parasitized"
    uninfected: str = "Uninfected"

    def locate(self, file: str) -> tuple[str, str, str] | None:
        """Return the label of a file and its path above and below the class folder.

        `/a` and `b.png` for `a/Uninfected/b.png`; the innermost class folder counts. None for
        a file that lies in neither.
        """
        labels = {self.parasitized.lower(): PARASITIZED, self.uninfected.lower(): UNINFECTED}
        above, _, below = f"/{file}".rpartition("/")
        while above:
            above, _, folder = above.rpartition("/")
            if label := labels.get(folder.lower()):
                return label, above, below
            below = f"{folder}/{below}"
        return None


def index_cells(source: Source, classes: ClassNames | None = None) -> pl.DataFrame:
    """Return one row per cell, sorted by file.

    Columns: `file` (path in the source), `cell` (its name without folder and ending, or the
    whole `file` where another cell has the same name), `label` ("parasitized" or
    "uninfected"), `patient` (null where the name doesn't tell), `size` and `stamp` of the file.
    A copy of the data inside of itself (NLM's file on Kaggle holds one) is passed over.

    Raises DataError where there are not just the two classes.
    """
    classes = classes or ClassNames()
    entries = source.entries()
    cells = pl.DataFrame(list(_rows(entries, classes)), schema=_SCHEMA, orient="row")
    _require_two_classes(cells, entries, classes, source.path)
    cells = _without_copies(cells)
    names_one = pl.col("cell").is_unique()
    return cells.with_columns(cell=pl.when(names_one).then("cell").otherwise("file"))


def _rows(entries: list[Entry], classes: ClassNames) -> Iterator[tuple[str | int | None, ...]]:
    for entry in entries:
        if place := classes.locate(entry.name):
            label, above, below = place
            stem, patient = _stem(entry.name), patient_of(entry.name)
            yield entry.name, stem, label, patient, above, below, entry.size, entry.stamp


def _without_copies(cells: pl.DataFrame) -> pl.DataFrame:
    """Drop a cell that lies once more, same name and size, in a folder further down."""
    outermost = pl.col("above").first().over("label", "below", "size")
    copied = pl.col("above").str.starts_with(outermost + "/")
    by_depth = cells.sort(pl.col("above").str.len_bytes(), maintain_order=True)
    return by_depth.filter(~copied).sort("file").drop("above", "below")


def _require_two_classes(
    cells: pl.DataFrame, entries: list[Entry], classes: ClassNames, path: Path
) -> None:
    if set(cells["label"]) == {PARASITIZED, UNINFECTED}:
        return
    folders = Counter(entry.name.rpartition("/")[0] or "." for entry in entries)
    there = ", ".join(name for name, _ in folders.most_common(5)) or "nothing"
    raise DataError(
        f"{path}: needs the folders {classes.parasitized} and {classes.uninfected}, has {there};"
        " name yours with --parasitized and --uninfected"
    )


# ---- names and patients ------------------------------------------------------------------------


def patient_of(name: str) -> str | None:
    """Return the patient in one of NLM's file names (`C100`), or None for other names."""
    found = _NLM_PATIENT.match(name, name.rfind("/") + 1)
    return found[1] if found else None


def match_cells(cells: pl.DataFrame, names: Iterable[str]) -> list[str | None]:
    """Return the `cell` that each name means, with or without folder and ending, or None."""
    known = dict(zip(cells["file"], cells["cell"], strict=True))
    known |= dict(zip(cells["cell"], cells["cell"], strict=True))
    return [known.get(name) or known.get(_stem(name)) for name in names]


def read_csv(path: Path) -> list[list[str]]:
    """Return the lines of a CSV that are not empty; raises DataError where there are none."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [[field.strip() for field in row] for row in reader(file)]
    except (OSError, ValueError, CsvError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: not a readable CSV ({reason})") from error
    rows = [row for row in rows if any(row)]
    if not rows:
        raise DataError(f"{path}: an empty file, not a CSV")
    return rows


def with_patients(cells: pl.DataFrame, csv: Path, column: str = "patient") -> pl.DataFrame:
    """Take the patients from a CSV: NLM's `patientid_cellmapping_*.csv` or the user's own.

    NLM's two have a line per patient, with the list of the patient's cells behind it. In any
    other file the cells stand in whichever column names most of them, with or without ending,
    the patient in `column`, or in the only other column where none is called so. The first
    line may be a header. Cells that the file doesn't name keep the patient that they had.

    Raises DataError where the file can't be read, names none of the cells, doesn't tell which
    column holds the patients, or gives a cell two of them.
    """
    rows = read_csv(csv)
    listed = len(rows[0]) > 1 and rows[0][1].startswith("[")
    names, patients = _listed(rows) if listed else _in_columns(rows, cells, csv, column)
    given: dict[str, str] = {}
    for cell, patient in zip(match_cells(cells, names), patients, strict=True):
        if not cell or not patient:
            continue
        if given.setdefault(cell, _known_as(patient, cell)) != _known_as(patient, cell):
            raise DataError(f"{csv}: {cell} has two patients, {given[cell]} and {patient}")
    if not given:
        raise DataError(f"{csv}: gives none of these cells a patient")
    found = pl.col("cell").replace_strict(given, default=pl.col("patient"), return_dtype=pl.String)
    return cells.with_columns(patient=found)


def _known_as(patient: str, cell: str) -> str:
    """Return `C100` for NLM's `C100P61ThinF`: one patient must not go by two names."""
    own = patient_of(cell)
    return own if own and own == patient_of(f"{patient}_") else patient


def _listed(rows: list[list[str]]) -> tuple[Sequence[str], Sequence[str]]:
    """Read NLM's lists: `C100P61ThinF,['C100P61ThinF_IMG_20150918_144104_cell_162.png', ...`."""
    pairs = [(name, row[0]) for row in rows for name in _QUOTED.findall(",".join(row[1:]))]
    return [name for name, _ in pairs], [patient for _, patient in pairs]


def _in_columns(
    rows: list[list[str]], cells: pl.DataFrame, csv: Path, column: str
) -> tuple[Sequence[str], Sequence[str]]:
    columns = list(zip_longest(*rows, fillvalue=""))
    named = [sum(map(bool, match_cells(cells, values))) for values in columns]
    if not any(named):
        raise DataError(f"{csv}: no column names any of these cells")
    at = named.index(max(named))
    titles = [values[0] for values in columns]
    if column in titles:
        return columns[at], columns[titles.index(column)]
    if len(columns) != 2:
        raise DataError(f"{csv}: no column {column!r}; it has {', '.join(titles)}")
    return columns[at], columns[1 - at]


def _stem(name: str) -> str:
    file = name.rpartition("/")[2]
    return file.rpartition(".")[0] or file
