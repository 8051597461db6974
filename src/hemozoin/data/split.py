"""Who is trained on and who is tested on: patients, never cells, are dealt out.

Cells of one patient share stain, light and microscope: on NLM's cells the patient alone
predicts the label with 79.8 %. A split by cell measures memory; published figures of 97 to
99.9 % come from such splits.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from hemozoin.arrays import Bools, Floats, Ints
from hemozoin.classes import PARASITIZED
from hemozoin.data.index import match_cells, read_csv
from hemozoin.errors import DataError, RunError
from hemozoin.files import replace_file

#: Shares of the cells. The test patients are many because a patient, not a cell, is a sample.
SHARES = {"train": 0.75, "validation": 0.10, "test": 0.15}


#: Patients of like size are shuffled among each other: so many at a time.
_STRATUM = 8


def split_by_patient(cells: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Add the column `split`: "train", "validation" or "test".

    Needs the columns `cell`, `label`, `patient`; the order of the rows doesn't matter. Where
    no patient is known at all, each cell is dealt out by itself (see `has_patients`). Raises
    DataError for fewer than 3 patients, where only some cells have one, and where no split
    could give each part both classes.
    """
    parts = _deal(cells, list(SHARES.values()), seed)
    return _name_parts(cells, np.array(list(SHARES))[parts])


def split_in_folds(cells: pl.DataFrame, folds: int, seed: int) -> list[pl.DataFrame]:
    """Return `folds` splits for cross-validation; each patient is in the test part once."""
    if folds < 2:
        raise DataError(f"--folds {folds}: give 2 or more")
    fold = _deal(cells, [1 / folds] * folds, seed)
    return [_one_fold(cells, fold == k, seed) for k in range(folds)]


def _one_fold(cells: pl.DataFrame, tested: Bools, seed: int) -> pl.DataFrame:
    """Take the validation patients from those who are not tested in this fold."""
    share = SHARES["validation"] / (SHARES["train"] + SHARES["validation"])
    others = _deal(cells.filter(~pl.Series(tested)), [1 - share, share], seed)
    names = np.full(len(cells), "test", dtype="<U10")
    names[~tested] = np.array(["train", "validation"])[others]
    return _name_parts(cells, names)


def _name_parts(cells: pl.DataFrame, names: npt.NDArray[np.str_]) -> pl.DataFrame:
    return _require_both_classes(cells.with_columns(split=pl.Series(names, dtype=pl.String)))


def has_patients(cells: pl.DataFrame) -> bool:
    """Tell whether every cell has a patient; raises DataError where only some do."""
    missing = cells["patient"].null_count()
    if 0 < missing < len(cells):
        first = cells.filter(pl.col("patient").is_null())["cell"][0]
        raise DataError(
            f"{missing} of {len(cells)} cells have no patient, the first is {first};"
            " name them with --patients CSV"
        )
    return missing == 0


def write_split(cells: pl.DataFrame, path: Path) -> None:
    """Write `cell,patient,label,split`, whole or not at all; raises RunError where it can't."""
    try:
        replace_file(path, cells.select("cell", "patient", "label", "split").write_csv())
    except OSError as error:
        raise RunError(f"{path}: can't be written ({error.strerror})") from error


def read_split(cells: pl.DataFrame, path: Path) -> pl.DataFrame:
    """Deal the cells out as a file written by `write_split` says.

    Cells that it doesn't name are left out. Raises DataError where it names none of them,
    has other parts than train, validation and test, or has a patient on two sides.
    """
    part_of: dict[str, str] = {}
    names, parts = _read(path)
    for cell, part in zip(match_cells(cells, names), parts, strict=True):
        if cell and part_of.setdefault(cell, part) != part:
            raise DataError(f"{path}: {cell} stands in more than one part of the split")
    if not part_of:
        raise DataError(f"{path}: names none of these cells")
    found = pl.col("cell").replace_strict(part_of, default=None, return_dtype=pl.String)
    split_data = cells.with_columns(split=found).drop_nulls("split")
    _refuse_leaks(split_data, path)
    return _require_both_classes(split_data)


def _read(path: Path) -> tuple[list[str], list[str]]:
    titles, *rows = read_csv(path)
    if not {"cell", "split"} <= set(titles):
        raise DataError(f"{path}: not a split.csv, with the columns cell and split")
    lines = [dict(zip(titles, row, strict=False)) for row in rows]
    parts = [line.get("split", "") for line in lines]
    strange = set(parts) - set(SHARES)
    if strange:
        raise DataError(f"{path}: unknown part {min(strange)!r}; use {', '.join(SHARES)}")
    return [line["cell"] for line in lines], parts


def _refuse_leaks(cells: pl.DataFrame, path: Path) -> None:
    sides = cells.drop_nulls("patient").group_by("patient").agg(pl.col("split").n_unique())
    leaking = sides.filter(pl.col("split") > 1)["patient"].sort()
    if len(leaking):
        raise DataError(f"{path}: patient {leaking[0]} stands in more than one part of the split")


def _require_both_classes(cells: pl.DataFrame) -> pl.DataFrame:
    seen = cells.group_by("split").agg(pl.col("label").n_unique())
    whole = set(seen.filter(pl.col("label") == 2)["split"])
    if whole != set(SHARES):
        part = next(name for name in SHARES if name not in whole)
        raise DataError(f"the {part} part would lack a class: too few patients have both classes")
    return cells


def _deal(cells: pl.DataFrame, shares: Sequence[float], seed: int) -> Ints:
    """Return the part of each cell: int `[cells]`.

    Patients come by falling number of cells, shuffled within strata of like size, and each
    goes where it fills least: so every part gets its share of both classes and of the
    prolific patients (16 patients hold half of all parasitized cells of NLM). It goes
    elsewhere where the patients who are left could not bring both classes to each part.
    """
    owner = cells["patient"] if has_patients(cells) else cells["cell"]
    _, patient = np.unique(owner.to_numpy(), return_inverse=True)
    infected = (cells["label"] == PARASITIZED).to_numpy()
    count = np.stack([np.bincount(patient, kind) for kind in (~infected, infected)], axis=1)
    if len(count) < len(shares):
        raise DataError(
            f"{len(count)} patients: at least {len(shares)} are needed, so that no patient is"
            " both trained and tested on"
        )

    order = _by_size(count.sum(axis=1), np.random.default_rng(seed))
    part_of = np.empty(len(count), dtype=np.int64)
    part_of[order] = _fill(count[order].astype(np.float64), shares)
    split_data: Ints = part_of[patient]
    return split_data


def _fill(count: Floats, shares: Sequence[float]) -> list[int]:
    """Return the part of each patient, in turn; `count` is `[patients, 2]`, cells by class."""
    target = np.outer(shares, count.sum(axis=0)).clip(min=1)
    filled = np.zeros_like(target)
    chosen = []
    for turn, one in enumerate(count, 1):
        fullness = ((filled + one / 2) / target * one).sum(axis=1)
        part = _emptiest(fullness, filled, one, count[turn:])
        filled[part] += one
        chosen.append(part)
    return chosen


def _emptiest(fullness: Floats, filled: Floats, one: Floats, left: Floats) -> int:
    """Return the emptiest part with which both classes can still come to every part."""
    emptiest = int(fullness.argmin())
    if filled.all():
        return emptiest
    for part in fullness.argsort(kind="stable"):
        then = filled.copy()
        then[part] += one
        if _can_complete(then == 0, left > 0):
            return int(part)
    return emptiest


def _can_complete(lacking: Bools, left: Bools) -> bool:
    """Tell whether patients with the classes `left[i]` can bring every part what it lacks.

    bool `[parts, 2]` and `[patients, 2]`. A part that lacks both classes needs a patient who
    has both, or one of each.
    """
    both = int(left.all(axis=1).sum())
    lack_both = int(lacking.all(axis=1).sum())
    spare = (left.sum(axis=0) - both) - (lacking.sum(axis=0) - lack_both)
    both += int(spare.clip(max=0).sum())  # they stand in where those of one class run out
    return both + int(spare.clip(min=0).min()) >= lack_both


def _by_size(size: Floats, rng: np.random.Generator) -> Ints:
    order = rng.permutation(len(size))
    order = order[np.argsort(-size[order], kind="stable")]
    strata = np.array_split(order, max(1, round(len(order) / _STRATUM)))
    return np.concatenate([rng.permutation(stratum) for stratum in strata])
