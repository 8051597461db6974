"""The page in a real browser, with a real server: drop, watch, review by keys, lose the server."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Dialog, Page, Route, expect

from hemozoin.review.reviews import read_reviews
from tests.conftest import draw_cell, png
from tests.support.browsers import drop, name_reader
from tests.support.servers import RunningServer, serving, wait_for
from tests.support.smears import make_fields

pytestmark = pytest.mark.slow


def test_pictures_are_dropped_screened_and_found_again_after_a_kill(
    page: Page, tmp_path: Path
) -> None:
    slide = make_fields(tmp_path / "given", "1.png", "2.png")
    with serving(tmp_path / "served") as first:
        page.goto(first.root)
        expect(page.get_by_text("No slide yet.")).to_be_visible()
        drop(page, *slide.iterdir())
        page.get_by_label("Name of the slide").fill("Ward 3, bed 1")
        page.get_by_text("About the slide").click()
        page.get_by_label("Patient code").fill("P-014")
        page.get_by_role("button", name="Screen", exact=True).click()
        row = page.get_by_role("row", name="ward-3-bed-1")
        expect(row).to_contain_text("screened")
        expect(row).to_contain_text("P-014")
        page.get_by_role("link", name="ward-3-bed-1").click()
        expect(page.get_by_text("Red cells counted")).to_be_visible()
        first.kill()
    with serving(tmp_path / "served") as second:
        page.goto(f"{second.root}/#/slides/ward-3-bed-1")
        expect(page.get_by_text("Red cells counted")).to_be_visible()
        expect(page.get_by_label("Patient code")).to_have_value("P-014")
        page.get_by_role("link", name="1.png").click()
        expect(page.get_by_role("img", name="1.png")).to_be_visible()
        name_reader(page, "Ada")
        look_at_hints(page, f"{second.root}/#/slides/ward-3-bed-1/review")


def look_at_hints(page: Page, review: str) -> None:
    """Look at the map of why and the cells of like p; the random sample has them after answers."""
    hints = page.get_by_role("region", name="Cells of like p")
    page.goto(f"{review}/audit")
    expect(hints).to_contain_text("are shown once you have answered")
    page.keyboard.press("n")
    page.keyboard.press("ArrowLeft")
    expect(hints.get_by_role("img", name="Map of why")).to_be_visible()
    expect(hints.get_by_role("button")).to_have_count(1)  # the others have no answer yet
    page.goto(f"{review}/called")
    expect(page.get_by_role("link", name="Called infected")).to_have_attribute(
        "aria-current", "page"
    )
    shown = hints.locator("[aria-current] button")
    other = hints.locator("li:not([aria-current]) button").last
    name = str(other.get_attribute("aria-label"))
    other.focus()
    page.keyboard.press("Enter")
    expect(shown).to_have_attribute("aria-label", name)
    expect(shown).to_be_focused()
    expect(page.locator(".where")).to_contain_text(name.partition(", ")[2].partition(" of")[0][1:])


def test_cells_are_reviewed_by_keys_and_the_count_moves(page: Page, server: RunningServer) -> None:
    page.goto(f"{server.root}/#/")
    name_reader(page, "Ada")
    page.goto(f"{server.root}/#/slides/left/review/audit")
    count = page.get_by_role("region", name="Count")
    expect(count).to_contain_text("by the network alone")
    total = len(server.api.get("/slides/left/cells?worklist=audit").json())
    before = count.locator(".share").inner_text()
    for key in ("n", "?", "p"):
        page.keyboard.press(key)
    expect(page.get_by_text(f"3 of {total} answered")).to_be_visible()
    page.keyboard.press("z")
    expect(page.get_by_text(f"2 of {total} answered")).to_be_visible()
    for key in ("p", *"u" * (total - 3)):
        page.keyboard.press(key)
    expect(page.get_by_text(f"{total} of {total} answered")).to_be_visible()
    expect(count).to_contain_text("by network and person")
    assert count.locator(".share").inner_text() != before
    page.keyboard.press("ArrowLeft")
    page.reload()
    expect(page.get_by_text(f"{total} of {total} answered")).to_be_visible()
    reviews = server.api.get("/slides/left/cells").json()
    given = [one["answer"] for cell in reviews for one in cell["reviews"]]
    assert sorted({*given}) == ["can't tell", "not a red cell", "parasitized", "uninfected"]
    assert len(given) == total


def test_answers_wait_while_the_server_is_away(page: Page, by_hand: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(by_hand, tmp_path / "served")
    with serving(folder) as first:
        page.goto(first.root)
        name_reader(page, "Ada")
        page.goto(f"{first.root}/#/slides/left/review/audit")
        expect(page.locator(".cell img")).to_be_visible()
        port = int(first.root.rpartition(":")[2])
        first.kill()
        page.keyboard.press("p")
        expect(page.get_by_role("alert")).to_contain_text("1 not saved yet")
    with serving(folder, port=port):
        expect(page.get_by_role("alert")).to_have_count(0)
        assert [review.answer for review in read_reviews(folder / "left")] == ["parasitized"]


def test_a_list_that_comes_late_takes_no_keys(page: Page, server: RunningServer) -> None:
    waiting = list[Route]()

    def hold(route: Route) -> None:
        waiting.append(route)

    def held() -> Route | None:
        page.wait_for_timeout(20)  # meanwhile the browser's requests come in
        return waiting[0] if waiting else None

    page.goto(server.root)
    name_reader(page, "Ada")
    page.route("**/cells?worklist=called*", hold)
    page.goto(f"{server.root}/#/slides/left/review/called")
    late = wait_for(held)
    page.goto(f"{server.root}/#/slides/left/review/audit")
    expect(page.locator(".so-far")).to_contain_text("0 of")
    with page.expect_response("**/cells?worklist=called*"):
        late.continue_()
    page.wait_for_timeout(200)
    page.keyboard.press("n")
    expect(page.locator(".so-far")).to_contain_text("1 of")
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    expect(page.get_by_role("region", name="Count")).to_contain_text("are answered")
    cells = server.api.get("/slides/left/cells").json()
    assert sum(len(cell["reviews"]) for cell in cells) == 1


def test_two_tabs_of_a_reader_keep_the_last_answer(page: Page, server: RunningServer) -> None:
    page.goto(server.root)
    name_reader(page, "Ada")
    other = page.context.new_page()
    for tab in (page, other):
        tab.goto(f"{server.root}/#/slides/left/review/audit")
        expect(tab.locator(".so-far")).to_contain_text("0 of")
    for tab, key in ((page, "p"), (other, "u")):
        with tab.expect_response("**/reviews"):
            tab.keyboard.press(key)
    page.reload()
    expect(page.locator(".so-far")).to_contain_text("1 of")
    first = server.api.get("/slides/left/cells?worklist=audit").json()[0]
    assert [one["answer"] for one in first["reviews"]] == ["uninfected"]


def test_two_readers_do_not_see_each_other(
    browser: Browser, page: Page, server: RunningServer
) -> None:
    second = browser.new_context().new_page()
    for reader, opened, keys in (("Ada", page, "pp"), ("Bob", second, "pu")):
        opened.goto(server.root)
        name_reader(opened, reader)
        opened.goto(f"{server.root}/#/slides/left/review/audit")
        expect(opened.locator(".so-far")).to_contain_text("0 of")
        for key in keys:
            opened.keyboard.press(key)
        expect(opened.locator(".so-far")).to_contain_text("2 of")
        expect(opened.get_by_role("region", name="Count")).to_contain_text("are answered")
    page.goto(f"{server.root}/#/slides/left")
    expect(page.get_by_text("Ada and Bob on 1 of 2")).to_be_visible()
    second.context.close()


def test_single_cells_get_answers(page: Page, server: RunningServer, tmp_path: Path) -> None:
    (tmp_path / "c1.png").write_bytes(png(draw_cell(np.random.default_rng(1), infected=True)))
    (tmp_path / "notes.txt").write_text("no picture")
    page.goto(f"{server.root}/#/cells")
    drop(page, tmp_path / "c1.png", tmp_path / "notes.txt")
    cards = page.get_by_role("listitem")
    expect(cards).to_have_count(2)
    expect(cards.nth(0)).to_contain_text("c1.png")
    expect(cards.nth(0).get_by_role("img")).to_be_visible()
    expect(cards.nth(1)).to_contain_text("not readable")


def test_names_of_files_are_text_on_the_page(page: Page, tmp_path: Path) -> None:
    slide = make_fields(tmp_path / "given", "1.png")
    hostile = tmp_path / "<img src=x onerror=alert(1)>.png"
    hostile.write_bytes((slide / "1.png").read_bytes())
    dialogs = list[str]()

    def dismiss(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    with serving(tmp_path / "served") as server:
        identity = server.upload(hostile, name="<b>bold</b>").json()["id"]
        server.wait_until_screened(identity)
        page.goto(f"{server.root}/#/slides/{identity}")
        expect(page.get_by_role("link", name=hostile.name)).to_be_visible()
        page.goto(f"{server.root}/#/slides/{identity}/review/audit")
        assert dialogs == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_pages_are_accessible_and_fit(
    scheme: str, width: int, browser: Browser, server: RunningServer
) -> None:
    field = server.api.get("/slides").json() and server.api.get("/slides/left/cells").json()[0]
    context = browser.new_context(
        color_scheme=scheme,  # type: ignore[arg-type]
        viewport={"width": width, "height": 800},
        bypass_csp=True,  # axe is a script of the test
    )
    page = context.new_page()
    page.goto(server.root)
    name_reader(page, "Ada")
    for path in (
        "",
        "slides/left",
        "slides/left/review",
        f"slides/left/fields/{field['field']}",
        "cells",
        "many",
    ):
        page.goto(f"{server.root}/#/{path}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.wait_for_timeout(500)
        found = Axe().run(page)
        assert found.violations_count == 0, (path, found.generate_report())
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    context.close()
