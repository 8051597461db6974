"""The page that compares manual and automatic counts."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from hemozoin.decision.counting_point import CountingPoint
from hemozoin.decision.patient_rate import PatientRate
from hemozoin.smear.counting.bland_altman import CountPair, bland_altman, count_pairs
from hemozoin.smear.counting.blood import Blood
from hemozoin.smear.counting.record.manual_count import ManualCount
from hemozoin.smear.counting.record.slide_record import SlideRecord
from hemozoin.smear.counting.slide import Slide
from hemozoin.smear.counting.tally import Tally
from hemozoin.smear.output.pages.agreement_page import (
    agreement_line,
    render_agreement,
    write_agreement,
)
from hemozoin.smear.output.pages.bland_altman_plot import HEIGHT, WIDTH, bland_altman_plot
from hemozoin.smear.output.tables import replace_slide_row, write_slides
from tests.smear.output.test_report import NASTY, Seen, some_field

KNOWN = CountingPoint(None, PatientRate(rate=0.001, sd=0.0007, patients=40, cells=8000))


def slide(name: str, infected: int, manual: ManualCount | None, healthy: int = 1000) -> Slide:
    tally = Tally(name, KNOWN)
    tally.add(some_field("1.png", (0.9,) * infected, (), healthy))
    return replace(tally.slide(Blood()), record=SlideRecord(manual=manual))


def of_1000(infected: int) -> ManualCount:
    return ManualCount(infected=infected, red_cells=1000)


SLIDES = [
    slide("a", 100, of_1000(90)),
    slide("b", 50, of_1000(60)),
    slide("c/d", 30, of_1000(70)),
    slide("zero", 30, of_1000(0)),
    slide("none", 30, None),
    slide("empty", 0, of_1000(9), healthy=0),
]


def test_the_page_shows_every_slide_with_a_manual_count() -> None:
    html = render_agreement(count_pairs(SLIDES))
    assert html is not None
    found = Seen(html)
    assert found.links == [f"{name}/report.html" for name in ("a", "b", "c/d", "zero", "empty")]
    assert "Slides without an automatic count (1) count as not within" in found.text
    assert "Slides with a manual count of zero (1) are in the table only" in found.text
    assert "Of 3 slides with both counts above zero: bias 0." in found.text
    assert html.count("<circle") == 3
    assert not re.search(r"https?://|@import|url\(|<script", html)


def test_the_line_for_the_terminal() -> None:
    assert agreement_line(SLIDES) == (
        "Manual counts of 4 slides: the automatic one is within 25 % in 2 (50 %),"
        " WHO level 1 for counting"
    )
    assert agreement_line([SLIDES[4]]) is None


def test_the_page_beside_slides_csv_has_its_counts(tmp_path: Path) -> None:
    """A recount of one slide changes its row, and then the page."""
    table, page = tmp_path / "slides.csv", tmp_path / "agreement.html"
    write_slides(SLIDES, table)
    write_agreement(table)
    assert page.read_text() == render_agreement(count_pairs(SLIDES))
    replace_slide_row(slide("a", 10, of_1000(90)), table)
    write_agreement(table)
    assert "is within 25 % of it</dt><dd>1<" in page.read_text().replace(
        "count within", "is within"
    )
    write_slides(SLIDES[3:5], table)
    write_agreement(table)
    assert not page.exists()


def test_without_manual_counts_above_zero_there_is_no_page() -> None:
    assert render_agreement(count_pairs([SLIDES[3], SLIDES[4]])) is None


def test_with_two_slides_there_is_no_plot() -> None:
    html = render_agreement(count_pairs(SLIDES[:2]))
    assert html is not None
    assert "<svg" not in html
    assert "A plot needs three slides" in html


def test_names_of_slides_are_never_markup() -> None:
    pairs = count_pairs([slide(f"{k}{NASTY}", 50, of_1000(60)) for k in range(3)])
    html = render_agreement(pairs)
    assert html is not None
    assert "<script" not in html
    assert f"0{NASTY}" in Seen(html).text


@pytest.mark.parametrize("ratio", [1.0, 0.001, 1000.0])
@pytest.mark.parametrize("density", [1.0, 1e7])
def test_every_point_and_line_is_on_the_plot(ratio: float, density: float) -> None:
    pairs = [CountPair("", density * k, density * k * ratio * k) for k in (1, 2, 3)]
    found = bland_altman(pairs)
    assert found is not None
    plot = bland_altman_plot(pairs, found)
    assert all(0 < point.x < WIDTH and 0 < point.y < HEIGHT for point in plot.points)
    assert all(0 < line.at < HEIGHT for line in (*plot.lines, *plot.ratios))
    assert len(plot.densities) >= 1
    assert plot.points[0].y > plot.points[2].y  # a larger ratio is higher
