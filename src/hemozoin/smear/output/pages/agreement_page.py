"""The page that compares manual and automatic counts over many slides."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from hemozoin.csv_files import read_csv
from hemozoin.metrics.bootstrap import Estimate
from hemozoin.reports.page import render, write_page
from hemozoin.smear.counting.bland_altman import (
    WHO_LEVELS,
    CountPair,
    bland_altman,
    count_pairs,
    who_grade,
)
from hemozoin.smear.counting.slide import Slide
from hemozoin.smear.output.folder import AGREEMENT, REPORT
from hemozoin.smear.output.numbers import percent, two_digits, with_noun
from hemozoin.smear.output.pages import bland_altman_plot as plots

#: Largest number of slides in the table.
_ROWS = 1000


def render_agreement(pairs: Sequence[CountPair]) -> str | None:
    """Return the page as HTML; None if no slide has a manual count above zero and another."""
    grade, found = who_grade(pairs), bland_altman(pairs)
    if grade is None:
        return None
    return render(
        "smear/output/pages/agreement.html",
        {"percent": percent, "density": two_digits, "factor": _factor, "link": _link},
        pairs=pairs[:_ROWS],
        left_out=max(0, len(pairs) - _ROWS),
        without=sum(pair.automatic is None for pair in pairs),
        zeros=sum(pair.manual == 0 for pair in pairs),
        grade=grade,
        found=found,
        levels=WHO_LEVELS,
        plot=plots.bland_altman_plot(pairs, found) if found else None,
        size=plots,
    )


def write_agreement(table: Path) -> None:
    """Write the page beside a slides.csv, or remove that of an earlier run if it has no pairs."""
    page, path = render_agreement(_pairs_of(table)), table.with_name(AGREEMENT)
    if page is None:
        path.unlink(missing_ok=True)
    else:
        write_page(page, path)


def _pairs_of(table: Path) -> list[CountPair]:
    header, *rows = read_csv(table)
    slides = [dict(zip(header, row, strict=True)) for row in rows]
    return [
        CountPair(one["slide"], float(manual), float(automatic) if automatic else None)
        for one in slides
        for manual, automatic in [(one["manual_parasites_per_ul"], one["parasites_per_ul"])]
        if manual
    ]


def agreement_line(slides: Sequence[Slide]) -> str | None:
    """Return WHO's grade in one line for the terminal; None if there is nothing to compare."""
    grade = who_grade(count_pairs(slides))
    if grade is None:
        return None
    return (
        f"Manual counts of {with_noun(grade.slides, 'slide')}: the automatic one is within 25 % in"
        f" {grade.within:,} ({percent(grade.share)} %), WHO level {grade.level} for counting"
    )


def _factor(estimate: Estimate) -> str:
    return f"{estimate.value:.2f} ({estimate.low:.2f} to {estimate.high:.2f})"


def _link(pair: CountPair) -> str:
    return quote(f"{pair.slide}/{REPORT}")
