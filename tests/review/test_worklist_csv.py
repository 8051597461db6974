"""Worklists as people give them back: saved by a spreadsheet, changed, of another slide."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from hemozoin.errors import DataError
from hemozoin.review.worklist import draw_worklist
from hemozoin.review.worklist_csv import (
    WORKLIST_COLUMNS,
    read_worklist,
    require_new_worklist,
    write_worklist,
)
from tests.support.reviews import found_cells

CELLS = found_cells([0.9, 0.5, 0.3] + [0.0123 + i / 1000 for i in range(60)])

Rows = list[dict[str, str]]


@pytest.fixture
def worklist(tmp_path: Path) -> Path:
    """Return a worklist of 20 cells with an answer in each row."""
    path = tmp_path / "worklist.csv"
    write_worklist(draw_worklist(CELLS, 20), path)
    return change(
        path, lambda rows: [row.update(answer="uninfected", reader="ann") for row in rows]
    )


def change(path: Path, edit: Callable[[Rows], object], delimiter: str = ",") -> Path:
    """Change the rows of a worklist, and save it with another delimiter."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    edit(rows)
    with path.open("w", newline="", encoding="utf-8-sig" if delimiter == ";" else "utf-8") as file:
        table = csv.DictWriter(file, rows[0].keys(), delimiter=delimiter)
        table.writeheader()
        table.writerows(rows)
    return path


def test_the_columns(worklist: Path) -> None:
    assert ",".join(WORKLIST_COLUMNS) == (
        "field,cell,x,y,width,height,p_parasitized,decision,stratum,probability,answer,reader,note"
    )
    first = worklist.read_text(encoding="utf-8").splitlines()[1]
    assert first == "f0.png,1,0,7,40,42,0.9,parasitized,called,1,uninfected,ann,"


def test_answers_are_read(worklist: Path) -> None:
    reviews = read_worklist(worklist, CELLS)
    drawn = draw_worklist(CELLS, 20)
    assert [one.probability for one in reviews] == [row.probability for row in drawn]
    assert {one.answer for one in reviews} == {"uninfected"}
    assert {one.reader for one in reviews} == {"ann"}


def test_a_spreadsheet_has_saved_it(worklist: Path) -> None:
    before = read_worklist(worklist, CELLS)

    def as_excel(rows: Rows) -> None:
        rows[0]["answer"] = " Can\N{RIGHT SINGLE QUOTATION MARK}t  tell "
        rows[1]["answer"] = "NOT A RED CELL"
        for row in rows:
            row["p_parasitized"] = row["p_parasitized"].replace(".", ",")
            row["probability"] = f"{float(row['probability']):.9f}".replace(".", ",")

    after = read_worklist(change(worklist, as_excel, ";"), CELLS)
    assert [one.answer for one in after][:3] == ["can't tell", "not a red cell", "uninfected"]
    assert [one.field for one in after] == [one.field for one in before]


def test_rows_without_an_answer_and_in_another_order(worklist: Path) -> None:
    def partly(rows: Rows) -> None:
        rows.reverse()
        for row in rows[5:]:
            row["answer"] = ""
        rows[0]["reader"] = ""

    reviews = read_worklist(change(worklist, partly), CELLS)
    assert len(reviews) == 5
    assert reviews[0].reader == "unnamed"


def test_two_readers_and_the_same_answer_twice(worklist: Path) -> None:
    def twice(rows: Rows) -> None:
        rows.append(dict(rows[0]))
        rows.append(rows[0] | {"reader": "bo", "answer": "parasitized"})

    reviews = read_worklist(change(worklist, twice), CELLS)
    assert len(reviews) == 21


def test_a_worklist_after_a_screening_with_another_network(worklist: Path) -> None:
    other = found_cells([p / 2 for p in CELLS.p_parasitized])
    assert len(read_worklist(worklist, other)) == 20


BAD: dict[str, tuple[Callable[[Rows], object], str]] = {
    "an unknown answer": (
        lambda rows: rows[1].update(answer="infected"),
        "line 3: answer 'infected' is unknown; the answers are parasitized, uninfected",
    ),
    "two answers of one reader": (
        lambda rows: rows.append(rows[0] | {"answer": "parasitized"}),
        "line 22: ann says 'parasitized', but 'uninfected' in an earlier line",
    ),
    "no answers": (
        lambda rows: [row.update(answer="") for row in rows],
        "no answer is filled in",
    ),
    "another field": (lambda rows: rows[0].update(field="z.png"), "line 2: smear has no such cell"),
    "another cell": (lambda rows: rows[0].update(cell="4"), "line 2: smear has no such cell"),
    "a cell that is text": (lambda rows: rows[0].update(cell="²"), "smear has no such cell"),
    "another box": (
        lambda rows: rows[2].update(x="99"),
        "line 4: smear has no such cell in f0.png",
    ),
    "a box that is text": (lambda rows: rows[2].update(width="?"), r"line 4: width is '\?'"),
    "a box that is infinite": (lambda rows: rows[2].update(width="inf"), "line 4: width is 'inf'"),
    "another p": (
        lambda rows: rows[0].update(p_parasitized="0.5"),
        "line 2: p_parasitized was changed",
    ),
    "another decision": (
        lambda rows: rows[0].update(decision="uninfected"),
        "line 2: decision or stratum was changed",
    ),
    "another stratum": (lambda rows: rows[0].update(stratum="sure"), "line 2: decision or stratum"),
    "another probability": (
        lambda rows: rows[-1].update(probability="0.9"),
        "line 21: probability was changed",
    ),
    "a certain probability": (
        lambda rows: rows[-1].update(probability="1"),
        "line 21: probability was changed",
    ),
    "a probability of 0": (
        lambda rows: rows[-1].update(probability="0"),
        r"line 21: probability is not in 0\.\.1",
    ),
    "a missing column": (
        lambda rows: [row.pop("answer") for row in rows],
        "without the columns answer; is it a worklist",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_worklists(name: str, worklist: Path) -> None:
    edit, message = BAD[name]
    change(worklist, edit)
    with pytest.raises(DataError, match=message) as caught:
        read_worklist(worklist, CELLS)
    assert len(str(caught.value)) - len(str(worklist)) < 300


def test_a_worklist_is_never_overwritten(worklist: Path) -> None:
    with pytest.raises(DataError, match="already exists, perhaps with answers"):
        require_new_worklist(draw_worklist(CELLS, 20), worklist)
    same = worklist.with_name("same.csv")
    write_worklist(draw_worklist(CELLS, 20), same)
    require_new_worklist(draw_worklist(CELLS, 20), same)  # it has no answers


def test_a_file_that_is_no_worklist(tmp_path: Path) -> None:
    path = tmp_path / "worklist.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="without the columns field, cell, x"):
        read_worklist(path, CELLS)
