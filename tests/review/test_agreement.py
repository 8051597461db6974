"""Which cell a review is about, what readers say together, and how far they agree."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hemozoin.review.agreement import agreements, reviewed_cells
from tests.support.reviews import found_cells, review_of

CELLS = found_cells([0.9] * 20)


def test_a_review_holds_by_place() -> None:
    review = review_of(CELLS, 12, "parasitized")
    moved = replace(review, x=review.x + 6, width=review.width - 3)
    beside = replace(review, y=review.y + 30, note="a missed cell")
    other = replace(review, field="other.png")
    reviewed, elsewhere = reviewed_cells(CELLS, [moved, beside, other])
    assert [*reviewed] == [12]
    assert elsewhere == [beside, other]


def test_the_last_answer_of_a_reader_counts() -> None:
    first, second = review_of(CELLS, 3, "parasitized"), review_of(CELLS, 3, "uninfected")
    assert reviewed_cells(CELLS, [first, second])[0][3].answer == "uninfected"
    assert reviewed_cells(CELLS, [first, replace(first, answer="")])[0] == {}


def test_the_answer_of_most_readers_counts() -> None:
    answers = [
        review_of(CELLS, 0, "parasitized", "ann"),
        review_of(CELLS, 0, "uninfected", "bo"),
        review_of(CELLS, 1, "parasitized", "ann"),
    ]
    reviewed, _ = reviewed_cells(CELLS, answers)
    assert (reviewed[0].answer, reviewed[0].is_disputed) == ("can't tell", True)
    assert (reviewed[1].answer, reviewed[1].is_disputed) == ("parasitized", False)
    reviewed, _ = reviewed_cells(CELLS, [*answers, review_of(CELLS, 0, "uninfected", "cy")])
    assert reviewed[0].answer == "uninfected"


def test_agreement_of_each_two_readers() -> None:
    told = {"ann": "ppppuuuuuu", "bo": "pppuuuuuup", "cy": "p"}
    answers = {"p": "parasitized", "u": "uninfected"}
    reviews = [
        review_of(CELLS, index, answers[letter], name)  # type: ignore[arg-type]
        for name, letters in told.items()
        for index, letter in enumerate(letters)
    ]
    found = agreements(reviewed_cells(CELLS, reviews)[0])
    assert [one.readers for one in found] == [("ann", "bo"), ("ann", "cy"), ("bo", "cy")]
    assert (found[0].cells, found[0].same) == (10, 8)
    assert found[0].kappa == pytest.approx((0.8 - 0.52) / (1 - 0.52))
    assert found[1].kappa is None
