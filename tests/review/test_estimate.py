"""The count of machine and person together: unbiased, with an interval that holds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hemozoin.review.agreement import reviewed_cells
from hemozoin.review.estimate import count_with_reviews
from hemozoin.review.found_cells import CLUMP, FoundCells
from hemozoin.review.reviews import Answer
from hemozoin.review.worklist import draw_worklist
from hemozoin.smear.counting.parasitaemia import clopper_pearson
from hemozoin.smear.counting.reviewed_count import ReviewedCount
from tests.support.reviews import answered, found_cells, review_of


def count(cells: FoundCells, answers: dict[int, Answer]) -> ReviewedCount:
    """Return the count after a reader has chosen cells."""
    reviews = [review_of(cells, index, answer) for index, answer in answers.items()]
    found = count_with_reviews(cells, reviewed_cells(cells, reviews)[0])
    assert found
    return found


def misjudged(rng: np.random.Generator, count: int) -> tuple[FoundCells, list[bool]]:
    """Return cells of a slide on which the network is often wrong, in both directions."""
    infected = rng.random(count) < 0.05
    p = np.where(infected, rng.beta(1.5, 1.5, count), rng.beta(0.6, 8, count))
    return found_cells(p.tolist()), infected.tolist()


def test_every_cell_reviewed_is_an_ordinary_count() -> None:
    cells = found_cells([0.9] * 4 + [0.01] * 196)
    found = count(cells, {i: "parasitized" if i < 3 else "uninfected" for i in range(200)})
    ordinary = clopper_pearson(3, 200)
    assert found.parasitaemia.value == 3 / 200
    assert found.parasitaemia.low == pytest.approx(ordinary.low)
    assert found.parasitaemia.high == pytest.approx(ordinary.high)
    assert found.is_confirmed


def test_no_infected_cell_at_all_has_an_interval() -> None:
    found = count(found_cells([0.01] * 300), dict.fromkeys(range(300), "uninfected"))
    assert (found.parasitaemia.value, found.parasitaemia.low) == (0, 0)
    assert found.parasitaemia.high == pytest.approx(1 - 0.025 ** (1 / 300))


@pytest.mark.parametrize("number", [50, 200])
def test_unbiased_and_covered_whatever_the_network_mistakes(number: int) -> None:
    rng, errors, held = np.random.default_rng(3), [], []
    for seed in range(120):
        cells, infected = misjudged(rng, 600)
        reviewed = answered(cells, draw_worklist(cells, number, seed), infected)
        found = count_with_reviews(cells, reviewed)
        assert found and found.basis == "drawn"
        truth = np.mean(infected)
        errors.append(found.parasitaemia.value - truth)
        held.append(found.parasitaemia.low <= truth <= found.parasitaemia.high)
    standard_error = np.std(errors) / len(errors) ** 0.5
    assert abs(np.mean(errors)) < 3 * standard_error
    assert np.mean(held) >= 0.93


def with_clumps(cells: FoundCells, clumps: int, red_cells: float) -> FoundCells:
    """Return cells of which the last ones are clumps of so many red cells."""
    single = len(cells) - clumps
    return replace(
        cells,
        decisions=(*cells.decisions[:single], *[CLUMP] * clumps),
        red_cells=np.array([1.0] * single + [red_cells] * clumps),
    )


@pytest.mark.parametrize(
    ("answer", "infected", "red_cells"),
    [("parasitized", 1, 23.5), ("uninfected", 0, 23.5), ("not a red cell", 0, 20), ("", 0, 20)],
)
def test_a_clump_counts_as_its_cells_and_as_one_infected_cell(
    answer: Answer, infected: int, red_cells: float
) -> None:
    cells = with_clumps(found_cells([0.01] * 21), 1, 3.5)
    answers: dict[int, Answer] = dict.fromkeys(range(20), "uninfected")
    found = count(cells, answers | {20: answer})
    assert (found.infected, found.red_cells) == (infected, red_cells)
    assert found.parasitaemia.value == pytest.approx(infected / red_cells)


def test_a_draw_counts_the_clumps_that_nobody_looked_at_without_bias() -> None:
    rng, shares = np.random.default_rng(4), []
    for seed in range(120):
        cells, infected = misjudged(rng, 600)
        cells = with_clumps(cells, 100, 1.7)
        found = count_with_reviews(
            cells, answered(cells, draw_worklist(cells, 150, seed), infected)
        )
        assert found
        assert found.red_cells == pytest.approx(500 + 170)
        shares.append(found.infected - np.sum(infected))
    assert abs(np.mean(shares)) < 3 * np.std(shares) / len(shares) ** 0.5


def test_two_rounds_count_as_one_larger_draw() -> None:
    cells, infected = misjudged(np.random.default_rng(1), 600)
    first = answered(cells, draw_worklist(cells, 60), infected)
    second = answered(cells, draw_worklist(cells, 40, reviewed=first), infected)
    both = count_with_reviews(cells, first | second)
    once = count_with_reviews(cells, answered(cells, draw_worklist(cells, 100), infected))
    assert both and once
    assert both.parasitaemia.value == pytest.approx(once.parasitaemia.value)
    assert both.parasitaemia.high == pytest.approx(once.parasitaemia.high)


def test_a_worklist_that_is_half_done() -> None:
    rng, errors = np.random.default_rng(5), []
    for seed in range(100):
        cells, infected = misjudged(rng, 600)
        rows = draw_worklist(cells, 200, seed)
        half = [row for row in rows if rng.random() < 0.5]
        found = count_with_reviews(cells, answered(cells, half, infected))
        assert found
        errors.append(found.parasitaemia.value - np.mean(infected))
    assert abs(np.mean(errors)) < 3 * np.std(errors) / len(errors) ** 0.5


def test_only_called_cells_reviewed() -> None:
    cells = found_cells([0.9] * 10 + [0.01] * 90)
    found = count(cells, {i: "parasitized" if i < 6 else "uninfected" for i in range(10)})
    assert found.basis == "chosen"
    assert found.parasitaemia.value == pytest.approx(6 / 100)
    assert found.is_confirmed
    half = count(cells, {i: "parasitized" if i < 3 else "uninfected" for i in range(5)})
    assert half.parasitaemia.value == pytest.approx(6 / 100)
    assert not half.is_confirmed
    assert half.parasitaemia.high - half.parasitaemia.low > found.parasitaemia.high - (
        found.parasitaemia.low
    )


def test_what_is_no_red_cell_leaves_the_denominator() -> None:
    cells = found_cells([0.9] * 10 + [0.01] * 90)
    answers: dict[int, Answer] = dict.fromkeys(range(100), "uninfected")
    for index in range(7):
        answers[index] = "not a red cell" if index < 4 else "parasitized"
    found = count(cells, answers)
    assert (found.not_red_cells, found.red_cells) == (4, 96)
    assert found.parasitaemia.value == 3 / 96


def test_what_nobody_can_tell_widens_the_interval() -> None:
    cells = found_cells([0.9] * 10 + [0.01] * 90)
    answers: dict[int, Answer] = dict.fromkeys(range(100), "uninfected")
    answers |= dict.fromkeys(range(5), "parasitized")
    sure = count(cells, answers)
    unsure = count(cells, {**answers, 9: "can't tell", 8: "can't tell"})
    assert unsure.cannot_tell == 2
    assert unsure.parasitaemia.high > sure.parasitaemia.high
    assert unsure.parasitaemia.low <= sure.parasitaemia.low


def test_nothing_to_count_from() -> None:
    cells = found_cells([0.9, 0.1])
    reviews = [review_of(cells, 0, "can't tell")]
    assert count_with_reviews(cells, {}) is None
    assert count_with_reviews(cells, reviewed_cells(cells, reviews)[0]) is None


def test_a_cell_that_was_not_found_counts_as_itself() -> None:
    cells = found_cells([0.9] * 10 + [0.01] * 90)
    reviews = [review_of(cells, i, "parasitized" if i < 6 else "uninfected") for i in range(10)]
    drawn = replace(reviews[0], y=300.0)
    missed = [
        drawn,
        replace(drawn, reader="bo", x=drawn.x + 4),
        replace(drawn, x=200.0, answer="uninfected"),
        replace(drawn, x=400.0, answer="can't tell"),
        replace(drawn, field="no such field.png"),
    ]
    reviewed, elsewhere = reviewed_cells(cells, reviews + missed)
    found = count_with_reviews(cells, reviewed, elsewhere=elsewhere)
    assert found
    assert (found.missed, found.missed_parasitized, found.elsewhere) == (3, 1, 1)
    assert (found.infected, found.red_cells) == (7, 102)
    without = count_with_reviews(cells, reviewed)
    assert without
    assert found.parasitaemia.low > without.parasitaemia.low
    assert found.parasitaemia.high > without.parasitaemia.high
