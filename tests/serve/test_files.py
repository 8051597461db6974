"""Records, reports, exports and single cells by the API of a real server."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import signal
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from hemozoin.csv_files import csv_line
from hemozoin.errors import DataError
from hemozoin.serve.records import checked_record, saved_record, write_record
from hemozoin.serve.workbook import slide_workbook
from tests.conftest import draw_cell, png
from tests.support.commands import succeed
from tests.support.servers import RunningServer, serving, wait_for
from tests.support.smears import make_fields


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Yield a server with a screened slide "left" that was uploaded, and "by-hand" that was not."""
    folder = tmp_path_factory.mktemp("folder")
    given = make_fields(folder / "given", "1.png", "2.png")
    with serving(folder / "served") as running:
        created = running.upload(*sorted(given.iterdir()), name="left")
        running.wait_until_screened(created.json()["id"])
        shutil.copytree(folder / "served" / "left", folder / "served" / "by-hand")
        running.api.get("/slides")
        yield running


def test_records_survive_being_written(tmp_path: Path) -> None:
    manual = {"infected": 3, "red_cells": 500, "reader": 'A "B" \\ ç'}
    values = {"patient": "P-1", "date": "2026-03-11", "hematocrit": 38.5, "manual": manual}
    write_record(checked_record(values), tmp_path)
    assert saved_record(tmp_path) == values
    assert tomllib.loads((tmp_path / "slide.toml").read_text("utf-8"))["manual"] == manual
    write_record({}, tmp_path)
    assert saved_record(tmp_path) == {}


@pytest.mark.parametrize(
    "values",
    [{"hematocrit": 450.0}, {"date": "11.3."}, {"patient": "two\nlines"}, {"other": 1}],
)
def test_impossible_records_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="record: "):
        checked_record(values)


@pytest.mark.slow
def test_a_record_changes_the_count_and_stays_in_the_changes(server: RunningServer) -> None:
    manual = {"infected": 1, "red_cells": 50}
    body = {"patient": "P-014", "hematocrit": 36, "manual": manual}
    assert server.api.put("/slides/left/record", json=body).status_code == 202
    slide = server.wait_until_screened("left")
    assert slide["record"] == {"patient": "P-014", "hematocrit": 36, "manual": manual}
    assert slide["count"]["red_cells_per_ul"] == pytest.approx(4e6)
    assert slide["count"]["manual_parasitaemia"] == 0.02
    assert server.api.put("/slides/left/record", json={"patient": "P-015"}).status_code == 202
    changes = server.wait_until_screened("left")["changes"]
    assert sum("P-014" in change["action"] for change in changes) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("slide", "body", "status", "error"),
    [
        ("left", {"hematocrit": 450}, 400, "hematocrit in %: 450 is out of range"),
        ("left", {"hematocrit": "x"}, 422, "hematocrit"),
        ("left", {"manual": {"infected": 5, "red_cells": 4}}, 400, "too many"),
        ("by-hand", {"patient": "P-1"}, 409, "its pictures and its record are elsewhere"),
        ("nothing", {"patient": "P-1"}, 404, "there is no slide"),
    ],
)
def test_wrong_records_change_nothing(
    slide: str, body: dict[str, Any], status: int, error: str, server: RunningServer
) -> None:
    answer = server.api.put(f"/slides/{slide}/record", json=body)
    assert answer.status_code == status
    assert error in answer.json()["error"]


@pytest.mark.slow
def test_a_wrong_record_of_an_upload_leaves_nothing(server: RunningServer, tmp_path: Path) -> None:
    picture = make_fields(tmp_path, "7.png", seed=7) / "7.png"
    files = [("files", ("7.png", picture.read_bytes()))]
    for data in ({"hematocrit": "450"}, {"hematocrit": "x"}, {"date": "soon"}):
        assert server.api.post("/slides", files=files, data=data).status_code in (400, 422)
    assert not [*_served(server).glob("pictures/.*")]
    assert len(server.api.get("/slides").json()) == 2


def _served(server: RunningServer) -> Path:
    assert isinstance(server.process.args, list)
    return Path(server.process.args[4])


@pytest.mark.slow
def test_files_and_the_report_with_reviews(server: RunningServer) -> None:
    cells = server.api.get("/slides/by-hand/cells").json()
    server.api.post("/slides/by-hand/recount")  # nothing to do yet
    review = {"answer": "uninfected", "reader": "Ada"}
    body = [{**review, "cell": cell["id"]} for cell in cells]
    assert server.api.post("/slides/by-hand/reviews", json=body).status_code == 200
    assert server.api.get("/slides/by-hand").json()["stale"]
    report = server.api.get("/slides/by-hand/files/report.html")
    assert "confirmed by a person" in report.text.lower()
    policy = report.headers["content-security-policy"]
    assert "script-src" not in policy
    assert "default-src 'none'" in policy
    found = server.api.get("/slides/by-hand").json()
    assert not found["stale"]
    assert found["count"]["verdict"] == "confirmed by a person"
    table = server.api.get("/slides/by-hand/files/cells.csv")
    assert "attachment" in table.headers["content-disposition"]
    assert len([*csv.DictReader(io.StringIO(table.text))]) == len(cells)
    overlay = f"/slides/by-hand/files/overlays/{cells[0]['field']}.jpg"
    assert server.api.get(overlay).headers["content-type"] == "image/jpeg"
    for name in ("nothing.csv", "..%2f..%2fhemozoin.sqlite", "overlays/..%2f..%2fslide.json"):
        assert server.api.get(f"/slides/by-hand/files/{name}").status_code in (404, 422)
    assert server.api.get("/slides/left/files/reviews.csv").status_code == 404


def rows_of(book: bytes, sheet: str) -> list[list[str]]:
    """Return the values of a sheet as the file has them: text and numbers, no formulas."""
    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        names = re.findall('<sheet name="(.+?)"', archive.read("xl/workbook.xml").decode())
        content = archive.read(f"xl/worksheets/sheet{names.index(sheet) + 1}.xml")
    assert b"<f>" not in content
    rows = ElementTree.fromstring(content).iterfind(".//{*}row")
    return [["".join(cell.itertext()) for cell in row.iterfind("{*}c")] for row in rows]


@pytest.mark.slow
def test_one_workbook_has_the_count_the_fields_and_the_cells(server: RunningServer) -> None:
    answer = server.api.get("/slides/left/files/slide.xlsx")
    assert answer.headers["content-disposition"] == 'attachment; filename="left.xlsx"'
    found = server.api.get("/slides/left").json()
    values = dict(row for row in rows_of(answer.content, "slide") if len(row) == 2)
    assert values["verdict"] == found["count"]["verdict"]
    assert int(values["red_cells"]) == found["count"]["red_cells"]
    cells, fields = rows_of(answer.content, "cells"), rows_of(answer.content, "fields")
    csv_rows = csv.reader(io.StringIO(server.api.get("/slides/left/files/cells.csv").text))
    assert cells[0] == next(csv_rows)
    for row, expected in zip(cells[1:], csv_rows, strict=True):
        assert row[:2] == expected[:2]
        assert float(row[7]) == float(expected[7])
    assert [row[1] for row in fields[1:]] == [row["field"] for row in found["field_rows"]]
    assert fields[1][fields[0].index("usable")] == "1"  # true


def test_text_of_a_workbook_is_never_a_formula(by_hand: Path, tmp_path: Path) -> None:
    slide = shutil.copytree(by_hand / "left", tmp_path / "left")
    hostile = '=HYPERLINK("http://evil.example","x")'
    saved, table = (slide / "slide.json").read_text(), (slide / "fields.csv").read_text()
    record = {"patient": hostile, "site": "-1", "stain": "\x01<b>"}
    (slide / "slide.json").write_text(json.dumps({**json.loads(saved), "record": record}))
    (slide / "fields.csv").write_text(table.replace("1.png", csv_line([hostile]).strip()))
    book = slide_workbook(slide)
    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        content = archive.read("xl/worksheets/sheet1.xml").decode()
        styles = archive.read("xl/styles.xml").decode()
    values = dict(row for row in rows_of(book, "slide") if len(row) == 2)
    assert values["record_patient"] == hostile
    assert values["record_site"] == "-1"
    assert rows_of(book, "fields")[1][1] == hostile
    quoted = re.findall(r'<c r="B\d+" s="(\d+)" t="inlineStr"><is><t>[=-]', content)
    formats = styles.partition("<cellXfs")[2].split("<xf ")[1:]
    assert len(quoted) == 2
    assert all('quotePrefix="1"' in formats[int(number)] for number in quoted)


@pytest.mark.slow
def test_outlines_as_geojson(server: RunningServer) -> None:
    field = server.api.get("/slides/left").json()["field_rows"][0]
    answer = server.api.get(f"/slides/left/fields/{field['field']}/cells.geojson")
    features = answer.json()["features"]
    classes = [one["properties"]["classification"]["name"] for one in features]
    assert (
        sum(name in ("parasitized", "review", "uninfected") for name in classes)
        == (field["red_cells"])
    )
    for feature in features:
        (ring,) = feature["geometry"]["coordinates"]
        assert ring[0] == ring[-1]
        assert len(ring) > 3


@pytest.mark.slow
def test_single_cells_are_classified_as_predict_does(server: RunningServer, tmp_path: Path) -> None:
    cell = tmp_path / "c1.png"
    cell.write_bytes(png(draw_cell(np.random.default_rng(0), infected=True)))
    files = [("files", ("../c1.png", cell.read_bytes())), ("files", ("notes.txt", b"text"))]
    first, second = server.api.post("/cells", files=files).json()
    by_hand = json.loads(succeed("predict", cell, "--json"))
    assert first["p_parasitized"] == by_hand["p_parasitized"]
    assert first["cell"] == "../c1.png"
    assert first["map"].startswith("data:image/png;base64,")
    assert second["decision"] is None
    assert second["error"].startswith("not a readable picture")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux")
def test_an_answer_does_not_wait_for_the_screening(server: RunningServer, tmp_path: Path) -> None:
    slide = server.upload(make_fields(tmp_path, "1.png", seed=5) / "1.png", name="one").json()["id"]
    worker = wait_for(lambda: next(children(server.process.pid), None))
    os.kill(worker, signal.SIGSTOP)
    cell = server.api.get("/slides/left/cells").json()[0]["id"]
    body = [{"cell": cell, "answer": "uninfected", "reader": "Ada"}]
    assert server.api.post("/slides/left/reviews", json=body).status_code == 200
    assert server.api.get(f"/slides/{slide}").json()["state"] == "running"
    os.kill(worker, signal.SIGCONT)
    server.wait_until_screened(slide)


def children(process: int) -> Iterator[int]:
    """Yield the processes that a process has started."""
    for file in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(FileNotFoundError):  # a thread that has ended
            yield from map(int, file.read_text().split())


@pytest.mark.slow
def test_manual_counts_of_many_slides_are_compared(server: RunningServer) -> None:
    manual = {"infected": 1, "red_cells": 4}
    server.api.put("/slides/left/record", json={"manual": manual})
    server.wait_until_screened("left")
    assert "count by eye" in server.api.get("/agreement/index.html").json()["error"]
    for worklist in ("called", "close"):
        for cell in server.api.get("/slides/left/cells", params={"worklist": worklist}).json():
            review = {"cell": cell["id"], "answer": "uninfected", "reader": "Ada"}
            server.api.post("/slides/left/reviews", json=[review])
    page = server.api.get("/agreement/index.html")
    assert page.status_code == 200
    assert 'href="left/report.html"' in page.text
    link = server.api.get("/agreement/left/report.html")
    assert link.headers["location"] == "/api/v1/slides/left/files/report.html"
    server.api.put("/slides/left/record", json={})
    assert server.wait_until_screened("left")["record"] == {}


@pytest.mark.slow
def test_a_slide_of_other_settings_is_screened_anew_and_keeps_its_reviews(
    server: RunningServer,
) -> None:
    """As after an upgrade: the folder says that an earlier version has screened it."""
    mark = _served(server) / "left" / "hemozoin-screen.json"
    assert server.api.get("/slides/left").json()["other_settings"] == []
    called = server.api.get("/slides/left/cells", params={"worklist": "called"}).json()[0]
    review = {"cell": called["id"], "answer": "parasitized", "reader": "Ada"}
    assert server.api.post("/slides/left/reviews", json=[review]).status_code == 200
    mark.write_text(json.dumps({**json.loads(mark.read_text()), "hemozoin": "0.0.1"}))
    before = server.api.get("/slides/left").json()
    assert before["other_settings"] == ["hemozoin"]
    refused = server.api.put("/slides/left/record", json={"patient": "P-1"})
    assert (refused.status_code, "screen it anew" in refused.json()["error"]) == (409, True)
    states = [*(mark.parent / ".fields").glob("*.json")]
    times = [path.stat().st_mtime_ns for path in states]
    assert server.api.post("/slides/left/screening").status_code == 202
    after = server.wait_until_screened("left")
    assert all(path.stat().st_mtime_ns > time for path, time in zip(states, times, strict=True))
    changed = ("other_settings", "changes", "stale", "files")
    assert {name: before[name] for name in before if name not in changed} == {
        name: after[name] for name in after if name not in changed
    }
    assert after["reviewed"]["answered"] == after["count"]["reviews"]["answered"] > 0
    assert after["other_settings"] == []
    assert after["changes"][-1]["action"] == "screened anew (hemozoin)"
    assert server.api.post("/slides/left/screening").status_code == 409
