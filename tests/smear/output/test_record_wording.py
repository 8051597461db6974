"""What the terminal says about a manual count, and about how many cells are enough."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hemozoin.smear.counting.record.manual_count import ManualCount
from hemozoin.smear.counting.record.slide_record import SlideRecord
from hemozoin.smear.counting.slide import Slide
from hemozoin.smear.output.record_wording import guideline_sentence, manual_line
from tests.smear.output.pages.test_agreement_page import of_1000, slide


def line(found: Slide) -> str:
    return manual_line(found) or ""


def with_manual(manual: ManualCount, infected: int = 100) -> Slide:
    return slide("a", infected, manual)


@pytest.mark.parametrize(
    ("manual", "expected"),
    [
        (of_1000(90), "90 infected of 1,000 red cells = 9 (7.3 to 10.9) %"),
        (
            ManualCount(parasites=300, white_cells=200, reader="AB"),
            "300 parasites per 200 white cells, with 8,000 white cells/µL (assumed), by AB = 0.24",
        ),
        (
            ManualCount(parasites=300, white_cells=200, white_cells_per_ul=6000),
            "with 6,000 white cells/µL = 0.18",
        ),
        (ManualCount(parasites_per_ul=24_000), "24,000 parasites/µL = 0.48 %"),
    ],
)
def test_how_it_was_counted(manual: ManualCount, expected: str) -> None:
    assert expected in line(with_manual(manual))


def test_the_difference() -> None:
    """100 of 1,100 are 9.0 % after the expected false positives: 20 % above 7.5 %."""
    assert "; automatic: +20 %. The automatic count is within 25 %" in line(
        with_manual(of_1000(75))
    )
    assert "; automatic: +50 %. The automatic count is not within" in line(with_manual(of_1000(60)))
    assert "takes one for each cell" in line(with_manual(ManualCount(parasites_per_ul=24_000)))


def test_without_a_difference() -> None:
    found = with_manual(of_1000(90))
    assert "The manual count is zero" in line(with_manual(of_1000(0)))
    none = replace(found, called=None, parasitaemia=None, reason="no field")
    assert "The slide has no automatic count" in line(none)
    unlike = replace(found, parasitaemia=None, reason="its cells look different")
    assert unlike.verdict == "needs confirmation"
    assert "hemozoin audit and hemozoin recount give the slide a count" in line(unlike)
    assert manual_line(replace(found, record=SlideRecord())) is None


def test_enough_cells_and_more_fields() -> None:
    """One field of 1,100 red cells, 9 % of them infected: CDC asks for 500."""
    assert guideline_sentence(with_manual(of_1000(90))) == (
        "1,100 red cells counted. Guidelines for a count by eye ask for 500 (CDC: enough),"
        " 1,000 (BSH: enough), and 5,000 (WHO: 4 more fields like these)."
    )
