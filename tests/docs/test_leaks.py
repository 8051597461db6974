"""The counts on the page of traps: labels guessed from file names alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import leaks
from hemozoin.arrays import texts
from hemozoin.data.index import index_cells
from hemozoin.data.source import open_source
from tests.conftest import make_cells
from tests.support.tables import cells_of


def cells(**labels: str) -> list[leaks.NamedCell]:
    """Return cells of these patients, a letter per cell: p is parasitized, u uninfected."""
    names = {"p": "parasitized", "u": "uninfected"}
    rows = [
        (f"{patient}P1ThinF_IMG_2015091{n % 2}_144104_cell_{n}", names[label], patient)
        for patient, letters in labels.items()
        for n, label in enumerate(letters)
    ]
    return leaks.parse_names(cells_of(rows))


def test_the_majority_label_is_guessed() -> None:
    found = cells(C1="pppu", C2="uuuu")
    assert leaks.guess(found, "nothing")["accuracy"] == 5 / 8
    assert leaks.guess(found, "patient")["accuracy"] == 7 / 8
    assert leaks.guess(found, "day")["groups"] == 2


@pytest.mark.parametrize(
    ("letters", "expected"),
    [("uupp", (1, 1)), ("upup", (1, 0)), ("ppuu", (1, 0)), ("pppp", (0, 0)), ("uuuu", (0, 0))],
)
def test_the_order_within_a_photo(letters: str, expected: tuple[int, int]) -> None:
    found = [replace(cell, photo="one") for cell in cells(C1=letters)]
    assert tuple(leaks.order(found).values()) == expected


def test_names_are_parsed_as_nlm_writes_them(tmp_path: Path) -> None:
    found = leaks.parse_names(index_cells(open_source(make_cells(tmp_path / "cells.zip"))))
    assert len(found) == 48
    assert {cell.day for cell in found} == {"20150918"}
    assert leaks.order(found) == {"mixed_photos": 6, "in_order": 6}


def test_corrected_labels_are_counted_by_patient() -> None:
    found = cells(C1="pppp", C2="pppu", C3="uuuu")
    row = leaks.distribution(
        [replace(cell, corrected=cell.patient == "C3" and cell.number > 0) for cell in found]
    )
    assert (row["patients"], row["patients_without_parasitized"]) == (3, 1)
    assert (row["corrected"], row["most_corrected_of_a_patient"]) == (3, 3)
    assert row["cells_of_that_patient"] == 4
    assert row["patients_with_half_of_corrected"] == row["patients_with_half_of_parasitized"] == 1


def test_a_corrected_label_is_another_one_or_none() -> None:
    rows = [(f"C1P1_IMG_20150918_144104_cell_{n}", "parasitized", "C1") for n in range(3)]
    named = replace(cells_of(rows), corrected=texts(["parasitized", "uninfected", None]))
    assert [cell.corrected for cell in leaks.parse_names(named)] == [False, True, True]
