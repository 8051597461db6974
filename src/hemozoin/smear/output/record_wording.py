"""The sentences about a slide's record and its manual count that the terminal and reports show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hemozoin.smear.counting.precision import TOLERANCE
from hemozoin.smear.counting.record.manual_count import ASSUMED_WBC_PER_UL, ManualCount
from hemozoin.smear.counting.slide import Slide
from hemozoin.smear.output.numbers import percent, two_digits, with_noun

_TITLES = {
    "patient": "Patient",
    "date": "Date",
    "site": "Site",
    "stain": "Stain",
    "magnification": "Magnification",
    "operator": "Operator",
    "hematocrit": "Hematocrit, %",
    "red_cells_per_ul": "Red cells per µL",
}


def record_facts(slide: Slide) -> list[tuple[str, str]]:
    """Return what is known of the slide besides its pictures, each with its title."""
    record = slide.record.to_dict()
    return [
        (title, record[key] if isinstance(record[key], str) else f"{record[key]:,g}")
        for key, title in _TITLES.items()
        if key in record
    ]


@dataclass(frozen=True)
class Comparison:
    """A manual count beside the automatic one, as texts.

    `automatic` is the title of the latter. A row has a title, both counts, and the difference.
    """

    how: str
    automatic: str
    rows: tuple[tuple[str, str, str, str], ...]
    verdict: str


def comparison(slide: Slide) -> Comparison | None:
    """Return the manual count beside the automatic one; None without a manual count."""
    manual = slide.record.manual
    if manual is None:
        return None
    automatic = "automatic, with reviews" if slide.settled else "automatic"
    rows = tuple(_rows(slide, manual))
    return Comparison(how_counted(manual), automatic, rows, _verdict(slide, manual))


def how_counted(manual: ManualCount) -> str:
    """Return what was counted by eye, and by whom."""
    by = f", by {manual.reader}" if manual.reader else ""
    if manual.red_cells is not None:
        return f"{manual.infected:,} infected of {manual.red_cells:,} red cells{by}"
    if manual.white_cells is None:
        return f"{manual.parasites_per_ul:,.0f} parasites/µL{by}"
    assumed = " (assumed)" if manual.white_cells_per_ul is None else ""
    white = manual.white_cells_per_ul or ASSUMED_WBC_PER_UL
    return (
        f"{manual.parasites:,} parasites per {manual.white_cells:,} white cells,"
        f" with {white:,.0f} white cells/µL{assumed}{by}"
    )


def _rows(slide: Slide, manual: ManualCount) -> Iterator[tuple[str, str, str, str]]:
    """Yield a title, the manual count, the automatic one, and the difference."""
    red_cells = slide.blood.red_cells_per_ul
    share, ends = manual.share(red_cells), manual.interval(red_cells)
    found = slide.estimate
    auto = (found.value, (found.low, found.high)) if found else None
    points = f"{100 * (found.value - share):+.2g} points" if found else ""
    automatic = _percent(*auto) if auto else "none"
    yield "% of red cells", _percent(share, ends), automatic, points
    automatic = _per_ul(slide, *auto) if auto else "none"
    yield "parasites/µL", _per_ul(slide, share, ends), automatic, _ratio(slide)


def _percent(share: float, ends: tuple[float, float] | None) -> str:
    return percent(share) + (f" ({percent(ends[0])} to {percent(ends[1])})" if ends else "")


def _per_ul(slide: Slide, share: float, ends: tuple[float, float] | None) -> str:
    value, *limits = (two_digits(slide.per_ul(one)) for one in (share, *(ends or ())))
    return value + (f" ({limits[0]} to {limits[1]})" if limits else "")


def _ratio(slide: Slide) -> str:
    ratio = slide.automatic_over_manual
    return "" if ratio is None else f"{100 * (ratio - 1):+,.0f} %"


def _verdict(slide: Slide, manual: ManualCount) -> str:
    ratio = slide.automatic_over_manual
    if slide.verdict == "needs confirmation":
        return "hemozoin audit and hemozoin recount give the slide a count to compare with."
    if slide.estimate is None:
        return "The slide has no automatic count to compare with."
    if ratio is None:
        return "The manual count is zero, so there is no difference in percent."
    within = "within" if abs(ratio - 1) <= TOLERANCE else "not within"
    thick = "" if manual.red_cells else " A manual count of parasites takes one for each cell."
    count = "count with reviews" if slide.settled else "automatic count"
    return f"The {count} is {within} 25 % of the manual count.{thick}"


def guideline_sentence(slide: Slide) -> str:
    """Return whether enough red cells were counted for each guideline, and what is missing."""
    parts = [_asked(*guideline) for guideline in slide.guidelines]
    return (
        f"{with_noun(slide.red_cells, 'red cell')} counted. Guidelines for a count by eye ask for"
        f" {', '.join(parts[:-1])}, and {parts[-1]}."
    )


def _asked(name: str, red_cells: int, missing: int | None) -> str:
    enough = "enough" if missing == 0 else f"{with_noun(missing or 0, 'more field')} like these"
    return f"{red_cells:,} ({name}{'' if missing is None else f': {enough}'})"


def manual_line(slide: Slide) -> str | None:
    """Return the manual count in one line for the terminal; None without one."""
    compared = comparison(slide)
    if compared is None:
        return None
    (_, share, _, _), (_, _, _, ratio) = compared.rows
    difference = f"; {compared.automatic}: {ratio}" if ratio else ""
    return f"Manual count: {compared.how} = {share} %{difference}. {compared.verdict}"
