from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hemozoin.arrays import texts
from hemozoin.classes import PARASITIZED, UNINFECTED
from hemozoin.data.cells import Cells, SplitCells
from hemozoin.data.index import index_cells
from hemozoin.data.source import open_source
from hemozoin.data.split import (
    SHARES,
    has_patients,
    read_split,
    split_by_patient,
    split_in_folds,
    write_split,
)
from hemozoin.errors import DataError, HemozoinError, RunError
from tests.support.tables import cells_of, columns_of, shuffled, without_patients

Counts = dict[str, tuple[int, int]]


def table(patients: Counts) -> Cells:
    """Return a table of cells from the numbers of parasitized and uninfected ones per patient."""
    rows = [
        (f"{patient}_{label[0]}{number}", label, patient)
        for patient, counts in patients.items()
        for label, count in zip((PARASITIZED, UNINFECTED), counts, strict=True)
        for number in range(count)
    ]
    return cells_of(rows)


def like_nlm(seed: int = 0, patients: int = 160) -> Cells:
    """Return cells as in NLM's data: few patients have most of the parasitized cells."""
    rng = np.random.default_rng(seed)
    sick = np.round(rng.pareto(1.1, patients) * 20 * (rng.random(patients) > 0.25)).astype(int)
    well = rng.integers(20, 150, patients)
    return table({f"C{n}": (int(sick[n].clip(max=900)), int(well[n])) for n in range(patients)})


def parts(split: SplitCells) -> dict[str, str]:
    return dict(zip(split.cell, split.split, strict=True))


def assert_each_patient_in_one_part(split: SplitCells) -> None:
    assert len({*zip(split.patient, split.split, strict=True)}) == len({*split.patient})


def classes_in(split: SplitCells) -> dict[str, int]:
    return {part: len({*split.part(part).label}) for part in {*split.split}}


cell_counts = st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(any)
tables = st.lists(cell_counts, min_size=3, max_size=12).map(
    lambda counts: {f"p{number}": count for number, count in enumerate(counts)}
)


#: No patient has both classes; assigned by size alone, validation would lack a class.
ONE_CLASS_EACH = {"a": (9, 0), "b": (8, 0), "c": (7, 0), "d": (0, 1), "e": (0, 1), "f": (0, 1)}


@example(patients=ONE_CLASS_EACH, seed=2)
@given(patients=tables, seed=st.integers(0, 99))
def test_each_part_has_its_own_patients_and_both_classes_if_that_is_possible(
    patients: Counts, seed: int
) -> None:
    cells = table(patients)
    mixed = sum(all(count) for count in patients.values())
    only_sick = sum(count[1] == 0 for count in patients.values())
    only_well = sum(count[0] == 0 for count in patients.values())
    possible = mixed + min(only_sick, only_well) >= 3
    try:
        split = split_by_patient(cells, seed)
    except DataError as error:
        assert "lack a class" in str(error)
        assert not possible
    else:
        assert possible
        assert_each_patient_in_one_part(split)
        assert classes_in(split) == dict.fromkeys(SHARES, 2)
        assert columns_of(split).items() >= columns_of(cells).items()
        assert split.row.tolist() == list(range(len(cells)))


@pytest.mark.slow
@given(patients=tables, seed=st.integers(0, 99), folds=st.integers(2, 5))
def test_folds_partition_the_patients(patients: Counts, seed: int, folds: int) -> None:
    cells = table(patients)
    try:
        splits = split_in_folds(cells, folds, seed)
    except DataError:
        # With two folds, one may have a single patient with both classes, too few for its split.
        assert folds == 2 or sum(all(count) for count in patients.values()) < folds
        return
    assert len(splits) == folds
    for split in splits:
        assert_each_patient_in_one_part(split)
        assert classes_in(split) == dict.fromkeys(SHARES, 2)
    tested = [set(split.part("test").cell) for split in splits]
    assert sum(map(len, tested)) == len(cells)
    assert set.union(*tested) == set(cells.cell)


@settings(max_examples=20)
@given(patients=tables, order=st.randoms(use_true_random=False))
def test_the_order_of_the_rows_makes_no_difference(patients: Counts, order: object) -> None:
    patients = {**patients, "x": (2, 1), "y": (1, 3), "z": (4, 4)}
    cells = table(patients)
    again = shuffled(cells, order.randrange(2**32))  # type: ignore[attr-defined]
    assert parts(split_by_patient(cells, 7)) == parts(split_by_patient(again, 7))
    for one, other in zip(split_in_folds(cells, 3, 7), split_in_folds(again, 3, 7), strict=True):
        assert parts(one) == parts(other)
    no_patients = [without_patients(rows) for rows in (cells, again)]
    assert parts(split_by_patient(no_patients[0], 7)) == parts(split_by_patient(no_patients[1], 7))


@pytest.mark.slow
def test_same_seed_same_split_and_another_seed_another_one() -> None:
    cells = like_nlm()
    splits = [parts(split_by_patient(cells, seed)) for seed in range(5)]
    assert splits[3] == parts(split_by_patient(cells, 3))
    assert len({tuple(one.values()) for one in splits}) == 5
    folds = [split_in_folds(cells, 5, seed)[0].split.tolist() for seed in (0, 0, 1)]
    assert folds[0] == folds[1] != folds[2]


def shares(split: SplitCells, label: str) -> dict[str, float]:
    of = split.select(split.label == label)
    return {part: count / len(of) for part, count in Counter(of.split).items()}


@pytest.mark.parametrize("seed", range(5))
def test_each_part_gets_its_share_of_both_classes(seed: int) -> None:
    split = split_by_patient(like_nlm(seed), seed)
    for label in (PARASITIZED, UNINFECTED):
        for part, share in shares(split, label).items():
            assert abs(share - SHARES[part]) < 0.02


def test_patients_with_many_cells_are_tested_too() -> None:
    cells = like_nlm()
    largest = [patient for patient, _ in Counter(cells.patient).most_common(16)]
    tested = set[str]()
    for seed in range(20):
        split = split_by_patient(cells, seed)
        split = split.select(np.isin(split.patient, largest))
        assert len(split.part("test")) / len(split) < 0.4
        tested |= set(split.part("test").patient)
    assert len(tested) > 10


def test_three_patients_are_enough_and_two_are_not() -> None:
    three = {"a": (500, 3), "b": (2, 90), "c": (1, 1)}
    assert classes_in(split_by_patient(table(three), 0)) == dict.fromkeys(SHARES, 2)
    with pytest.raises(DataError, match="2 patients: at least 3 are needed"):
        split_by_patient(table({"a": (5, 5), "b": (5, 5)}), 0)
    assert len(split_in_folds(table(three), 3, 0)) == 3
    with pytest.raises(DataError, match="3 patients: at least 5"):
        split_in_folds(table(three), 5, 0)
    with pytest.raises(HemozoinError, match="folds is 1; give a whole number from 2 to 1,000"):
        split_in_folds(table(three), 1, 0)


def test_without_any_patients_each_cell_is_assigned_by_itself() -> None:
    cells = without_patients(table({"a": (100, 200)}))
    assert not has_patients(cells)
    split = split_by_patient(cells, 0)
    for label in (PARASITIZED, UNINFECTED):
        assert shares(split, label) == pytest.approx(SHARES, abs=0.01)


def test_patients_for_only_some_cells_are_refused() -> None:
    cells = table({"a": (2, 2), "b": (2, 2), "c": (2, 2)})
    assert has_patients(cells)
    gaps = replace(cells, patient=np.where(cells.cell == "b_u1", texts([None]), cells.patient))
    with pytest.raises(DataError, match=r"1 of 12 cells have no patient, the first is b_u1; .*CSV"):
        split_by_patient(gaps, 0)


# ---- the file ----------------------------------------------------------------------------------


def test_a_written_split_is_read_in_any_order_of_the_cells(tmp_path: Path) -> None:
    split = split_by_patient(like_nlm(), 0)
    write_split(split, tmp_path / "split.csv")
    assert (tmp_path / "split.csv").read_text().startswith("cell,patient,label,split\n")
    other_order = shuffled(like_nlm(), seed=0)
    again = read_split(other_order, tmp_path / "split.csv")
    assert again.cell.tolist() == other_order.cell.tolist()
    assert parts(again) == parts(split)


def test_cells_that_the_file_does_not_name_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = like_nlm()
    every_other = np.arange(0, len(cells), 2)
    write_split(split_by_patient(cells, 0).select(every_other), tmp_path / "split.csv")
    again = read_split(cells, tmp_path / "split.csv")
    assert again.cell.tolist() == cells.cell[::2].tolist()
    assert again.row.tolist() == every_other.tolist()
    left_out = f"{len(cells) - len(again):,} cells of the data are not in it and are left out; 0 of"
    assert left_out in capsys.readouterr().err
    read_split(cells.select(every_other), tmp_path / "split.csv")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "'", "'=", "\t", " ", "a;b;c;d;", '"'])
def test_any_names_are_read_as_they_were_written(tmp_path: Path, start: str) -> None:
    cells = table({f"{start}{patient}{start}": (3, 3) for patient in "abcdef"})
    split = split_by_patient(cells, 0)
    write_split(split, tmp_path / "split.csv")
    assert columns_of(read_split(cells, tmp_path / "split.csv")) == columns_of(split)
    written = (tmp_path / "split.csv").read_text().split("\n")
    assert not [line for line in written if line.startswith(("=", "+", "-", "@", "\t"))]


@pytest.mark.parametrize("start", ["", "sep=;\r\n"])
def test_a_split_that_excel_has_written(tmp_path: Path, start: str) -> None:
    text = start + GOOD.replace(",", ";").replace("\n", "\r\n")
    (tmp_path / "split.csv").write_bytes(text.encode("utf-16"))
    assert read_split(CELLS, tmp_path / "split.csv").split.tolist() == [
        part for part in SHARES for _ in range(2)
    ]


CELLS = table({"a": (1, 1), "b": (1, 1), "c": (1, 1), "d": (1, 0)})
GOOD = (
    "cell,split\na_p0,train\na_u0,train\nb_p0,validation\nb_u0,validation\nc_p0,test\nc_u0,test\n"
)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "an empty file"),
        (GOOD.replace("split", "part"), "not a split.csv"),
        (GOOD.replace("validation", "val"), "unknown part 'val'; use train, validation, test"),
        (GOOD + "d_p0,\n", "unknown part ''"),
        (GOOD.replace("_", "-"), "names none of these cells"),
        (GOOD.replace("b_u0,validation", "b_u0,train"), "patient b is in more than one part"),
        (GOOD + "a_p0,test\n", "a_p0 is in more than one part"),
        (GOOD.replace("c_u0,test\n", ""), "the test part would lack a class"),
        (GOOD.replace("test", "train"), "the test part would lack a class"),
    ],
)
def test_an_invalid_split(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "split.csv").write_text(GOOD)
    assert read_split(CELLS, tmp_path / "split.csv").split.tolist() == [
        part for part in SHARES for _ in range(2)
    ]
    (tmp_path / "split.csv").write_text(text)
    with pytest.raises(DataError, match=why) as caught:
        read_split(CELLS, tmp_path / "split.csv")
    assert "split.csv" in str(caught.value) or "part would lack" in why


def test_the_old_split_stays_if_the_new_one_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "split.csv"
    path.write_text("old")

    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=r"split.csv: can't be written \(No space left"):
        write_split(split_by_patient(like_nlm(), 0), path)
    assert [file.name for file in tmp_path.iterdir()] == ["split.csv"]
    assert path.read_text() == "old"


@pytest.mark.real
def test_shares_of_the_real_cells(real_zip: Path) -> None:
    cells = index_cells(open_source(real_zip))
    for seed in range(10):
        split = split_by_patient(cells, seed)
        assert_each_patient_in_one_part(split)
        for label in (PARASITIZED, UNINFECTED):
            assert shares(split, label) == pytest.approx(SHARES, abs=0.01)
    for split in split_in_folds(cells, 5, 0):
        assert_each_patient_in_one_part(split)
        assert shares(split, PARASITIZED)["test"] == pytest.approx(0.2, abs=0.01)
