"""The cells of a slide for a reader: lists to work through, answers, and the count with them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from hemozoin.classes import PARASITIZED
from hemozoin.decision.conformal import REVIEW
from hemozoin.errors import DataError
from hemozoin.files import read_regular_file
from hemozoin.json_files import parse_json
from hemozoin.review.agreement import ReviewedCell, reviewed_cells
from hemozoin.review.found_cells import FoundCells, read_found_cells
from hemozoin.review.recount import count_so_far
from hemozoin.review.reviews import REVIEWS, Answer, Review, append_reviews, read_reviews
from hemozoin.review.worklist import draw_worklist
from hemozoin.serve.slide_files import stamp_of
from hemozoin.smear.counting.totals import with_current_reviews
from hemozoin.smear.output.folder import CELLS, SLIDE

#: The lists: cells called infected, those too close to call, and a random draw of `AUDIT_CELLS`.
Worklist = Literal["called", "close", "audit"]

#: Number of cells of the random draw, and its seed: the same as those of `hemozoin audit`.
AUDIT_CELLS, _SEED = 150, 0

#: Number of neighbours of a cell on each side.
_BESIDE = 4

#: Numbers of slides whose cells, and whose counts, are kept in memory.
_SLIDES, _COUNTS = 4, 1000


@dataclass(frozen=True)
class GivenAnswer:
    """What a reader says about a cell, from one of the lists or none; "" takes it back."""

    cell: str
    answer: Answer
    reader: str
    note: str = ""
    worklist: Worklist | None = None


@dataclass(frozen=True)
class MissedCell:
    """A cell that was not found, drawn by a reader: its field, box in px, and answer."""

    field: str
    x: float
    y: float
    width: float
    height: float
    answer: Answer
    reader: str


class CellReviews:
    """The reviews of a screened slide, by the ids of its cells, FIELD:NUMBER.

    Raises DataError where the folder is no finished slide's, or its reviews.csv was damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.found = _found_cells(folder, stamp_of(folder / CELLS))

    def index(self) -> dict[str, int]:
        """Return the place of each cell in the slide's cells, by its id."""
        pairs = zip(self.found.fields, self.found.numbers, strict=True)
        return {f"{field}:{number}": index for index, (field, number) in enumerate(pairs)}

    def worklist(self, name: Worklist) -> list[int]:
        """Return the cells of a list, by their places: the highest p first, or as drawn."""
        if name == "audit":
            return list(_draw(self._folder, stamp_of(self._folder / CELLS)))
        wanted = PARASITIZED if name == "called" else REVIEW
        p = self.found.p_parasitized
        places = (i for i, decision in enumerate(self.found.decisions) if decision == wanted)
        return sorted(places, key=lambda i: -p[i])

    def neighbours(self, cell: str) -> list[int]:
        """Return the places of a cell, given by its id, and of those just above and below it in p.

        The highest p is first. Raises DataError for an unknown cell.
        """
        place = self._place(cell, self.index())
        ordered = sorted(range(len(self.found)), key=lambda i: -self.found.p_parasitized[i])
        middle = ordered.index(place)
        return ordered[max(0, middle - _BESIDE) : middle + _BESIDE + 1]

    def reviewed(self) -> tuple[dict[int, ReviewedCell], list[Review]]:
        """Return the answers by the cells' places, and those on cells that were not found."""
        return reviewed_cells(self.found, read_reviews(self._folder))

    def add(self, answers: Iterable[GivenAnswer]) -> None:
        """Add answers to reviews.csv; raises DataError for an unknown cell."""
        index = self.index()
        append_reviews(self._folder, [self._review(answer, index) for answer in answers])

    def add_missed(self, cell: MissedCell) -> None:
        """Add an answer on a cell that was not found."""
        if cell.field not in self.found.fields:
            raise DataError(f"{cell.field}: no field of this slide with cells that are counted")
        append_reviews(self._folder, [Review(**vars(cell))])

    def _place(self, cell: str, index: Mapping[str, int]) -> int:
        place = index.get(cell)
        if place is None:
            raise DataError(f"{cell!r:.80} is no cell of this slide that is counted")
        return place

    def _review(self, given: GivenAnswer, index: Mapping[str, int]) -> Review:
        place = self._place(given.cell, index)
        x, y, width, height = self.found.boxes[place].tolist()
        return Review(
            reader=given.reader,
            field=self.found.fields[place],
            x=x,
            y=y,
            width=width,
            height=height,
            answer=given.answer,
            note=given.note,
            p_parasitized=float(self.found.p_parasitized[place]),
            **self._draw_of(place) if given.worklist == "audit" else {},
        )

    def _draw_of(self, place: int) -> dict[str, Any]:
        """Return the chance with which a cell was drawn, and of how many; none if it was not."""
        chance = _draw(self._folder, stamp_of(self._folder / CELLS)).get(place)
        return {} if chance is None else {"probability": chance, "cells": len(self.found)}


@dataclass(frozen=True)
class CurrentCount:
    """The count of a slide with all answers so far; both are None until they can be known.

    `count` is the content of slide.json as it would be written now; it must not be changed.
    `reviewed` is the count of machine and person as plain data. It is "settled" if it holds without
    the network's error rates: where the cells were drawn at random, or where all called and close
    ones have an answer.
    """

    count: dict[str, Any] | None
    reviewed: dict[str, Any] | None


def current_count(folder: Path) -> CurrentCount:
    """Return the count of a slide that holds now, which slide.json has only after a recount.

    Raises DataError where slide.json or reviews.csv can't be used.
    """
    return _current_count(folder, *(stamp_of(folder / name) for name in (SLIDE, CELLS, REVIEWS)))


def saved_count(folder: Path) -> dict[str, Any] | None:
    """Return the content of slide.json; None until the slide is screened."""
    try:
        found = parse_json(read_regular_file(folder / SLIDE))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


@lru_cache(_COUNTS)
def _current_count(folder: Path, slide: int, cells: int, reviews: int) -> CurrentCount:
    saved = saved_count(folder) if slide else None
    if saved is None or not cells or not (reviews or saved.get("reviews")):
        return CurrentCount(saved, None)
    reviewed = count_so_far(folder, _found_cells(folder, cells))
    try:
        count = with_current_reviews(saved, reviewed)
    except (LookupError, TypeError, ValueError) as error:
        raise DataError(f"{folder}: damaged; run the same hemozoin screen again") from error
    if reviewed is None:
        return CurrentCount(count, None)
    share = asdict(reviewed.parasitaemia)
    plain = {**reviewed.to_dict(), "parasitaemia": share, "settled": reviewed.is_settled}
    return CurrentCount(count, plain)


@lru_cache(_SLIDES)
def _found_cells(folder: Path, _: int) -> FoundCells:
    return read_found_cells(folder)


@lru_cache(_SLIDES)
def _draw(folder: Path, stamp: int) -> dict[int, float]:
    """Return the cells of the random draw, by their places, with their chances."""
    cells = _found_cells(folder, stamp)
    rows = draw_worklist(cells, AUDIT_CELLS, _SEED)
    drawn = {(row.field, row.cell): row.probability for row in rows}
    places = enumerate(zip(cells.fields, cells.numbers, strict=True))
    return {place: drawn[cell] for place, cell in places if cell in drawn}


def is_stale(folder: Path) -> bool:
    """Return whether a slide's report and slide.json lack some of its reviews."""
    slide, reviews = folder / SLIDE, folder / REVIEWS
    if not (slide.exists() and reviews.exists()):
        return False
    if slide.stat().st_mtime_ns < reviews.stat().st_mtime_ns:
        return True
    # An answer that came while slide.json was written is older than the file, and not in it.
    count, saved = current_count(folder).count, saved_count(folder)
    return json.dumps(count and count["reviews"]) != json.dumps(saved and saved["reviews"])


def answers_of(cell: ReviewedCell | None, reader: str | None) -> Iterator[dict[str, str]]:
    """Yield the answers on a cell: those of all readers, or only those of one."""
    for name, review in sorted(cell.reviews.items()) if cell else ():
        if reader in (None, name):
            yield {
                "reader": name,
                "answer": review.answer,
                "note": review.note,
                "time": review.time,
            }
