"""Count a slide again with what people said about its cells.

worklists ── checked ── reviews.csv ── answers on the found cells ── estimate
saved fields ──────────────────────────────────────────────────────────┴── all files again
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from hemozoin.arrays import Floats
from hemozoin.decision.counting_point import CountingPoint
from hemozoin.errors import DataError
from hemozoin.review.agreement import ReviewedCell, reviewed_cells
from hemozoin.review.estimate import count_with_reviews
from hemozoin.review.found_cells import FoundCells, read_found_cells
from hemozoin.review.reviews import REVIEWS, Review, append_reviews, read_reviews
from hemozoin.review.worklist_csv import read_worklist
from hemozoin.smear.counting.reviewed_count import ReviewedCount, SlideReviews
from hemozoin.smear.counting.slide import Slide
from hemozoin.smear.output.folder import SLIDES
from hemozoin.smear.output.pages.agreement_page import write_agreement
from hemozoin.smear.output.results import SavedSlide, read_counting_point
from hemozoin.smear.output.tables import replace_slide_row
from hemozoin.smear.slides import MARK


def recount_slide(folder: Path, worklists: Sequence[Path] = ()) -> Slide:
    """Add the answers of worklists to the slide's reviews, and write its files again with all.

    `folder` is a slide's, as `hemozoin screen` writes it; neither its pictures nor the network are
    needed. An answer that is there already is not added again. Nothing is written before every
    worklist is checked. Raises DataError for a folder, a worklist or a reviews.csv that can't be
    used.
    """
    cells = read_found_cells(folder)
    before = read_reviews(folder)
    given = [review for path in worklists for review in read_worklist(path, cells)]
    new = _not_there_yet(cells, before, given)
    if not before and not new:
        raise DataError(f"{folder / REVIEWS}: no reviews yet; fill in a worklist of hemozoin audit")
    saved = SavedSlide.load(folder)
    append_reviews(folder, new)
    reviewed, elsewhere = reviewed_cells(cells, [*before, *new])
    sensitivities = _sensitivities(saved.writer.counting_point)
    count = count_with_reviews(cells, reviewed, sensitivities, elsewhere)
    slide = saved.rewrite(SlideReviews(count, _answers(cells, reviewed)))
    if (table := _table_of_slides(folder)) is not None:
        replace_slide_row(slide, table)
        write_agreement(table)
    return slide


def count_so_far(folder: Path, cells: FoundCells) -> ReviewedCount | None:
    """Return the count of a slide with its reviews so far; nothing is written.

    None if no cell has an answer that tells. Raises DataError for a damaged reviews.csv or slide.
    """
    reviewed, elsewhere = reviewed_cells(cells, read_reviews(folder))
    sensitivities = _sensitivities(read_counting_point(folder))
    return count_with_reviews(cells, reviewed, sensitivities, elsewhere)


def with_reviews(slides: Sequence[Slide], out: Path) -> list[Slide]:
    """Return the slides that were just screened to `out`, those with reviews counted again."""
    folders = [out / slide.slide if len(slides) > 1 else out for slide in slides]
    return [
        recount_slide(folder) if (folder / REVIEWS).is_file() else slide
        for slide, folder in zip(slides, folders, strict=True)
    ]


def _answers(cells: FoundCells, reviewed: Mapping[int, ReviewedCell]) -> dict[tuple[str, int], str]:
    """Return the answer on each reviewed cell, by field and number of the cell."""
    return {
        (cells.fields[index], cells.numbers[index]): cell.answer for index, cell in reviewed.items()
    }


def _sensitivities(point: CountingPoint | None) -> Floats:
    """Return the sensitivities of unseen patients to be counted, float `[Q]`; 1 if not known.

    Every counted cell is called, so to be called or for review the sensitivity is at least this.
    """
    return point.sensitivity.quantiles if point and point.sensitivity else np.ones(1)


def _not_there_yet(
    cells: FoundCells, before: Iterable[Review], given: Iterable[Review]
) -> list[Review]:
    """Return the reviews that say something new: another answer, note or chance."""
    reviewed, _ = reviewed_cells(cells, before)
    current = {
        (reader, cell.field, *cell.middle): replace(cell, time="")
        for one in reviewed.values()
        for reader, cell in one.reviews.items()
    }
    new = []
    for review in given:
        key = (review.reader, review.field, *review.middle)
        if current.get(key) != review:
            current[key] = review
            new.append(review)
    return new


def _table_of_slides(folder: Path) -> Path | None:
    """Return the slides.csv of the screening that the slide's folder belongs to; None without."""
    for parent in folder.resolve().parents:
        if (parent / MARK).is_file():
            return parent / SLIDES if (parent / SLIDES).is_file() else None
    return None
