"""What the page is for, with real fields: drop a slide, review by keys, print, lose the server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from hemozoin.review.reviews import read_reviews
from tests.support.browsers import drop, name_reader
from tests.support.servers import RunningServer, serving

pytestmark = [pytest.mark.slow, pytest.mark.real]

#: Cells that the reader looks at, and the answers, one after another.
REVIEWED, KEYS = 60, "puun?"


def test_a_slide_from_the_pictures_to_the_printed_count(
    page: Page, real_fields: Path, tmp_path: Path
) -> None:
    pictures = sorted(real_fields.glob("iml/*.JPG"))
    assert len(pictures) == 24
    with serving(tmp_path / "served") as first:
        slide = drop_slide(page, first, pictures)
        before = first.wait_until_screened(slide)
        assert before["fields_done"] == 24
        share = review(page, first, slide)
        assert one_sheet(page, first, slide)
        page.reload()
        first.kill()
    assert len(read_reviews(tmp_path / "served" / slide)) == REVIEWED
    with serving(tmp_path / "served") as second:
        after = second.api.get(f"/slides/{slide}").json()
        assert after["count"]["red_cells"] == before["count"]["red_cells"]
        page.goto(f"{second.root}/#/slides/{slide}/review/audit")
        name_reader(page, "Ada")
        page.reload()
        expect(page.get_by_text(f"{REVIEWED} of 150 answered")).to_be_visible()
        expect(page.locator(".share")).to_have_text(share)


def drop_slide(page: Page, server: RunningServer, pictures: list[Path]) -> str:
    """Drop the pictures of a slide; return its id as soon as fields come in."""
    page.goto(server.root)
    name_reader(page, "Ada")
    drop(page, *pictures)
    page.get_by_label("Name of the slide").fill("IML")
    page.keyboard.press("Enter")
    row = page.get_by_role("row", name="iml")
    expect(row).to_contain_text(re.compile("of 24 fields|screened"))
    return "iml"


def review(page: Page, server: RunningServer, slide: str) -> str:
    """Answer cells of the random sample by keys only; return the count, which has changed."""
    page.goto(f"{server.root}/#/slides/{slide}/review/audit")
    expect(page.get_by_text("0 of 150 answered")).to_be_visible()
    shown = page.locator(".share").inner_text()
    for number in range(REVIEWED):
        page.keyboard.press(KEYS[number % len(KEYS)])
    expect(page.get_by_text(f"{REVIEWED} of 150 answered")).to_be_visible()
    expect(page.locator(".share")).not_to_have_text(shown)
    return saved_share(page, server, slide)


def saved_share(page: Page, server: RunningServer, slide: str) -> str:
    """Return the share on the page as soon as it has all answers."""
    expect(page.get_by_role("region", name="Count")).to_contain_text(f"{REVIEWED} of ")
    answered = server.api.get(f"/slides/{slide}").json()["reviewed"]["answered"]
    assert answered == REVIEWED
    return page.locator(".share").inner_text()


def one_sheet(page: Page, server: RunningServer, slide: str) -> bool:
    """Return whether the sheet to print is one page of A4."""
    sheet = page.context.new_page()
    sheet.goto(f"{server.root}/api/v1/slides/{slide}/files/print.html")
    pdf = sheet.pdf(prefer_css_page_size=True)
    sheet.close()
    width, height = map(float, re.findall(rb"/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)", pdf)[0])
    assert (width, height) == pytest.approx((595, 842), abs=1)
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf)) == 1
