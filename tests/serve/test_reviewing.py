"""Answers of readers by the API: kept in reviews.csv, blind to each other, and counted."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from hemozoin.review.recount import recount_slide
from hemozoin.review.reviews import read_reviews
from hemozoin.review.worklist import draw_worklist
from hemozoin.serve.reviewing import (
    AUDIT_CELLS,
    CellReviews,
    GivenAnswer,
    current_count,
    is_stale,
)
from tests.support.commands import succeed
from tests.support.servers import RunningServer, serving
from tests.support.smears import make_fields

pytestmark = pytest.mark.slow

PATH = "/slides/left"


def cells(server: RunningServer, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.api.get(f"{PATH}/cells", params=query).json()
    return found


def say(server: RunningServer, cell: str, answer: str, reader: str = "Ada", **more: str) -> Any:
    body = [{"cell": cell, "answer": answer, "reader": reader, **more}]
    answered = server.api.post(f"{PATH}/reviews", json=body)
    assert answered.status_code == 200, answered.text
    return answered.json()["reviewed"]


def test_answers_are_kept_taken_back_and_blind(server: RunningServer, folder: Path) -> None:
    first, second = (cell["id"] for cell in cells(server)[:2])
    assert say(server, first, "parasitized")["parasitized"] == 1
    say(server, first, "uninfected", "Bob")
    say(server, second, "not a red cell", "Bob")
    say(server, second, "", "Bob")
    ada, everyone = cells(server, reader="Ada"), cells(server)
    assert [one["answer"] for one in ada[0]["reviews"]] == ["parasitized"]
    assert [one["reader"] for one in everyone[0]["reviews"]] == ["Ada", "Bob"]
    assert everyone[1]["reviews"] == []
    rows = read_reviews(folder / "left")
    assert [(row.reader, row.answer) for row in rows] == [
        ("Ada", "parasitized"),
        ("Bob", "uninfected"),
        ("Bob", "not a red cell"),
        ("Bob", ""),
    ]


def test_the_count_follows_when_all_called_and_close_cells_are_answered(
    server: RunningServer,
) -> None:
    wanted = [*cells(server, worklist="called"), *cells(server, worklist="close")]
    assert wanted
    for cell in wanted[:-1]:
        count = say(server, cell["id"], "uninfected")
        assert not count["settled"]
    count = say(server, wanted[-1]["id"], "parasitized")
    assert count["settled"] and count["confirmed"]
    assert count["parasitaemia"]["value"] == pytest.approx(1 / len(cells(server)), rel=0.2)
    assert server.api.get(PATH).json()["reviewed"] == count
    (listed,) = server.api.get("/slides").json()
    assert listed["count"]["verdict"] == "confirmed by a person"
    assert listed["count"]["parasitaemia"] == count["parasitaemia"]["value"]
    assert listed["stale"]
    assert server.api.post(f"{PATH}/recount").status_code == 204
    (again,) = server.api.get("/slides").json()
    assert again == {**listed, "stale": False}
    say(server, wanted[-1]["id"], "")
    (back,) = server.api.get("/slides").json()
    assert back["count"]["verdict"] == "needs confirmation"


def test_the_random_sample_keeps_its_chances(server: RunningServer, folder: Path) -> None:
    found = CellReviews(folder / "left").found
    drawn = {
        f"{row.field}:{row.cell}": row.probability for row in draw_worklist(found, AUDIT_CELLS)
    }
    sample = cells(server, worklist="audit")
    assert {cell["id"] for cell in sample} == drawn.keys()
    count = None
    for cell in sample:
        count = say(server, cell["id"], "uninfected", worklist="audit")
    assert count and count["settled"]
    assert {row.probability for row in read_reviews(folder / "left")} == {*drawn.values()}


def test_cells_of_like_p(server: RunningServer) -> None:
    by_p = sorted(cells(server), key=lambda cell: -cell["p_parasitized"])
    places = {cell["id"]: place for place, cell in enumerate(by_p)}
    for place in (0, 6, len(by_p) - 1):
        near = cells(server, near=by_p[place]["id"])
        expected = by_p[max(0, place - 4) : place + 5]
        assert [places[cell["id"]] for cell in near] == [places[cell["id"]] for cell in expected]
    unknown = server.api.get(f"{PATH}/cells", params={"near": "x:1"})
    assert unknown.json() == {"error": "'x:1' is no cell of this slide that is counted"}


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ([], 422, "no review is given"),
        ([{"cell": "x:1", "answer": "parasitized", "reader": "Ada"}], 400, "is no cell of this"),
        ([{"cell": "1.png:1", "answer": "maybe", "reader": "Ada"}], 422, "answer"),
        ([{"cell": "1.png:1", "answer": "parasitized", "reader": " "}], 422, "reader"),
        ([{"cell": "1.png:1", "answer": "parasitized"}], 422, "reader"),
        ("text", 422, "list"),
    ],
)
def test_wrong_reviews_change_nothing(
    body: Any, status: int, error: str, server: RunningServer, folder: Path
) -> None:
    answer = server.api.post(f"{PATH}/reviews", json=body)
    assert answer.status_code == status
    assert error in answer.json()["error"]
    assert not (folder / "left" / "reviews.csv").exists()


def test_a_missed_cell_alone_is_kept_and_makes_no_count(
    server: RunningServer, folder: Path
) -> None:
    field = cells(server)[0]["field"]
    cell = {"field": field, "x": 1, "y": 2, "width": 9, "height": 9, "reader": "Ada"}
    answer = server.api.post(f"{PATH}/missed-cells", json={**cell, "answer": "parasitized"})
    assert answer.json() == {"reviewed": None}
    shown = server.api.get(f"{PATH}/fields/{field}").json()["missed"]
    assert [(one["x"], one["reader"], one["answer"]) for one in shown] == [
        (1, "Ada", "parasitized")
    ]
    elsewhere = server.api.post(f"{PATH}/missed-cells", json={**cell, "field": "x", "answer": ""})
    assert elsewhere.status_code == 400
    assert len(read_reviews(folder / "left")) == 1


def test_reviews_survive_kill_and_screening_again(by_hand: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(by_hand, tmp_path / "served")
    with serving(folder) as server:
        server.api.get("/slides")
        called = cells(server)[0]["id"]
        before = say(server, called, "parasitized")
        server.kill()
    with serving(folder) as server:
        assert server.api.get(PATH).json()["reviewed"] == before
    slide = make_fields(tmp_path / "left", "1.png", "2.png")
    succeed("screen", slide, "--out", folder / "left", "--overwrite")
    found = current_count(folder / "left").reviewed
    assert json.loads(json.dumps(found)) == before


def test_an_answer_that_came_during_a_recount_makes_the_slide_stale(folder: Path) -> None:
    slide = folder / "left"
    reviews, cell = CellReviews(slide), next(iter(CellReviews(slide).index()))
    reviews.add([GivenAnswer(cell, "parasitized", "Ada")])
    assert is_stale(slide)
    now = time.time()
    os.utime(slide / "reviews.csv", (now - 5, now - 5))
    os.utime(slide / "slide.json", (now, now))
    assert is_stale(slide)
    recount_slide(slide)
    assert not is_stale(slide)


def test_a_damaged_reviews_csv_is_named(server: RunningServer, folder: Path) -> None:
    (folder / "left" / "reviews.csv").write_text("saved;by;another;program\n1;2;3;4\n")
    answer = server.api.get(f"{PATH}/cells")
    assert answer.status_code == 400
    assert "reviews.csv: not as hemozoin wrote it" in answer.json()["error"]
    (listed,) = server.api.get("/slides").json()
    assert "reviews.csv: not as hemozoin wrote it" in listed["error"]
    assert listed["count"]["verdict"] == "needs confirmation"
