"""Split a data set into train, validation and test by patient, never by cell.

Cells of one patient share the stain, the light and the microscope: on NLM's cells, the patient
alone predicts the label with an accuracy of 79.8 %. A split by cell measures whether the network
recognizes the patient; published accuracies of 97 to 99.9 % come from such splits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np

from hemozoin.arrays import Bools, Floats, Ints, Texts, texts
from hemozoin.classes import CLASSES, PARASITIZED
from hemozoin.csv_files import csv_table, read_csv
from hemozoin.data.cells import Cells, LabelledCells, SplitCells, is_known
from hemozoin.data.index import match_cells
from hemozoin.errors import DataError, RunError, require_whole_number
from hemozoin.files import replace_file
from hemozoin.progress import print_status

#: Shares of the cells. The test part is large because its sample size is the number of patients.
SHARES = {"train": 0.75, "validation": 0.10, "test": 0.15}

#: Most folds: each is a whole run.
_MOST_FOLDS = 1000

#: Number of patients, with similar numbers of cells, that are shuffled with one another.
_STRATUM = 8


def split_by_patient(cells: Cells, seed: int) -> SplitCells:
    """Split into train, validation and test; the order of the rows doesn't matter.

    If no patient is known at all, each cell counts as a patient (see `has_patients`). Raises
    DataError if there are fewer than 3 patients, if only some cells have a patient, or if no split
    gives each part both classes.
    """
    parts = _assign(cells, list(SHARES.values()), seed)
    return _with_split(cells, np.array(list(SHARES), object)[parts])


def require_folds(folds: int) -> None:
    """Raise HemozoinError for a number of folds that no cross-validation has."""
    require_whole_number("folds", folds, 2, _MOST_FOLDS)


def split_in_folds(cells: Cells, folds: int, seed: int) -> list[SplitCells]:
    """Return `folds` splits for cross-validation; each patient is in the test part of one."""
    require_folds(folds)
    fold = _assign(cells, [1 / folds] * folds, seed)
    return [_one_fold(cells, fold == k, seed) for k in range(folds)]


def _one_fold(cells: Cells, is_tested: Bools, seed: int) -> SplitCells:
    """Split the patients that are not tested in this fold into train and validation."""
    share = SHARES["validation"] / (SHARES["train"] + SHARES["validation"])
    others = _assign(cells.select(~is_tested), [1 - share, share], seed)
    names = np.full(len(cells), "test", dtype=object)
    names[~is_tested] = np.array(["train", "validation"], object)[others]
    return _with_split(cells, names)


def _with_split(cells: Cells, split: Texts) -> SplitCells:
    return _require_both_classes(_table(cells, split))


def _table(cells: Cells, split: Texts) -> SplitCells:
    columns = {field.name: getattr(cells, field.name) for field in fields(Cells)}
    return SplitCells(**columns, split=split, row=np.arange(len(cells)))


def has_patients(cells: LabelledCells) -> bool:
    """Return whether all cells have a patient; raises DataError if only some have one."""
    known = is_known(cells.patient)
    missing = len(cells) - int(known.sum())
    if 0 < missing < len(cells):
        first = cells.cell[~known][0]
        raise DataError(
            f"{missing} of {len(cells)} cells have no patient, the first is {first};"
            " name them with --patients CSV"
        )
    return missing == 0


def write_split(cells: SplitCells, path: Path) -> None:
    """Write a CSV with cell, patient, label and split; raises RunError if this is impossible."""
    try:
        replace_file(path, csv_table(split_columns(cells)))
    except OSError as error:
        raise RunError(f"{path}: can't be written ({error.strerror})") from error


def split_columns(cells: SplitCells) -> dict[str, Texts]:
    """Return the columns of the file that `write_split` writes, by their titles."""
    columns = ("cell", "patient", "label", "split")
    return {name: getattr(cells, name) for name in columns}


def read_split(cells: Cells, path: Path) -> SplitCells:
    """Split as in a file that `write_split` has written.

    Cells that the file doesn't name are left out, and names of other cells are passed over; a line
    on standard error has the numbers. Raises DataError if it names none of the cells, has other
    parts than train, validation and test, or has a patient in two parts.
    """
    part_of: dict[str, str] = {}
    names, parts = _read(path)
    found = match_cells(cells, names)
    for cell, part in zip(found, parts, strict=True):
        if cell and part_of.setdefault(cell, part) != part:
            raise DataError(f"{path}: {cell} is in more than one part of the split")
    if not part_of:
        raise DataError(f"{path}: names none of these cells")
    split = texts(part_of.get(cell) for cell in cells.cell)
    named = _table(cells, split).select(is_known(split))
    _require_no_leak(named, path)
    _require_both_classes(named)
    _report_left_out(path, len(cells) - len(named), sum(cell is None for cell in found))
    return named


def _report_left_out(path: Path, cells: int, names: int) -> None:
    if cells or names:
        print_status(
            f"{path}: {cells:,} cells of the data are not in it and are left out;"
            f" {names:,} of its names are of no cell"
        )


def _read(path: Path) -> tuple[list[str], list[str]]:
    titles, *rows = read_csv(path)
    if not {"cell", "split"} <= set(titles):
        raise DataError(f"{path}: not a split.csv, with the columns cell and split")
    lines = [dict(zip(titles, row, strict=False)) for row in rows]
    parts = [line.get("split", "") for line in lines]
    unknown = set(parts) - set(SHARES)
    if unknown:
        raise DataError(f"{path}: unknown part {min(unknown)!r}; use {', '.join(SHARES)}")
    return [line.get("cell", "") for line in lines], parts


def _require_no_leak(cells: SplitCells, path: Path) -> None:
    part_of: dict[str, str] = {}
    known = cells.select(is_known(cells.patient))
    leaking = sorted(
        patient
        for patient, part in zip(known.patient, known.split, strict=True)
        if part_of.setdefault(patient, part) != part
    )
    if leaking:
        raise DataError(f"{path}: patient {leaking[0]} is in more than one part of the split")


def _require_both_classes(cells: SplitCells) -> SplitCells:
    for part in SHARES:
        if len({*cells.part(part).label}) < len(CLASSES):
            raise DataError(
                f"the {part} part would lack a class; too few patients have both classes"
            )
    return cells


def _assign(cells: LabelledCells, shares: Sequence[float], seed: int) -> Ints:
    """Return the part of each cell: int `[cells]`.

    Patients are sorted by their number of cells, largest first, and shuffled within strata of
    similar size. Each is assigned to the part that is least filled, so that every part gets its
    share of both classes and of the patients with many cells (16 of NLM's patients have half of
    all parasitized cells). A patient is assigned to another part if otherwise the remaining
    patients could not give both classes to each part.
    """
    owner = cells.patient if has_patients(cells) else cells.cell
    _, patient = np.unique(owner, return_inverse=True)
    infected = cells.label == PARASITIZED
    counts = np.stack([np.bincount(patient, kind) for kind in (~infected, infected)], axis=1)
    if len(counts) < len(shares):
        raise DataError(
            f"{len(counts)} patients: at least {len(shares)} are needed, so that no patient is"
            " both trained and tested on"
        )

    order = _order_by_size(counts.sum(axis=1), np.random.default_rng(seed))
    part_of = np.empty(len(counts), dtype=np.int64)
    part_of[order] = _assign_in_order(counts[order].astype(np.float64), shares)
    parts: Ints = part_of[patient]
    return parts


def _assign_in_order(counts: Floats, shares: Sequence[float]) -> list[int]:
    """Return the part of each patient, in order; `counts` `[patients, 2]` are cells by class."""
    target = np.outer(shares, counts.sum(axis=0)).clip(min=1)
    filled = np.zeros_like(target)
    parts = []
    for done, cells in enumerate(counts, 1):
        fullness = ((filled + cells / 2) / target * cells).sum(axis=1)
        part = _least_filled(fullness, filled, cells, counts[done:])
        filled[part] += cells
        parts.append(part)
    return parts


def _least_filled(fullness: Floats, filled: Floats, cells: Floats, remaining: Floats) -> int:
    """Return the least filled part after which every part can still get both classes."""
    least = int(fullness.argmin())
    if filled.all():
        return least
    for part in fullness.argsort(kind="stable"):
        then = filled.copy()
        then[part] += cells
        if _can_complete(then == 0, remaining > 0):
            return int(part)
    return least


def _can_complete(lacking: Bools, remaining: Bools) -> bool:
    """Return whether the remaining patients can give every part the classes that it lacks.

    `lacking` is bool `[parts, 2]`, `remaining` the classes of each patient, bool `[patients, 2]`.
    A part that lacks both classes needs a patient who has both, or one patient of each class.
    """
    both = int(remaining.all(axis=1).sum())
    lack_both = int(lacking.all(axis=1).sum())
    spare = (remaining.sum(axis=0) - both) - (lacking.sum(axis=0) - lack_both)
    both += int(spare.clip(max=0).sum())  # those that must replace missing patients of one class
    return both + int(spare.clip(min=0).min()) >= lack_both


def _order_by_size(size: Floats, rng: np.random.Generator) -> Ints:
    """Return the patients, largest first, shuffled within strata of similar size."""
    order = rng.permutation(len(size))
    order = order[np.argsort(-size[order], kind="stable")]
    strata = np.array_split(order, max(1, round(len(order) / _STRATUM)))
    return np.concatenate([rng.permutation(stratum) for stratum in strata])
