"""Cells drawn for a person: how many, with which chances, in several rounds."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from hemozoin.errors import DataError
from hemozoin.review.worklist import WorklistRow, draw_worklist, sizes
from tests.support.reviews import answered, found_cells

P = np.concatenate([np.full(200, 0.02), np.linspace(0.05, 0.5, 20), np.full(10, 0.95)])
CELLS = found_cells(P.tolist())
NOBODY = [False] * len(CELLS)


def test_a_worklist_has_as_many_cells_as_asked_for() -> None:
    rows = draw_worklist(CELLS, 40)
    assert len(rows) == 40
    assert Counter(row.stratum for row in rows)["called"] == 10
    assert {row.probability for row in rows if row.stratum == "called"} == {1.0}
    chances = {row.p_parasitized: row.probability for row in rows}
    assert 0 < chances[0.02] < 0.15
    assert [*chances.values()] == [chances[p] for p in chances]
    assert rows == sorted(rows, key=lambda row: (int(row.field[1:-4]), row.cell))
    assert rows == draw_worklist(CELLS, 40)
    assert rows != draw_worklist(CELLS, 40, seed=1)


def test_more_cells_than_there_are() -> None:
    rows = draw_worklist(CELLS, 1000)
    assert len(rows) == len(CELLS)
    assert {row.probability for row in rows} == {1.0}


def test_each_cell_is_drawn_as_often_as_its_chance_says() -> None:
    times, chances = np.zeros(len(CELLS)), np.zeros(len(CELLS))
    for seed in range(300):
        for row in draw_worklist(CELLS, 40, seed):
            index = 10 * int(row.field[1:-4]) + row.cell - 1
            times[index] += 1
            chances[index] += 1 / row.probability
    assert chances.mean() == pytest.approx(300, rel=0.05)  # each counts once on average
    assert chances[:200].mean() == pytest.approx(300, rel=0.05)
    assert (times[-10:] == 300).all()
    assert 0 < times[:200].mean() < 30


def test_a_second_round_extends_the_first() -> None:
    first = draw_worklist(CELLS, 40)
    second = draw_worklist(CELLS, 30, reviewed=answered(CELLS, first, NOBODY))
    both = draw_worklist(CELLS, 70)
    places = {(row.field, row.cell) for row in first + second}
    assert len(second) == 30
    assert places == {(row.field, row.cell) for row in both}
    assert {row.probability for row in second} <= {row.probability for row in both}


def test_another_seed_for_a_second_round_is_refused() -> None:
    reviewed = answered(CELLS, draw_worklist(CELLS, 40), NOBODY)
    with pytest.raises(DataError, match="drawn with another --seed"):
        draw_worklist(CELLS, 40, seed=7, reviewed=reviewed)


def test_nothing_is_left_to_draw() -> None:
    reviewed = answered(CELLS, draw_worklist(CELLS, 1000), NOBODY)
    with pytest.raises(DataError, match="every one of its 230 cells has an answer"):
        draw_worklist(CELLS, 40, reviewed=reviewed)


def test_cells_whose_p_is_zero_have_the_same_chance() -> None:
    rows = draw_worklist(found_cells([0.0] * 50), 10)
    assert len(rows) == 10
    assert len({row.probability for row in rows}) == 1


def test_cells_are_drawn_evenly_along_p() -> None:
    cells = found_cells(np.linspace(0.2, 0.6, 400).tolist())
    for seed in range(20):
        rows = draw_worklist(cells, 60, seed)
        drawn = np.array([row.p_parasitized for row in rows])
        chances = np.minimum(1, sizes(cells.p_parasitized) * rows[0].probability / _size(rows[0]))
        for low in (0.2, 0.3, 0.4, 0.5):
            expected = chances[(cells.p_parasitized >= low) & (cells.p_parasitized < low + 0.1)]
            assert abs(((drawn >= low) & (drawn < low + 0.1)).sum() - expected.sum()) < 2.5


def _size(row: WorklistRow) -> float:
    p = np.linspace(0.2, 0.6, 400)
    return float(sizes(p)[np.argmin(abs(p - row.p_parasitized))])


def test_what_was_drawn_before_fields_were_added_is_known() -> None:
    reviewed = answered(CELLS, draw_worklist(CELLS, 40), NOBODY)
    more = found_cells([*P.tolist(), *[0.02] * 50])
    assert {cell.chance(more, index) for index, cell in reviewed.items()} == {None}
    rows = draw_worklist(more, 40, seed=7, reviewed=reviewed)
    places = [*zip(CELLS.fields, CELLS.numbers, strict=True)]
    assert not {(row.field, row.cell) for row in rows} & {places[index] for index in reviewed}
