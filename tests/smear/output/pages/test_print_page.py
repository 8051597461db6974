"""The result of a slide on one sheet of A4."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from hemozoin.smear.counting.record.manual_count import ManualCount
from hemozoin.smear.counting.record.slide_record import SlideRecord
from hemozoin.smear.counting.slide import Slide
from hemozoin.smear.output.pages.print_page import render_print_page
from tests.conftest import png
from tests.smear.output.test_report import (
    BLURRED,
    NASTY,
    Seen,
    Show,
    Shown,
    counted,
    selected,
    show,
    some_field,
)

__all__ = ["show"]

ABOUT = {"Network": "nano", "SHA-256 of the model": "0123456789abcdef" * 4}

#: Texts as long as a record may have.
LONG = SlideRecord(
    *("P" * 200, None, "ward " * 40, "Giemsa " * 28, "x" * 200, "W" * 200),
    manual=ManualCount(infected=12, red_cells=2000, reader="reader " * 28),
)


def page(*shown: Shown, record: SlideRecord = LONG, name: str = "slide 1") -> str:
    slide: Slide = replace(counted(list(shown), name=name), record=record)
    return render_print_page(slide, selected(*shown), ABOUT)


def test_the_sheet_has_record_result_and_the_highest_cells(show: Show, tmp_path: Path) -> None:
    overlay = tmp_path / "1.jpg"
    overlay.write_bytes(b"overlay")
    record = SlideRecord(patient="P-014", manual=LONG.manual)
    html = page(show(some_field("1.png", (0.9,) * 30, (), 400), overlay), record=record)
    found = Seen(html)
    assert "Patient P-014" in found.text
    assert "Reportable" in found.text
    assert "12 infected of 2,000 red cells" in found.text
    assert "the 21 with the highest p of 30" in found.text
    assert len(found.pictures) == 22
    assert "Research use only. Not a medical device." in found.text
    assert not re.search(r"https?://|@import|url\(|<script", html)


def test_a_cell_that_a_person_looked_at_has_the_answer(show: Show) -> None:
    shown = show(some_field("1.png", (0.9, 0.8)))
    answers = {("1.png", 1): "uninfected"}
    html = render_print_page(counted([shown]), selected(shown), ABOUT, answers)
    assert "Called infected: 2, with a person's answers uninfected p 0.80" in Seen(html).text


def test_texts_are_never_markup(show: Show) -> None:
    html = page(show(some_field(NASTY, (0.9,))), record=SlideRecord(patient=NASTY), name=NASTY)
    assert "<script" not in html
    assert f"Patient {NASTY}" in Seen(html).text


def test_a_slide_without_a_count_has_a_sheet(show: Show) -> None:
    flawed = show(some_field("1.png", (), (), 50, (BLURRED,)))
    text = Seen(page(flawed, record=SlideRecord())).text
    assert "Not reported 1 of 1 fields can't be relied on" in text
    assert "This is not a negative result" in text
    assert "Calculation" not in text


@pytest.mark.slow
@pytest.mark.parametrize("cells", [0, 200])
@pytest.mark.parametrize("record", [SlideRecord(), LONG], ids=["empty", "long"])
def test_the_sheet_is_one_page_of_a4(
    cells: int, record: SlideRecord, show: Show, tmp_path: Path
) -> None:
    """Printed by a browser, with what would be cut off on a second page."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("needs Chromium")

    overlay = tmp_path / "1.jpg"
    overlay.write_bytes(png(Image.new("RGB", (1600, 1200), "white")))
    fields = [
        show(some_field(f"{k}.png", (0.9,) * cells, (0.5,), 400, (BLURRED,) * (k == 0)), overlay)
        for k in range(4)
    ]
    html = page(*fields, record=record, name="folder/" * 40)
    assert html.count("flex-direction: column; overflow: hidden") == 1
    html = html.replace("flex-direction: column; overflow: hidden", "flex-direction: column")
    (tmp_path / "print.html").write_text(html)
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--no-pdf-header-footer"]
    command += [f"--print-to-pdf={tmp_path / 'print.pdf'}", (tmp_path / "print.html").as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    pdf = (tmp_path / "print.pdf").read_bytes()
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf)) == 1
    width, height = map(float, re.findall(rb"/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)", pdf)[0])
    assert (width, height) == pytest.approx((595, 842), abs=1)
