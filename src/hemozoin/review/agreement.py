"""The answers on each found cell, and how far readers agree."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from hemozoin.arrays import Floats
from hemozoin.review.found_cells import FoundCells
from hemozoin.review.reviews import ROUNDING, Answer, Review
from hemozoin.smear.counting.reviewed_count import Agreement, UndecidedCell

#: Least intersection over union of a review's box and a found cell's: they are the same cell.
_SAME = 0.3


@dataclass
class ReviewedCell:
    """The answers on one cell: the first review, and the last one of each reader by their name."""

    first: Review
    reviews: dict[str, Review] = field(default_factory=dict)

    @property
    def answer(self) -> Answer:
        """Return the answer of most readers; "can't tell" if no answer has the most."""
        return "can't tell" if self.is_undecided else self._votes[0][0]

    @property
    def is_undecided(self) -> bool:
        """Return whether no answer has the most votes."""
        return len(self._votes) > 1 and self._votes[0][1] == self._votes[1][1]

    @property
    def _votes(self) -> list[tuple[Answer, int]]:
        return Counter(review.answer for review in self.reviews.values()).most_common()

    @property
    def is_disputed(self) -> bool:
        """Return whether readers gave different answers."""
        return len({review.answer for review in self.reviews.values()}) > 1

    def chance(self, cells: FoundCells, index: int) -> float | None:
        """Return the chance with which the cell, `index` of `cells`, was drawn from these cells.

        None if a reader chose it, or if it was drawn when another network had screened the slide,
        or before fields were added: then its answer is known, and it is no part of the present
        draw. Whoever looks at a drawn cell once more does not choose it.
        """
        before = math.nan if self.first.p_parasitized is None else self.first.p_parasitized
        p = float(cells.p_parasitized[index])
        same_p = math.isclose(before, p, rel_tol=ROUNDING, abs_tol=ROUNDING)
        return self.first.probability if same_p and self.first.cells == len(cells) else None


def reviewed_cells(
    cells: FoundCells, reviews: Iterable[Review]
) -> tuple[dict[int, ReviewedCell], list[Review]]:
    """Return the answers by the index of the cell, and the reviews that fit no found cell.

    A reader's later review replaces the earlier one, and an empty answer takes it back. The cell is
    the one of the same field whose box overlaps most with the review's, at least 0.3.
    """
    finder, found = _Finder(cells), dict[int, ReviewedCell]()
    elsewhere: dict[tuple[object, ...], Review] = {}
    for review in reviews:
        index = finder(review)
        if index is None:
            place = review.reader, review.field, *review.middle
            elsewhere[place] = review
        else:
            found.setdefault(index, ReviewedCell(review)).reviews[review.reader] = review
    for cell in found.values():
        cell.reviews = {name: one for name, one in cell.reviews.items() if one.answer}
    answered = {index: cell for index, cell in sorted(found.items()) if cell.reviews}
    return answered, [review for review in elsewhere.values() if review.answer]


def missed_cells(cells: FoundCells, elsewhere: Iterable[Review]) -> list[ReviewedCell]:
    """Return the cells that were not found but drawn by readers, in fields that are counted.

    Reviews of several readers are of one cell if their boxes overlap by at least 0.3.
    """
    missed: list[ReviewedCell] = []
    for review in elsewhere:
        box = np.array([[review.x, review.y, review.width, review.height]])
        if review.field not in cells.fields:
            continue
        for cell in missed:
            first = cell.first
            other = first.x, first.y, first.width, first.height
            overlap = _intersection_over_union(box, other)[0]
            if first.field == review.field and overlap >= _SAME:
                cell.reviews[review.reader] = review
                break
        else:
            missed.append(ReviewedCell(review, {review.reader: review}))
    return missed


def undecided_cells(
    cells: FoundCells, reviewed: Mapping[int, ReviewedCell], missed: Iterable[ReviewedCell]
) -> Iterator[UndecidedCell]:
    """Yield the cells on which readers differ, with no answer of most."""
    numbers = [*((cells.numbers[i], one) for i, one in reviewed.items())]
    for number, cell in [*numbers, *((None, one) for one in missed)]:
        if cell.is_undecided:
            answers = {name: review.answer for name, review in sorted(cell.reviews.items())}
            yield UndecidedCell(cell.first.field, number, *cell.first.middle, answers)


class _Finder:
    """Finds the cell that a review is about."""

    def __init__(self, cells: FoundCells) -> None:
        self._boxes = cells.boxes
        self._exact = {(name, *box): i for i, (name, box) in enumerate(_places(cells))}
        by_field: dict[str, list[int]] = {}
        for index, name in enumerate(cells.fields):
            by_field.setdefault(name, []).append(index)
        self._by_field = {name: np.array(indices) for name, indices in by_field.items()}

    def __call__(self, review: Review) -> int | None:
        box = (review.x, review.y, review.width, review.height)
        exact = self._exact.get((review.field, *box))
        if exact is not None or review.field not in self._by_field:
            return exact
        indices = self._by_field[review.field]
        overlap = _intersection_over_union(self._boxes[indices], box)
        best = int(overlap.argmax())
        return int(indices[best]) if overlap[best] >= _SAME else None


def _places(cells: FoundCells) -> Iterable[tuple[str, tuple[float, ...]]]:
    return zip(cells.fields, map(tuple, cells.boxes.tolist()), strict=True)


def _intersection_over_union(boxes: Floats, box: tuple[float, float, float, float]) -> Floats:
    """Return the measure for each of the boxes, float `[N, 4]`: x, y, width, height."""
    one = np.array(box)
    low = np.maximum(boxes[:, :2], one[:2])
    high = np.minimum(boxes[:, :2] + boxes[:, 2:], one[:2] + one[2:])
    both = (high - low).clip(0).prod(axis=1)
    union = boxes[:, 2:].prod(axis=1) + one[2:].prod() - both
    return np.asarray(both / np.maximum(union, 1e-9))


def agreements(reviewed: Mapping[int, ReviewedCell]) -> list[Agreement]:
    """Return the agreement of each two readers with cells in common."""
    readers = sorted({name for cell in reviewed.values() for name in cell.reviews})
    return [
        _agreement(pair, answers)
        for pair in combinations(readers, 2)
        if (
            answers := [
                (cell.reviews[pair[0]].answer, cell.reviews[pair[1]].answer)
                for cell in reviewed.values()
                if cell.reviews.keys() >= {*pair}
            ]
        )
    ]


def _agreement(pair: tuple[str, str], answers: list[tuple[Answer, Answer]]) -> Agreement:
    n, same = len(answers), sum(first == second for first, second in answers)
    firsts, seconds = (Counter(readers) for readers in zip(*answers, strict=True))
    by_chance = sum(firsts[answer] * seconds[answer] for answer in firsts) / n**2
    kappa = (same / n - by_chance) / (1 - by_chance) if by_chance < 1 else None
    return Agreement(pair, n, same, kappa)
