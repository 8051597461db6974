"""Who is trained on and who is tested on: patients, never cells, are dealt out.

Cells of one patient share stain, light and microscope: on NLM's cells the patient alone
predicts the label with 79.8 %. A split by cell measures memory; published figures of 97 to
99.9 % come from such splits.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from hemozoin.cells.index import PARASITIZED
from hemozoin.errors import DataError

#: Shares of the cells. The test patients are many because a patient, not a cell, is a sample.
SHARES = {"train": 0.75, "validation": 0.10, "test": 0.15}

#: Patients of like size are shuffled among each other: so many at a time.
_STRATUM = 8


def split_by_patient(cells: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Add the column `split`: "train", "validation" or "test".

    Needs the columns `cell`, `label`, `patient`. Where no patient is known at all, each cell
    is dealt out by itself (see `has_patients`). Raises DataError for fewer than 3 patients,
    or where only some cells have one.
    """
    parts = _deal(cells, list(SHARES.values()), seed)
    names = np.array(list(SHARES))[parts]
    return _require_both_classes(cells.with_columns(split=pl.Series(names)))


def split_in_folds(cells: pl.DataFrame, folds: int, seed: int) -> list[pl.DataFrame]:
    """Return `folds` splits for cross-validation; each patient is in the test part once."""
    if folds < 2:
        raise DataError(f"--folds {folds}: give 2 or more")
    fold = _deal(cells, [1 / folds] * folds, seed)
    return [_one_fold(cells, fold == k, seed) for k in range(folds)]


def _one_fold(cells: pl.DataFrame, tested: npt.NDArray[np.bool_], seed: int) -> pl.DataFrame:
    """Take the validation patients from those who are not tested in this fold."""
    share = SHARES["validation"] / (SHARES["train"] + SHARES["validation"])
    others = _deal(cells.filter(~pl.Series(tested)), [1 - share, share], seed)
    names = np.full(len(cells), "test", dtype=object)
    names[~tested] = np.array(["train", "validation"])[others]
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
    """Write `cell,patient,label,split`, whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    cells.select("cell", "patient", "label", "split").write_csv(partial)
    os.replace(partial, path)


def read_split(cells: pl.DataFrame, path: Path) -> pl.DataFrame:
    """Deal the cells out as a file written by `write_split` says.

    Cells that it doesn't name are left out. Raises DataError where it names none of them,
    has other parts than train, validation and test, or has a patient on two sides.
    """
    try:
        table = pl.read_csv(path, infer_schema=False).select("cell", "label", "split")
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{path}: not a split.csv with cell, label and split") from error
    strange = set(table["split"]) - set(SHARES)
    if strange:
        raise DataError(f"{path}: unknown part {min(map(str, strange))!r}; use {', '.join(SHARES)}")
    keys = ["cell", "label"]
    dealt = cells.join(table.unique(keys), on=keys, how="inner", maintain_order="left")
    if dealt.is_empty():
        raise DataError(f"{path}: names none of these cells")
    _refuse_leaks(dealt, path)
    return _require_both_classes(dealt)


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


def _deal(cells: pl.DataFrame, shares: Sequence[float], seed: int) -> npt.NDArray[np.int64]:
    """Return the part of each cell: int `[cells]`.

    Patients come by falling number of cells, shuffled within strata of like size, and each
    goes where it fills least: so every part gets its share of both classes and of the
    prolific patients (16 patients hold half of all parasitized cells of NLM).
    """
    owner = cells["patient"] if has_patients(cells) else pl.Series(range(len(cells)))
    _, patient = np.unique(owner.to_numpy(), return_inverse=True)
    infected = (cells["label"] == PARASITIZED).to_numpy()
    count = np.stack([np.bincount(patient, ~infected), np.bincount(patient, infected)], axis=1)
    if len(count) < max(3, len(shares)):
        raise DataError(f"{len(count)} patients: at least {max(3, len(shares))} are needed")

    target = np.outer(shares, count.sum(axis=0)).clip(min=1)
    filled = np.zeros_like(target)
    part_of = np.empty(len(count), dtype=np.int64)
    for one in _by_size(count.sum(axis=1), np.random.default_rng(seed)):
        fullness = ((filled + count[one] / 2) / target * count[one]).sum(axis=1)
        part_of[one] = fullness.argmin()
        filled[part_of[one]] += count[one]
    dealt: npt.NDArray[np.int64] = part_of[patient]
    return dealt


def _by_size(
    size: npt.NDArray[np.float64], rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    order = rng.permutation(len(size))
    order = order[np.argsort(-size[order], kind="stable")]
    strata = np.array_split(order, max(1, round(len(order) / _STRATUM)))
    return np.concatenate([rng.permutation(stratum) for stratum in strata])
