"""The healthy bulk of a slide, added up field by field."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from hemozoin.decision.counting_point import CountingPoint
from hemozoin.decision.patient_rate import PatientRate
from hemozoin.decision.reference_patients import LOG_ODDS_QUANTILES, Appearance, ReferencePatients
from hemozoin.decision.temperature import log_odds
from hemozoin.smear.counting.blood import Blood
from hemozoin.smear.counting.bulk import Bulk
from hemozoin.smear.counting.slide import Slide
from hemozoin.smear.counting.tally import Tally
from hemozoin.smear.counting.totals import with_current_reviews
from hemozoin.smear.field import Cell, Field
from hemozoin.smear.output.wording import note, summarize
from tests.smear.counting.test_counting import STRICT

SQUARE = ((0, 0), (9, 0), (9, 9), (0, 9))
USUAL = (-3.0,) * 8
UNLIKE = (-3.0, -1.0, *[-3.0] * 6)


def some_field(p: list[float], strange: int = 0, measures: tuple[float, ...] = USUAL) -> Field:
    """Return a field whose first `strange` cells are not like the training cells."""
    cells = []
    for number, one in enumerate(p, 1):
        decision = "parasitized" if one > 0.6 else "review" if one > 0.2 else "uninfected"
        reason = "not like the training cells" if number <= strange else None
        decision = "review" if reason else decision
        cells.append(Cell("red cell", 0, 0, 9, 9, SQUARE, number, one, decision, reason))
    return Field("a.png", 640, 480, 9, tuple(cells), measures=measures)


def appearance(*fields: Field) -> Appearance:
    bulk = Bulk()
    for field in fields:
        bulk.add(field)
    return bulk.appearance()


def test_called_cells_are_left_out() -> None:
    found = appearance(some_field([0.01, 0.02, 0.3, 0.99, 0.97]), some_field([0.99]))
    assert (found.cells, found.review, found.strange) == (3, 1, 0)
    assert found.log_odds[-1] == pytest.approx(np.log(0.3 / 0.7), abs=0.01)


def test_strange_cells_are_for_review_too() -> None:
    found = appearance(some_field([0.01] * 8, strange=3))
    assert (found.review, found.strange) == (3, 3)


def test_quantiles_are_those_of_all_cells() -> None:
    p = np.random.default_rng(0).uniform(0.001, 0.5, 300)
    found = appearance(*(some_field(part.tolist()) for part in np.split(p, [50, 70, 200])))
    assert found.log_odds == pytest.approx(
        np.quantile(log_odds(p), LOG_ODDS_QUANTILES, method="inverted_cdf"), abs=0.006
    )


def test_measures_are_weighted_by_cells() -> None:
    sharp, dull = tuple([-2.0] * 8), tuple([-4.0] * 8)
    found = appearance(some_field([0.1] * 30, 0, sharp), some_field([0.1] * 10, 0, dull))
    assert found.measures == pytest.approx((-2.5,) * 8)
    assert appearance(some_field([0.1] * 30, 0, sharp), some_field([0.1], 0, ())).measures == ()


def test_a_slide_without_a_cell_has_no_quantiles() -> None:
    assert appearance() == Appearance(0, (), (), 0, 0)


def screened(fields: list[Field], point: CountingPoint = STRICT) -> Slide:
    rate = PatientRate(0.02, 0.01, 100, 9000)
    mean = np.array([-4.6, -4.6, -4.6, -4.6, *USUAL])
    reference = ReferencePatients(mean, np.eye(12) * 0.1, 4.0, rate, rate)
    tally = Tally("slide 1", point, reference)
    for field in fields:
        tally.add(field)
    return tally.slide(Blood())


@pytest.mark.parametrize("p", [0.01, 0.99])
def test_the_unconfirmed_estimate_stays_in_range(p: float) -> None:
    slide = screened([some_field([p] * 100 + [0.01] * 5, measures=UNLIKE)])
    assert slide.unconfirmed == (0 if p < 0.5 else 1)


def test_a_count_of_all_decisions_gives_no_unconfirmed_estimate() -> None:
    decisions = replace(STRICT, threshold=None)
    slide = screened([some_field([0.99] * 5 + [0.01] * 95, measures=UNLIKE)], decisions)
    assert (slide.verdict, slide.unconfirmed) == ("needs confirmation", None)


@pytest.mark.parametrize(("called", "is_estimated"), [(3, True), (6, True), (12, False)])
def test_no_estimate_where_far_more_cells_are_called_than_counted(
    called: int, is_estimated: bool
) -> None:
    called_only = 0.61  # above 0.6, and below the threshold for counting
    p = [0.99] * 2 + [called_only] * (called - 2) + [0.01] * (100 - called)
    slide = screened([some_field(p, measures=UNLIKE)])
    assert (slide.infected, slide.counted) == (called, 2)
    assert (slide.unconfirmed is not None) == is_estimated
    assert slide.verdict == "needs confirmation"


def test_a_slide_unlike_the_known_ones_needs_confirmation() -> None:
    infected = [0.99] * 50 + [0.01] * 950
    known = screened([some_field(infected)])
    assert known.verdict == "reportable"
    unlike = screened([some_field(infected, measures=UNLIKE)])
    assert unlike.verdict == "needs confirmation"
    assert unlike.parasitaemia is None
    text = summarize(unlike)
    assert text.startswith(
        "slide 1: Needs confirmation: about 6 % infected, unconfirmed; 5 % of red cells called"
        " infected; its cells"
    )
    assert "distance 6.3, limit 4.0" in text
    assert "parasites/µL (" not in text
    assert "a person has to look at these cells" in str(note(unlike))
    assert "may be wrong by a factor of two" in str(note(unlike))
    data = unlike.to_dict()
    assert (data["infected"], data["counted"], data["raw"]) == (50, 50, 0.05)
    assert data["unconfirmed_parasitaemia"] == pytest.approx(STRICT.infected_share(0.05))
    assert known.to_dict()["unconfirmed_parasitaemia"] is None
    assert {data[name] for name in ("parasitaemia", "parasites_per_ul", "reportable_count")} == {
        None
    }
    assert data["why"] == unlike.reason


def test_the_unconfirmed_estimate_is_read_back_from_slide_json() -> None:
    unlike = screened([some_field([0.99] * 50 + [0.01] * 950, 0, (-3.0, -1.0, *[-3.0] * 6))])
    again = {"reference": {}, "given_blood": asdict(Blood()), "about": {}}
    saved = json.loads(json.dumps({**unlike.to_dict(), **again}))
    assert json.loads(json.dumps(with_current_reviews(saved, None))) == saved


def test_a_slide_with_many_cells_for_review_needs_confirmation() -> None:
    slide = screened([some_field([0.01] * 800 + [0.3] * 200)])
    assert slide.verdict == "needs confirmation"
    assert "200 of 1,000 red cells not called infected are for review" in str(slide.reason)


def test_a_healthy_slide_unlike_the_known_ones_is_not_called_negative() -> None:
    assert screened([some_field([0.3] * 1000)]).verdict == "needs confirmation"
