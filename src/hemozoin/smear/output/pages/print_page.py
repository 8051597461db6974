"""The report on a slide on one sheet of A4, to print or to keep as PDF.

The texts have their natural height, and the picture of a field fills the rest of the sheet: so it
is full, and there is never a second one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress

from hemozoin.files import read_regular_file
from hemozoin.reports.page import data_uri, render
from hemozoin.reports.style import LIGHT_COLOURS
from hemozoin.smear.counting.slide import Slide
from hemozoin.smear.output import record_wording, wording
from hemozoin.smear.output.report import ReportSelection

#: Number of infected cells on the sheet, those with the highest p: three lines.
_CELLS = 21


def render_print_page(
    slide: Slide,
    selection: ReportSelection,
    about: Mapping[str, str],
    answers: Mapping[tuple[str, int], str] = {},
) -> str:
    """Return the page as HTML, with the arguments of the report; its pictures are read here."""
    return render(
        "smear/output/pages/print.html",
        {"uri": data_uri, "many": "{:,}".format, "unbroken": wording.unbroken},
        slide=slide,
        result=wording.result(slide),
        note=wording.note(slide),
        record=record_wording.record_facts(slide),
        compared=record_wording.comparison(slide),
        calculation=list(wording.calculation(slide)),
        not_counted=wording.fields_not_counted(slide),
        counted=wording.cells_counted(slide),
        limitations=list(wording.limitations(slide)),
        no_diagnosis=wording.NO_DIAGNOSIS,
        cells=[tile for tile in selection.infected.highest()[:_CELLS] if tile.picture],
        infected=selection.infected.count,
        answers=answers,
        overlay=next(_overlays(selection), None),
        about=about,
        colours=LIGHT_COLOURS,
    )


def _overlays(selection: ReportSelection) -> Iterator[tuple[str, bytes]]:
    """Yield the fields' names with their overlays, those with most infected cells first."""
    for row, path in selection.overlays.highest():
        with suppress(OSError):
            yield row.field, read_regular_file(path)
