"""The pages of slides, patients, fields and counts in a real browser, on one server for all."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from hemozoin.serve.reviewing import CellReviews, GivenAnswer
from tests.support.browsers import drop, name_reader, new_page
from tests.support.servers import RunningServer, serving, wait_for
from tests.support.smears import make_plain

pytestmark = pytest.mark.slow

#: The slides of patient P-7: their dates, and whether a reader has answered for each cell.
COURSE = {
    "first": ("2026-03-11", True),
    "next day": ("2026-03-12", True),
    "same day": ("2026-03-12", True),
    "uncounted": ("2026-03-18", False),
    "undated": (None, True),
}


@pytest.fixture(scope="module")
def server(by_hand: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Yield a server with "left", of no patient, and the slides of P-7."""
    folder = tmp_path_factory.mktemp("pages") / "served"
    shutil.copytree(by_hand, folder)
    for name, (date, is_reviewed) in COURSE.items():
        shutil.copytree(by_hand / "left", folder / name)
        saved = json.loads((folder / name / "slide.json").read_text())
        saved["record"] = {"patient": "P-7", **({"date": date} if date else {})}
        (folder / name / "slide.json").write_text(json.dumps(saved))
        if is_reviewed:
            reviews = CellReviews(folder / name)
            cells = [*reviews.index()]
            infected = 1 if name == "first" else 0
            answers = ["parasitized"] * infected + ["uninfected"] * (len(cells) - infected)
            reviews.add(
                GivenAnswer(cell, answer, "Ada")  # type: ignore[arg-type]
                for cell, answer in zip(cells, answers, strict=True)
            )
    with serving(folder) as running:
        yield running


def test_slides_of_a_patient_are_found_and_sorted(page: Page, server: RunningServer) -> None:
    page.goto(server.root)
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(6)
    page.get_by_role("button", name="Patient").click()
    expect(rows.first).to_contain_text("left")  # without a patient
    page.get_by_role("button", name="Patient").click()
    expect(rows.last).to_contain_text("left")
    page.get_by_label("Search").fill("p-7 first")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("confirmed by a person")  # slide.json does not have it yet
    expect(rows).to_contain_text("9.1 % (")
    link = rows.get_by_role("link", name="P-7")
    link.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Patient P-7")


def test_a_patient_over_days(page: Page, server: RunningServer) -> None:
    page.goto(f"{server.root}/#/patients/P-7")
    table = page.get_by_role("region", name="Slides by date").locator("tbody tr")
    expect(table).to_have_count(4)
    days = table.locator("td:nth-child(3)").all_inner_texts()
    assert days == ["0", "1", "1", "7"]
    expect(table.first).to_contain_text("9.1 % (")
    expect(page.get_by_text("1 of 4 slides with a date has no count")).to_be_visible()
    expect(page.get_by_text("1 slide has no date, so it is not in the chart.")).to_be_visible()
    chart = page.get_by_role("img", name="Parasitaemia over days")
    expect(chart.locator("circle")).to_have_count(3)
    heights = [float(str(one.get_attribute("cy"))) for one in chart.locator("circle").all()]
    assert heights[0] < heights[1] == heights[2]
    across = [float(str(one.get_attribute("cx"))) for one in chart.locator("circle").all()]
    assert across == sorted({*across})
    page.set_viewport_size({"width": 390, "height": 800})
    expect(chart).to_have_attribute("width", "358")
    page.goto(f"{server.root}/#/patients/nobody")
    expect(page.get_by_text("No slide has this patient code")).to_be_visible()


def test_a_patient_by_the_api(server: RunningServer) -> None:
    found = server.api.get("/slides", params={"patient": "P-7"}).json()
    assert {one["id"] for one in found} == {name.replace(" ", "-") for name in COURSE}
    assert server.api.get("/slides", params={"patient": "p"}).json() == []


class FieldPage:
    """The page of a field of the slide "left" with its cells, and where they are on the screen."""

    def __init__(self, page: Page, server: RunningServer) -> None:
        self.page, self.path = page, "/slides/left"
        self.session = page.context.new_cdp_session(page)
        self.cells = [
            cell for cell in server.api.get(f"{self.path}/cells").json() if cell["field"] == "1.png"
        ]
        page.goto(server.root)
        name_reader(page, "Ada")
        with page.expect_response("**/picture"):
            page.goto(f"{server.root}/#{self.path}/fields/1.png")
        canvas = page.locator("canvas")
        canvas.scroll_into_view_if_needed()
        expect(canvas).to_have_attribute("style", re.compile("height"))  # the picture is there
        box = canvas.bounding_box()
        assert box
        self.middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.scale = min(box["width"] / 320, box["height"] / 240)

    def place(self, cell: dict[str, Any]) -> tuple[float, float]:
        """Return where the middle of a cell is shown as long as the whole field is."""
        x, y = cell["x"] + cell["width"] / 2 - 160, cell["y"] + cell["height"] / 2 - 120
        return self.middle[0] + self.scale * x, self.middle[1] + self.scale * y

    def says(self, cell: dict[str, Any]) -> None:
        """Expect that a cell is selected."""
        expect(self.page.locator(".about")).to_contain_text(
            f"Cell {cell['cell']}: the network says {cell['decision']}"
        )

    def touch(self, kind: str, *points: tuple[float, float]) -> None:
        """Put fingers on the screen, move them, or lift those that are not in `points`."""
        fingers = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        self.session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})

    def tap(self, place: tuple[float, float]) -> None:
        self.touch("touchStart", place)
        self.touch("touchEnd")


def test_a_cell_of_a_field_is_corrected(page: Page, server: RunningServer) -> None:
    field = FieldPage(page, server)
    page.keyboard.press(".")
    field.says(field.cells[0])
    page.keyboard.press("n")
    expect(page.get_by_text("You said not a red cell.")).to_be_visible()
    page.keyboard.press("0")  # the whole field again
    page.mouse.click(*field.place(field.cells[2]))
    field.says(field.cells[2])
    wait_for(lambda: server.api.get(f"{field.path}/cells").json()[0]["reviews"] or None)
    found = server.api.get(f"{field.path}/cells").json()[0]["reviews"]
    assert [one["answer"] for one in found] == ["not a red cell"]


def test_a_missed_cell_takes_each_answer(page: Page, server: RunningServer) -> None:
    field, about = FieldPage(page, server), page.locator(".about")
    missed = f"{field.path}/fields/1.png"

    def answers(reader: str = "Ada") -> list[str]:
        found = server.api.get(missed, params={"reader": reader}).json()["missed"]
        return [one["answer"] for one in found]

    page.keyboard.press("d")
    left, top = field.middle[0] - 158 * field.scale, field.middle[1] - 118 * field.scale
    page.mouse.move(left, top)
    page.mouse.down()
    page.mouse.move(left + 14 * field.scale, top + 14 * field.scale, steps=4)
    page.mouse.up()
    expect(about).to_contain_text("without an answer it is not kept")
    assert answers() == []
    for key, answer in {"p": "parasitized", "u": "uninfected", "?": "can't tell"}.items():
        page.keyboard.press(key)
        expect(about).to_contain_text(f"A missed cell. You said {answer}.")
        assert answers() == [answer]
    assert answers("Bob") == []  # readers are blind to each other
    page.reload()
    expect(page.get_by_role("img", name="1.png")).to_be_visible()
    page.keyboard.press(",")  # the last one, after the cells that were found
    expect(about).to_contain_text("A missed cell. You said can't tell.")
    page.keyboard.press("?")
    expect(page.get_by_text("The missed cell is taken back.")).to_be_visible()
    assert answers() == []
    page.keyboard.press("d")
    page.keyboard.press("Enter")  # a box in the middle, without a mouse
    page.keyboard.press("n")
    expect(about).to_contain_text("You said not a red cell.")


def test_a_field_is_panned_and_zoomed_by_fingers(browser: Browser, server: RunningServer) -> None:
    window = {"width": 390, "height": 800}
    with new_page(browser, viewport=window, has_touch=True, is_mobile=True) as page:
        field = FieldPage(page, server)
        x, y = field.middle
        cell = min(field.cells, key=lambda one: math.dist(field.place(one), field.middle))
        cell_x, cell_y = field.place(cell)
        outside = (x - 170, y - 125)
        field.tap((cell_x, cell_y))
        field.says(cell)
        field.touch("touchStart", (x, y))
        for step in range(1, 5):
            field.touch("touchMove", (x + 10 * step, y - 5 * step))
        field.touch("touchEnd")
        field.says(cell)  # a drag selects nothing
        field.tap(outside)
        expect(page.get_by_text("Click a cell")).to_be_visible()
        field.tap((cell_x + 40, cell_y - 20))
        field.says(cell)
        page.get_by_role("button", name="Whole field").tap()
        field.touch("touchStart", (x - 30, y), (x + 30, y))
        for apart in (40, 50, 60, 75, 90):
            field.touch("touchMove", (x - apart, y), (x + apart, y))
        field.touch("touchEnd", (x - 90, y))
        field.touch("touchEnd")
        field.tap(outside)
        field.tap((x + 3 * (cell_x - x), y + 3 * (cell_y - y)))  # three times as far away
        field.says(cell)
        assert page.evaluate("visualViewport.scale") == 1  # the page itself is not zoomed


def test_a_slide_gets_more_fields_and_is_screened_anew(
    page: Page, server: RunningServer, tmp_path: Path
) -> None:
    pictures = [*make_plain(tmp_path / "given", "1.png", "2.png").iterdir()]
    server.upload(pictures[0], name="grows")
    server.wait_until_screened("grows")
    page.goto(f"{server.root}/#/slides/grows")
    rows = page.get_by_role("region", name="Fields").locator("tbody tr")
    expect(rows).to_have_count(1)
    drop(page, *pictures)
    expect(page.get_by_role("heading", name="2 files for grows")).to_be_visible()
    page.keyboard.press("Enter")  # the button has the focus
    said = f"1 picture is added. In the slide already: {pictures[0].name}."
    expect(page.get_by_text(said)).to_be_visible()
    expect(rows).to_have_count(2)
    assert isinstance(server.process.args, list)
    mark = Path(server.process.args[4]) / "grows" / "hemozoin-screen.json"
    mark.write_text(json.dumps({**json.loads(mark.read_text()), "model": "another"}))
    page.reload()
    expect(page.get_by_text("was screened with another network")).to_be_visible()
    page.get_by_role("button", name="Screen anew").click()
    expect(page.get_by_text("no name: screened anew (model)")).to_be_visible()
    expect(page.get_by_role("button", name="Screen anew")).to_have_count(0)
    page.goto(f"{server.root}/#/slides/left")
    expect(page.get_by_role("heading", level=1)).to_have_text("left")
    drop(page, *pictures)
    expect(page.get_by_text("The pictures of this slide are elsewhere")).to_be_visible()
    server.api.delete("/slides/grows")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_pages_are_accessible_and_fit(
    scheme: str, width: int, browser: Browser, server: RunningServer
) -> None:
    window = {"width": width, "height": 800}  # axe is a script of the test, so it has no CSP
    with new_page(browser, color_scheme=scheme, viewport=window, bypass_csp=True) as page:
        for path, shown in {"": "tbody a", "patients/P-7": "svg", "slides/first": "dl"}.items():
            page.goto(f"{server.root}/#/{path}")
            expect(page.locator(shown).first).to_be_visible()
            found = Axe().run(page)
            assert found.violations_count == 0, (path, found.generate_report())
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
