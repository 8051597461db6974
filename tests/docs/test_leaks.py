"""What the page of traps counts: labels guessed from names alone."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import leaks
from hemozoin.data.index import index_cells
from hemozoin.data.source import open_source
from tests.conftest import make_cells


def cells(**labels: str) -> pl.DataFrame:
    """Return cells of as many patients, a letter a cell: p is parasitized, u uninfected."""
    rows = [
        (f"{patient}P1ThinF_IMG_2015091{n % 2}_144104_cell_{n}", patient, label)
        for patient, letters in labels.items()
        for n, label in enumerate(letters)
    ]
    table = pl.DataFrame(rows, schema=["cell", "patient", "label"], orient="row")
    names = {"p": "parasitized", "u": "uninfected"}
    return leaks.named(table.with_columns(pl.col("label").replace(names)))


def test_the_commoner_label_is_guessed() -> None:
    found = cells(C1="pppu", C2="uuuu")
    assert leaks.guessed(found, pl.lit(0))["right"] == 5 / 8
    assert leaks.guessed(found, pl.col("patient"))["right"] == 7 / 8
    assert leaks.guessed(found, pl.col("day"))["groups"] == 2


@pytest.mark.parametrize(
    ("letters", "expected"),
    [("uupp", (1, 1)), ("upup", (1, 0)), ("ppuu", (1, 0)), ("pppp", (0, 0)), ("uuuu", (0, 0))],
)
def test_the_order_within_a_photo(letters: str, expected: tuple[int, int]) -> None:
    found = cells(C1=letters).with_columns(photo=pl.lit("one"))
    assert tuple(leaks.order(found).values()) == expected


def test_names_are_read_as_nlm_writes_them(tmp_path: Path) -> None:
    found = leaks.named(index_cells(open_source(make_cells(tmp_path / "cells.zip"))))
    assert len(found) == 48
    assert set(found["day"]) == {"20150918"}
    assert leaks.order(found) == {"mixed_photos": 6, "in_order": 6}


def test_doubted_labels_lie_unevenly() -> None:
    found = cells(C1="pppp", C2="pppu", C3="uuuu").with_columns(corrected=pl.col("label"))
    doubt = (pl.col("patient") == "C3") & (pl.col("number") > 0)
    other = pl.when(pl.col("number") > 2).then(None).otherwise(pl.lit("parasitized"))
    row = leaks.spread(
        found.with_columns(corrected=pl.when(doubt).then(other).otherwise("corrected"))
    )
    assert (row["patients"], row["without_parasitized"]) == (3, 1)
    assert (row["doubted"], row["most_doubted"], row["of_cells"]) == (3, 3, 4)
    assert row["hold_half_of_the_doubted"] == row["hold_half_of_the_parasitized"] == 1
