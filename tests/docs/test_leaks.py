"""The counts on the page of traps: labels guessed from file names alone."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import leaks
from hemozoin.data.index import index_cells
from hemozoin.data.source import open_source
from tests.conftest import make_cells


def cells(**labels: str) -> pl.DataFrame:
    """Return cells of these patients, a letter per cell: p is parasitized, u uninfected."""
    rows = [
        (f"{patient}P1ThinF_IMG_2015091{n % 2}_144104_cell_{n}", patient, label)
        for patient, letters in labels.items()
        for n, label in enumerate(letters)
    ]
    table = pl.DataFrame(rows, schema=["cell", "patient", "label"], orient="row")
    names = {"p": "parasitized", "u": "uninfected"}
    return leaks.parse_names(table.with_columns(pl.col("label").replace(names)))


def test_the_majority_label_is_guessed() -> None:
    found = cells(C1="pppu", C2="uuuu")
    assert leaks.guess(found, pl.lit(0))["accuracy"] == 5 / 8
    assert leaks.guess(found, pl.col("patient"))["accuracy"] == 7 / 8
    assert leaks.guess(found, pl.col("day"))["groups"] == 2


@pytest.mark.parametrize(
    ("letters", "expected"),
    [("uupp", (1, 1)), ("upup", (1, 0)), ("ppuu", (1, 0)), ("pppp", (0, 0)), ("uuuu", (0, 0))],
)
def test_the_order_within_a_photo(letters: str, expected: tuple[int, int]) -> None:
    found = cells(C1=letters).with_columns(photo=pl.lit("one"))
    assert tuple(leaks.order(found).values()) == expected


def test_names_are_parsed_as_nlm_writes_them(tmp_path: Path) -> None:
    found = leaks.parse_names(index_cells(open_source(make_cells(tmp_path / "cells.zip"))))
    assert len(found) == 48
    assert set(found["day"]) == {"20150918"}
    assert leaks.order(found) == {"mixed_photos": 6, "in_order": 6}


def test_corrected_labels_are_counted_by_patient() -> None:
    found = cells(C1="pppp", C2="pppu", C3="uuuu").with_columns(corrected=pl.col("label"))
    wrong = (pl.col("patient") == "C3") & (pl.col("number") > 0)
    other = pl.when(pl.col("number") > 2).then(None).otherwise(pl.lit("parasitized"))
    row = leaks.distribution(
        found.with_columns(corrected=pl.when(wrong).then(other).otherwise("corrected"))
    )
    assert (row["patients"], row["patients_without_parasitized"]) == (3, 1)
    assert (row["corrected"], row["most_corrected_of_a_patient"]) == (3, 3)
    assert row["cells_of_that_patient"] == 4
    assert row["patients_with_half_of_corrected"] == row["patients_with_half_of_parasitized"] == 1
