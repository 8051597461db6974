"""The content of slide.json with other reviews: the same as that of a new count."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hemozoin.decision.counting_point import CountingPoint
from hemozoin.decision.patient_rate import Moments
from hemozoin.metrics.bootstrap import Estimate
from hemozoin.smear.counting.blood import Blood
from hemozoin.smear.counting.reviewed_count import ReviewedCount
from hemozoin.smear.counting.tally import Tally
from hemozoin.smear.counting.totals import with_current_reviews
from tests.smear.counting.test_counting import BLURRED, some_field

POINT = CountingPoint(None, Moments(0.02, 0.01, 40, 8000).of_unseen_patient())

#: Slides by what a model without known slides says of them.
SLIDES = {
    "reportable": [some_field(infected=30, healthy=300, others=("clump", "platelet"))],
    "below the reportable limit": [some_field(infected=3, healthy=300)],
    "not reported": [some_field(infected=3, healthy=300), some_field(flaws=(BLURRED,))],
    "not compensated": [some_field(infected=30, healthy=300)],
    "one or two false alarms decide": [some_field(infected=14, healthy=300)],
    "too many for review": [some_field(infected=3, healthy=300, review=100)],
}


def reviewed(answered: int) -> ReviewedCount:
    """Return a count with `answered` of three called cells."""
    return ReviewedCount(
        parasitaemia=Estimate(0.009, 0.002, 0.026),
        infected=3.0,
        red_cells=330.0,
        basis="chosen",
        answered=answered,
        parasitized=answered,
        uninfected=0,
        not_red_cells=0,
        cannot_tell=0,
        disputed=0,
        undecided=(),
        missed=0,
        missed_parasitized=0,
        elsewhere=0,
        called=3,
        called_answered=answered,
        close=0,
        close_answered=0,
        readers=("Ada",),
        agreements=(),
        limit_of_detection=0.01 if answered == 3 else None,
    )


def slide_json(kind: str, count: ReviewedCount | None) -> dict[str, Any]:
    tally = Tally("slide 1", None if kind == "not compensated" else POINT)
    for field in SLIDES[kind]:
        tally.add(field)
    again = {"reference": None, "given_blood": {"rbc_per_ul": 4e6, "hematocrit": None}, "about": {}}
    written = {**tally.slide(Blood(4e6), count).to_dict(), **again}
    found: dict[str, Any] = json.loads(json.dumps(written))
    return found


@pytest.mark.parametrize("kind", SLIDES)
def test_it_is_as_a_new_count_would_write_it(kind: str) -> None:
    counts = (None, reviewed(1), reviewed(3))
    for before in counts:
        for now in counts:
            found = with_current_reviews(slide_json(kind, before), now)
            assert json.loads(json.dumps(found)) == slide_json(kind, now)
    confirmed = slide_json(kind, reviewed(3))["verdict"]
    assert confirmed == ("not reported" if kind == "not reported" else "confirmed by a person")


def test_few_cells_are_not_reported_for_one_or_two_false_alarms() -> None:
    verdicts = {}
    for healthy in (300, 600):
        for infected in range(healthy // 20 * 2):
            tally = Tally("slide", POINT)
            tally.add(some_field(infected=infected, healthy=healthy - infected))
            verdicts[healthy, infected] = tally.slide(Blood())
    few = [verdicts[300, k].verdict for k in range(30)]
    first = few.index("needs confirmation")
    assert few[first : first + 3] == ["needs confirmation", "needs confirmation", "reportable"]
    assert {*few[:first]} == {"below the reportable limit"}
    assert {*few[first + 2 :]} == {"reportable"}
    slide = verdicts[300, first]
    assert slide.reason == "with fewer than 500 red cells, one or two false alarms decide"
    assert slide.unconfirmed is None  # a count of all decisions has no threshold
    assert "needs confirmation" not in [verdicts[600, k].verdict for k in range(60)]


def test_what_hemozoin_has_not_written_is_refused() -> None:
    with pytest.raises(KeyError):
        with_current_reviews({"slide": "a"}, None)
