"""The pages of slides, patients, fields and counts in a real browser, on one server for all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from hemozoin.serve.reviewing import CellReviews, GivenAnswer
from tests.support.browsers import drop, new_page
from tests.support.servers import RunningServer, serving
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


def test_more_fields_are_dropped_on_the_page_of_a_slide(
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
    page.goto(f"{server.root}/#/slides/left")
    expect(page.get_by_text("Red cells counted")).to_be_visible()
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
