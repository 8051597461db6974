"""The API of a real server: slides are uploaded, screened, listed and deleted."""

from __future__ import annotations

import io
import json
import resource
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.conftest import make_zip, png
from tests.support.commands import succeed
from tests.support.servers import RunningServer, serving, wait_for
from tests.support.smears import make_fields

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two drawn fields."""
    return make_fields(tmp_path_factory.mktemp("given") / "left", "1.png", "2.png")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with serving(tmp_path_factory.mktemp("served")) as running:
        yield running


@pytest.fixture(scope="module")
def screened(server: RunningServer, slide: Path) -> str:
    """Return the id of a screened slide."""
    created = server.upload(*sorted(slide.iterdir()), name="Patient 7: Ärztin/../x")
    assert created.status_code == 202, created.text
    server.wait_until_screened(created.json()["id"])
    return str(created.json()["id"])


def some_picture(level: int) -> bytes:
    return png(Image.new("RGB", (200, 200), (level, 100, 100)))


def test_a_slide_has_the_count_that_screen_writes(
    server: RunningServer, screened: str, slide: Path, tmp_path: Path
) -> None:
    assert screened == "patient-7-arztin-x"
    found = server.api.get(f"/slides/{screened}").json()
    succeed("screen", slide, "--out", tmp_path / "out")
    by_hand = json.loads((tmp_path / "out" / "slide.json").read_text())
    assert {**found["count"], "slide": "left"} == by_hand
    assert found["fields"] == found["fields_done"] == 2
    assert [row["name"] for row in found["field_rows"]] == ["1.png", "2.png"]
    assert [change["action"] for change in found["changes"]] == ["uploaded"]


def test_cells_have_places_and_decisions(server: RunningServer, screened: str) -> None:
    count = server.api.get(f"/slides/{screened}").json()["count"]
    cells = server.api.get(f"/slides/{screened}/cells").json()
    assert len(cells) == count["red_cells"] > 0
    assert len({cell["id"] for cell in cells}) == len(cells)
    assert all(0 <= cell["p_parasitized"] <= 1 and cell["width"] > 0 for cell in cells)
    for decision in ("parasitized", "uninfected", "review"):
        some = server.api.get(f"/slides/{screened}/cells", params={"decision": decision}).json()
        assert some == [cell for cell in cells if cell["decision"] == decision]


def test_a_cell_is_in_the_middle_of_its_picture(server: RunningServer, screened: str) -> None:
    cell = server.api.get(f"/slides/{screened}/cells").json()[0]
    middle = {"x": cell["x"] + cell["width"] / 2, "y": cell["y"] + cell["height"] / 2}
    path = f"/slides/{screened}/fields/{cell['field']}/cell.jpg"
    jpeg = server.api.get(path, params={**middle, "diameter": 50})
    assert jpeg.headers["content-type"] == "image/jpeg"
    pixels = np.asarray(Image.open(io.BytesIO(jpeg.content)))
    given = np.asarray(Image.open(io.BytesIO(_picture(server, screened, cell["field"]))))
    expected = given[round(middle["y"]), round(middle["x"])].astype(int)
    assert np.abs(pixels[pixels.shape[0] // 2, pixels.shape[1] // 2] - expected).max() < 40


def _picture(server: RunningServer, slide: str, field: str) -> bytes:
    return server.api.get(f"/slides/{slide}/fields/{field}/picture").content


def test_outlines_of_a_field(server: RunningServer, screened: str) -> None:
    rows = server.api.get(f"/slides/{screened}").json()["field_rows"]
    field = server.api.get(f"/slides/{screened}/fields/{rows[0]['field']}").json()
    assert len(field["cells"]) == rows[0]["red_cells"]
    assert all(len(cell["outline"]) > 2 for cell in field["cells"])
    for name in ("nothing.png", "..%2fslide.json", "*", "%00", "..%2f0001-1.png"):
        for end in ("", "/picture", "/cell.jpg?x=1&y=1&diameter=50"):
            assert server.api.get(f"/slides/{screened}/fields/{name}{end}").status_code >= 400


def test_uploads_become_numbered_files(server: RunningServer) -> None:
    names = ("../../evil.png", "C:\\x\\con.png", "a\0b.png", "/etc/passwd", "x" * 300 + ".png")
    files = [("files", (name, some_picture(i))) for i, name in enumerate(names)]
    created = server.api.post("/slides", files=[*files, ("files", ("notes.txt", b"no picture"))])
    assert created.json()["passed_over"] == ["notes.txt"]
    slide = created.json()["id"]
    served = _folder(server)
    found = sorted(path.name for path in (served / "pictures" / slide).iterdir())
    assert [name[:5] for name in found] == [f"000{number}-" for number in range(1, 6)]
    assert not [*served.parent.rglob("evil.png")]
    assert server.wait_until_screened(slide)["count"]["verdict"] == "not reported"


def test_a_slide_without_a_readable_picture_says_why(server: RunningServer) -> None:
    damaged = some_picture(9)[:100]
    slide = server.api.post("/slides", files=[("files", ("1.png", damaged))]).json()["id"]
    wait_for(lambda: server.api.get(f"/slides/{slide}").json()["state"] == "failed" or None)
    assert "no picture could be read" in server.api.get(f"/slides/{slide}").json()["error"]


def _folder(server: RunningServer) -> Path:
    assert isinstance(server.process.args, list)
    return Path(server.process.args[4])


def test_a_zip_is_unpacked(server: RunningServer, tmp_path: Path) -> None:
    archive = make_zip(
        tmp_path / "s.zip", {"a/1.png": some_picture(201), "b/1.png": some_picture(202)}
    )
    slide = server.upload(archive, name="zip").json()["id"]
    names = [path.name for path in sorted((_folder(server) / "pictures" / slide).iterdir())]
    assert names == ["0001-1.png", "0002-1.png"]


def test_the_same_slide_twice(server: RunningServer, screened: str, slide: Path) -> None:
    again = server.upload(*slide.iterdir())
    assert again.status_code == 409
    assert again.json() == {"error": f"these pictures are in slide {screened} already"}


def bad_zip(kind: str) -> bytes:
    with io.BytesIO() as buffer:
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("../1.png" if kind == "outside" else "1.png", some_picture(3))
        content = buffer.getvalue()
    return content[: len(content) // 2] if kind == "cut" else content


@pytest.mark.parametrize(
    ("files", "status", "error"),
    [
        ([], 422, "files"),
        ([("files", ("x.txt", b"text"))], 400, "none of these files is a picture"),
        ([("files", ("x.zip", bad_zip("cut")))], 400, "not a zip, or incomplete"),
        ([("files", ("x.zip", bad_zip("outside")))], 400, "points outside the zip"),
    ],
)
def test_uploads_that_are_refused(
    files: list[tuple[str, tuple[str, bytes]]], status: int, error: str, server: RunningServer
) -> None:
    before = len(server.api.get("/slides").json())
    answer = server.api.post("/slides", files=files)
    assert answer.status_code == status
    assert answer.json().keys() == {"error"}
    assert error in answer.json()["error"]
    assert "/tmp" not in answer.text
    assert len(server.api.get("/slides").json()) == before
    assert not [*(_folder(server) / "pictures").glob(".*")]


def test_twenty_uploads_at_once(server: RunningServer) -> None:
    def upload(number: int) -> httpx.Response:
        files = [("files", (f"{number}.png", some_picture(100 + number)))]
        return server.api.post("/slides", files=files, data={"name": "same name"})

    with ThreadPoolExecutor(20) as pool:
        answers = [*pool.map(upload, range(20))]
    assert {answer.status_code for answer in answers} == {202}
    ids = {answer.json()["id"] for answer in answers}
    assert ids == {"same-name", *(f"same-name-{number}" for number in range(2, 21))}
    for slide in ids:
        assert len([*(_folder(server) / "pictures" / slide).iterdir()]) == 1
        assert server.api.delete(f"/slides/{slide}").status_code == 204


def test_more_pictures_than_a_process_may_open(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    large = png(Image.new("RGB", (200, 200), (9, 9, 9))) + bytes(100_000)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
    try:
        with serving(tmp_path / "served") as server:
            files = [("files", (f"{number}.png", large)) for number in range(250)]
            answer = server.api.post("/slides", files=files)
            waiting = tmp_path / "served" / ".hemozoin-uploads"
            assert answer.status_code == 202, answer.text
            assert not [*waiting.iterdir()]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_deleting_a_slide_removes_its_files(server: RunningServer) -> None:
    created = server.api.post("/slides", files=[("files", ("1.png", some_picture(77)))])
    slide = created.json()["id"]
    assert server.api.delete(f"/slides/{slide}").status_code == 204
    assert server.api.get(f"/slides/{slide}").status_code == 404
    assert not [*_folder(server).rglob(f"{slide}*")]


def test_events_end_with_the_count(server: RunningServer, screened: str) -> None:
    with server.api.stream("GET", f"/slides/{screened}/events") as stream:
        lines = stream.iter_lines()
        state = json.loads(next(line for line in lines if line).removeprefix("data: "))
    assert state["state"] == "done"
    assert state["count"]["red_cells"] > 0


def test_slides_screened_by_hand_are_taken_in(server: RunningServer, slide: Path) -> None:
    succeed("screen", slide, "--out", _folder(server) / "by hand" / "left")
    found = {one["id"]: one for one in server.api.get("/slides").json()}
    assert found["by-hand-left"]["state"] == "done"
    assert found["by-hand-left"]["count"]["slide"] == "left"
    cell = server.api.get("/slides/by-hand-left/cells").json()[0]
    path = f"/slides/by-hand-left/fields/{cell['field']}/cell.jpg?x=100&y=100&diameter=50"
    assert server.api.get(path).status_code == 200  # from the overlay: it has no pictures
    assert server.api.delete("/slides/by-hand-left").status_code == 204
    assert not (_folder(server) / "by hand" / "left").exists()


def test_pictures_are_added_to_a_slide(server: RunningServer) -> None:
    first, second, third = (("files", (f"{n}.png", some_picture(60 + n))) for n in range(3))
    data = {"name": "grows", "patient": "P-9"}
    assert server.api.post("/slides", files=[first], data=data).status_code == 202
    path = "/slides/grows/pictures"
    assert server.api.post(path, files=[second]).json()["error"].startswith("the slide is being")
    server.wait_until_screened("grows")
    again = server.api.post(path, files=[first])
    assert (again.status_code, again.json()["error"]) == (
        *(409, "these pictures are in slide grows already"),
    )
    none = server.api.post(path, files=[("files", ("notes.txt", b"no picture"))])
    assert (none.status_code, "none of these files" in none.json()["error"]) == (400, True)
    notes = ("files", ("notes.txt", b"no picture"))
    added = server.api.post(path, files=[second, first, notes, third], headers={"X-Reader": "Ada"})
    assert added.json() == {"added": 2, "repeated": ["0.png"], "passed_over": ["notes.txt"]}
    found = server.wait_until_screened("grows")
    assert found["record"] == {"patient": "P-9"}
    assert [row["name"] for row in found["field_rows"]] == ["0.png", "1.png", "2.png"]
    assert found["changes"][-1]["action"] == "pictures added: 2"
    assert server.api.post("/slides/nothing/pictures", files=[first]).status_code == 404


def test_a_server_that_is_killed_goes_on(slide: Path, tmp_path: Path) -> None:
    """It is killed while it screens pictures that were added; no field is counted twice."""
    many = make_fields(tmp_path / "many", *(f"{number}.png" for number in range(8)), seed=3)
    pictures = sorted(many.iterdir())
    with serving(tmp_path / "served") as first:
        killed = first.upload(*pictures[:2]).json()["id"]
        first.wait_until_screened(killed)
        more = [("files", (path.name, path.read_bytes())) for path in pictures[1:]]
        added = first.api.post(f"/slides/{killed}/pictures", files=more).json()
        assert (added["added"], added["repeated"]) == (6, ["1.png"])
        waiting = first.upload(*slide.iterdir()).json()["id"]
        wait_for(lambda: first.api.get(f"/slides/{killed}").json()["fields_done"] > 2 or None)
        first.kill()
    done = {
        path: path.stat().st_mtime_ns
        for path in (tmp_path / "served" / killed / ".fields").glob("*.json")
    }
    with serving(tmp_path / "served") as second:
        found = second.wait_until_screened(killed)
        second.wait_until_screened(waiting)
    succeed("screen", many, "--out", tmp_path / "out")
    by_hand = json.loads((tmp_path / "out" / "slide.json").read_text())
    assert {**found["count"], "slide": "many"} == by_hand
    assert done
    assert {path: path.stat().st_mtime_ns for path in done} == done  # they were not screened again


def test_cancelling_and_screening_again(slide: Path, tmp_path: Path) -> None:
    many = make_fields(tmp_path / "many", *(f"{number}.png" for number in range(8)), seed=3)
    with serving(tmp_path / "served") as server:
        slide_id = server.upload(*many.iterdir()).json()["id"]
        assert server.api.delete(f"/slides/{slide_id}/screening").status_code == 204
        assert server.api.get(f"/slides/{slide_id}").json()["state"] == "cancelled"
        assert server.api.post(f"/slides/{slide_id}/screening").status_code == 202
        server.wait_until_screened(slide_id)
        again = server.api.post(f"/slides/{slide_id}/screening")
        assert again.json() == {"error": "the slide is done"}


def test_health_and_openapi(server: RunningServer) -> None:
    assert server.api.get("/health").json()["status"] == "ok"
    assert server.api.get("/ready").json()["status"] == "ready"
    paths = server.api.get(f"{server.root}/openapi.json").json()["paths"]
    assert {"/api/v1/slides", "/api/v1/slides/{slide}/cells"} <= paths.keys()
