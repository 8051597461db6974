"""Audits repeated on fields and cells with known truth: the marks of people play the person.

    python benchmarks/audits.py fields cell_images.zip runs/nano

`fields` has the folders `iml`, `bccd` and `world` of world.py. From each of IML, BBBC041 and BCCD,
groups of 20 fields are drawn, and each group is audited with 50, 150 and 500 answers. The last
argument is a cross-validation: slides of one patient are made from its predictions of patients that
the network had not seen. A found cell is infected if it overlaps a marked infected cell by 0.3 or
more (intersection over union). `audited` is what other benchmarks call. The rows go to
benchmarks/results/audits.csv.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hemozoin.arrays import Bools, Floats
from hemozoin.review.agreement import reviewed_cells
from hemozoin.review.estimate import count_with_reviews
from hemozoin.review.found_cells import FoundCells
from hemozoin.review.reviews import Review
from hemozoin.review.worklist import draw_worklist
from hemozoin.smear.counting.reviewed_count import ReviewedCount

FILE = "audits.csv"

#: Numbers of answers, of audits of each kind, and of fields in a group.
NUMBERS, AUDITS, GROUP = (50, 150, 500), 300, 20

#: Slides of one patient: red cells, and the share of them that is infected.
PATIENTS = ((2000, 0.02), (5000, 0.002), (5000, 0.0))

#: Intersection over union from which a found cell is the marked one.
SAME = 0.3


@dataclass(frozen=True, eq=False)
class KnownSlide:
    """Cells and whether each is infected, and the number of infected cells that people marked."""

    p: Floats
    decisions: tuple[str, ...]
    infected: Bools
    marked: int


def audited(
    p: Floats, decisions: tuple[str, ...], infected: Bools, number: int, seed: int
) -> ReviewedCount:
    """Return the count of a slide after an audit of `number` cells, answered by the truth."""
    where = np.arange(len(p))
    boxes = np.stack([50 * where, 0 * where, 0 * where + 40, 0 * where + 40], axis=1).astype(float)
    cells = FoundCells("slide", ("field",) * len(p), (*range(len(p)),), boxes, p, decisions)
    drawn = [
        Review(
            reader="truth",
            field=row.field,
            x=row.x,
            y=row.y,
            width=row.width,
            height=row.height,
            answer="parasitized" if infected[row.cell] else "uninfected",
            p_parasitized=row.p_parasitized,
            probability=row.probability,
        )
        for row in draw_worklist(cells, number, seed)
    ]
    counted = count_with_reviews(cells, reviewed_cells(cells, drawn)[0])
    assert counted is not None
    return counted
