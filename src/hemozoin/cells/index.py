"""The table of cells: which file, which label, which patient."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import polars as pl

from hemozoin.cells.source import Entry, Source
from hemozoin.errors import DataError

PARASITIZED = "parasitized"
UNINFECTED = "uninfected"

#: NLM's names begin with the patient: C100P61ThinF_IMG_20150918_144104_cell_162.png. The
#: number after P is the slide; patient 47 was photographed on two microscopes.
_NLM_PATIENT = re.compile(r"^(C\d+)[A-Z]?(?=P\d|[Tt]hin|_)")


@dataclass(frozen=True)
class ClassNames:
    """The two folders that hold the cells, compared without regard to case."""

    parasitized: str = "Parasitized"
    uninfected: str = "Uninfected"

    def label_of(self, name: str) -> str | None:
        """Return the label of a file from the innermost class folder on its path, or None."""
        labels = {self.parasitized.lower(): PARASITIZED, self.uninfected.lower(): UNINFECTED}
        folders = reversed(PurePosixPath(name.lower()).parts[:-1])
        return next((labels[folder] for folder in folders if folder in labels), None)


def index_cells(source: Source, classes: ClassNames | None = None) -> pl.DataFrame:
    """Return one row per cell, sorted by file.

    Columns: `file` (path in the source), `cell` (its name without ending), `label`
    ("parasitized" or "uninfected"), `patient` (null where the name doesn't tell),
    `size` and `stamp` of the file. A cell that stands twice in the source (the copy of
    NLM's file on Kaggle has each one twice) is taken once.

    Raises DataError where there are not just the two classes.
    """
    classes = classes or ClassNames()
    entries = source.entries()
    rows = [
        (entry.name, _stem(entry.name), label, patient_of(entry.name), entry.size, entry.stamp)
        for entry in entries
        if (label := classes.label_of(entry.name))
    ]
    schema = {
        **dict.fromkeys(("file", "cell", "label", "patient"), pl.String),
        "size": pl.Int64,
        "stamp": pl.Int64,
    }
    cells = pl.DataFrame(rows, schema=schema, orient="row")
    _require_two_classes(cells, entries, classes, source.path)
    return cells.unique(["cell", "label", "size"], keep="first", maintain_order=True)


def patient_of(name: str) -> str | None:
    """Return the patient in one of NLM's file names (`C100`), or None for other names."""
    found = _NLM_PATIENT.match(PurePosixPath(name).name)
    return found.group(1) if found else None


def with_patients(cells: pl.DataFrame, csv: Path, column: str = "patient") -> pl.DataFrame:
    """Take the patients from a CSV: NLM's `patientid_cellmapping_*.csv` or the user's own.

    The cells are named in whichever column matches most of them, with or without ending;
    the patient stands in `column`, or in the only other column where there is no such name.
    Cells that the CSV doesn't name keep the patient that they had.
    """
    table = _read_csv(csv)
    name, patient = _cell_column(table, cells, csv), _patient_column(table, cells, csv, column)
    named = table.select(
        cell=pl.col(name).map_elements(_stem, return_dtype=pl.String), given=pl.col(patient)
    )
    joined = cells.join(named.unique("cell"), on="cell", how="left", maintain_order="left")
    return joined.with_columns(patient=pl.coalesce("given", "patient")).drop("given")


def _stem(name: str) -> str:
    return PurePosixPath(name).stem if name else name


def _read_csv(path: Path) -> pl.DataFrame:
    try:
        return pl.read_csv(path, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{path}: not a readable CSV ({str(error).splitlines()[0]})") from error


def _cell_column(table: pl.DataFrame, cells: pl.DataFrame, csv: Path) -> str:
    known = set(cells["cell"])
    matches = {
        name: sum(_stem(value or "") in known for value in table[name]) for name in table.columns
    }
    best = max(matches, key=lambda name: matches[name], default="")
    if not best or not matches[best]:
        raise DataError(f"{csv}: no column names any of these cells")
    return best


def _patient_column(table: pl.DataFrame, cells: pl.DataFrame, csv: Path, column: str) -> str:
    if column in table.columns:
        return column
    others = [name for name in table.columns if name != _cell_column(table, cells, csv)]
    if len(others) != 1:
        raise DataError(f"{csv}: no column {column!r}; it has {', '.join(table.columns)}")
    return others[0]


def _require_two_classes(
    cells: pl.DataFrame, entries: list[Entry], classes: ClassNames, path: Path
) -> None:
    found = set(cells["label"])
    if found == {PARASITIZED, UNINFECTED}:
        return
    folders = Counter(PurePosixPath(entry.name).parent.name or "." for entry in entries)
    there = ", ".join(name for name, _ in folders.most_common(5)) or "nothing"
    raise DataError(
        f"{path}: needs the folders {classes.parasitized} and {classes.uninfected}, has {there};"
        " name yours with --parasitized and --uninfected"
    )
