"""Found cells and answers for the tests of reviews."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hemozoin.review.agreement import ReviewedCell, reviewed_cells
from hemozoin.review.found_cells import FoundCells
from hemozoin.review.reviews import Answer, Review
from hemozoin.review.worklist import WorklistRow


def found_cells(p: Sequence[float], per_field: int = 10) -> FoundCells:
    """Return cells side by side in fields f0.png, f1.png, ..., called from 0.8, close from 0.2."""
    count = len(p)
    decisions = ["parasitized" if x >= 0.8 else "review" if x >= 0.2 else "uninfected" for x in p]
    return FoundCells(
        slide="smear",
        fields=tuple(f"f{i // per_field}.png" for i in range(count)),
        numbers=tuple(i % per_field + 1 for i in range(count)),
        boxes=np.array([(50 * (i % per_field), 7, 40, 42) for i in range(count)], float),
        p_parasitized=np.array(p, float),
        decisions=tuple(decisions),
        red_cells=np.ones(count),
    )


def review_of(
    cells: FoundCells,
    index: int,
    answer: Answer,
    reader: str = "ann",
    probability: float | None = None,
) -> Review:
    """Return a review of a found cell."""
    x, y, width, height = cells.boxes[index].tolist()
    p = float(cells.p_parasitized[index])
    where = (reader, cells.fields[index], x, y, width, height)
    drawn_from = None if probability is None else len(cells)
    return Review(*where, answer, p_parasitized=p, probability=probability, cells=drawn_from)


def answered(
    cells: FoundCells, rows: Sequence[WorklistRow], infected: Sequence[bool]
) -> dict[int, ReviewedCell]:
    """Return the drawn cells with the true answers."""
    numbers = {(name, cell): i for i, (name, cell) in enumerate(_names(cells))}
    indices = [numbers[row.field, row.cell] for row in rows]
    reviews = [
        review_of(
            cells,
            i,
            "parasitized" if infected[i] else "uninfected",
            probability=row.probability,
        )
        for i, row in zip(indices, rows, strict=True)
    ]
    return reviewed_cells(cells, reviews)[0]


def _names(cells: FoundCells) -> list[tuple[str, int]]:
    return [*zip(cells.fields, cells.numbers, strict=True)]
