"""The count of a slide, compared with worked examples, other formulas and simulated slides."""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from hemozoin.decision.counting_point import CountingPoint
from hemozoin.decision.patient_rate import Moments, PatientRate, beta_moments
from hemozoin.errors import DataError
from hemozoin.metrics.bootstrap import Estimate
from hemozoin.smear.counting.blood import Blood
from hemozoin.smear.counting.parasitaemia import (
    Parasitaemia,
    clopper_pearson,
    estimate_parasitaemia,
)
from hemozoin.smear.counting.slide import Slide
from hemozoin.smear.counting.tally import Tally
from hemozoin.smear.field import Cell, Field, Flaw, ObjectKind, SmearObject
from hemozoin.smear.output.numbers import percent, two_digits
from hemozoin.smear.output.wording import chance_of_infected_cell, summarize

KNOWN = Moments(rate=0.02, sd=0.01, patients=40, cells=8000)
USUAL = Blood()
SQUARE = ((0, 0), (9, 0), (9, 9), (0, 9))
BLURRED = Flaw("out of focus", "sharpness", 0.1, 0.3)


def some_field(
    infected: int = 0,
    healthy: int = 0,
    review: int = 0,
    flaws: tuple[Flaw, ...] = (),
    others: tuple[ObjectKind, ...] = (),
) -> Field:
    decisions = ["parasitized"] * infected + ["review"] * review + ["uninfected"] * healthy
    cells = (
        Cell("red cell", 0, 0, 9, 9, SQUARE, k, 0.5, decision, None)
        for k, decision in enumerate(decisions, 1)
    )
    objects = (SmearObject(kind, 0, 0, 9, 9, SQUARE) for kind in others)
    return Field("a.png", 640, 480, 9, tuple(cells), tuple(objects), flaws)


def point_of(rate: Moments) -> CountingPoint:
    """Return how a model folder without a counting point counts: all cells called infected."""
    return CountingPoint(None, rate.of_unseen_patient())


def counted(*fields: Field, rate: Moments | None = KNOWN, blood: Blood = USUAL) -> Slide:
    tally = Tally("slide 1", point_of(rate) if rate else None)
    for field in fields:
        tally.add(field)
    return tally.slide(blood)


def compensated(infected: int, red_cells: int, rate: Moments = KNOWN) -> Parasitaemia:
    return estimate_parasitaemia(infected, red_cells, point_of(rate))


# --- the share, in worked examples --------------------------------------------------------------


def test_false_positives_are_subtracted_in_a_worked_example() -> None:
    """10 of 200 at a rate of .02: (.05 - .02) / .98 = .030612.

    That is 6.1224 cells; of the other 193.8776 a share of .02 is 3.8776; 10 - 3.8776 = 6.1224.
    """
    slide = counted(some_field(infected=10, healthy=190))
    assert slide.parasitaemia is not None
    assert slide.called is not None
    assert slide.called.value == 0.05
    assert slide.parasitaemia.estimate.value == pytest.approx(0.03 / 0.98)
    assert slide.expected_false_positives == pytest.approx(3.877551)
    assert 200 * slide.parasitaemia.estimate.value == pytest.approx(10 - 3.877551)


def test_fewer_than_expected_give_0() -> None:
    slide = counted(some_field(infected=3, healthy=197))
    assert slide.parasitaemia is not None
    assert slide.parasitaemia.estimate.value == 0
    assert slide.expected_false_positives == pytest.approx(0.02 * 200)


@pytest.mark.parametrize(("share", "rate", "left"), [(1, 0.5, 1), (0.5, 1, 0), (0.3, 0, 0.3)])
def test_compensation_at_its_ends(share: float, rate: float, left: float) -> None:
    point = CountingPoint(None, PatientRate(rate, 0.1, 10, 1000))
    assert point.infected_share(share) == pytest.approx(left)


@given(st.integers(1, 60), st.integers(0, 60), st.integers(1, 9))
def test_the_share_is_of_the_cells_really_counted(healthy: int, infected: int, times: int) -> None:
    """The share is the same for 30 and for 30,000 cells; none is extrapolated to 1,000."""
    slide = counted(*[some_field(infected=infected, healthy=healthy)] * times, rate=None)
    assert slide.called is not None
    assert slide.red_cells == times * (healthy + infected)
    assert slide.called.value == pytest.approx(infected / (infected + healthy))
    data = slide.to_dict()
    assert data["raw"] == data["infected"] / data["red_cells"]


def test_per_ul_in_a_worked_example() -> None:
    """.030612 of 5 million is 153,061; of 45 % at 90 fL the same, of 36 % four fifths."""
    field = some_field(infected=10, healthy=190)
    usual = counted(field).to_dict()["parasites_per_ul"]
    assert usual == pytest.approx(153_061, abs=1)
    same = counted(field, blood=Blood(hematocrit=45)).to_dict()["parasites_per_ul"]
    less = counted(field, blood=Blood(hematocrit=36)).to_dict()["parasites_per_ul"]
    assert (same, less) == pytest.approx((usual, 0.8 * usual))
    given_count = counted(field, blood=Blood(rbc_per_ul=4e6)).to_dict()["parasites_per_ul"]
    assert given_count == pytest.approx(less)


# --- the interval -------------------------------------------------------------------------------


@pytest.mark.parametrize(("k", "n"), [(0, 50), (1, 50), (7, 93), (50, 50), (12, 40_000)])
def test_the_raw_interval_is_that_of_clopper_and_pearson(k: int, n: int) -> None:
    raw = clopper_pearson(k, n)
    exact = stats.binomtest(k, n).proportion_ci(method="exact")
    assert (raw.low, raw.high) == pytest.approx((exact.low, exact.high), abs=1e-9)


def test_no_infected_cell_in_a_worked_example() -> None:
    """For 0 of n cells, the upper end π has (1 - π)^n = .025."""
    raw = clopper_pearson(0, 100)
    assert (raw.value, raw.low) == (0, 0)
    assert raw.high == pytest.approx(1 - 0.025**0.01)


def beta_of(rate: Moments) -> tuple[float, float]:
    """Return a and b of the beta that the docstring of patient_rate.py states."""
    mean = (rate.rate * rate.cells + 0.5) / (rate.cells + 1)
    noise, between = mean * (1 - mean), rate.sd**2
    error = math.sqrt(2 / (rate.patients - 1)) * (between + noise * rate.patients / rate.cells)
    variance = (between + error) * (1 + 1 / rate.patients) + noise / rate.cells
    size = noise / variance - 1
    return mean * size, (1 - mean) * size


def tail_by_quadrature(tail: Callable[[float], float], share: float, rate: Moments) -> float:
    """Return a binomial's tail, averaged over the beta of the patients' rates."""
    spread = stats.beta(*beta_of(rate))
    found, _ = integrate.quad(
        lambda f: spread.pdf(f) * tail(share + (1 - share) * f), 0, 0.25, limit=200
    )
    return float(found)


def test_each_tail_is_a_fortieth_by_another_integral() -> None:
    found = compensated(150, 2000).estimate
    more = tail_by_quadrature(lambda p: stats.binom.sf(149, 2000, p), found.low, KNOWN)
    fewer = tail_by_quadrature(lambda p: stats.binom.cdf(150, 2000, p), found.high, KNOWN)
    assert more == pytest.approx(0.025, abs=0.001)
    assert fewer == pytest.approx(0.025, abs=0.001)


def test_the_reportable_limit_is_a_quantile_of_the_beta_binomial() -> None:
    limit = compensated(0, 2000).reportable_count
    assert limit is not None
    uninfected = stats.betabinom(2000, *beta_of(KNOWN))
    assert uninfected.sf(limit + 1) < 0.025 < uninfected.sf(limit - 3)


def test_a_slide_is_reported_from_the_limit_on() -> None:
    limit = compensated(0, 2000).reportable_count
    assert limit is not None
    below, at = (compensated(k, 2000).estimate for k in (limit - 1, limit))
    assert below.low == 0 < at.low
    slide = counted(some_field(infected=limit, healthy=2000 - limit))
    assert slide.verdict == "reportable"
    assert slide.reportable_parasitaemia == pytest.approx(at.value)
    assert counted(some_field(infected=limit - 1, healthy=2001 - limit)).verdict == (
        "below the reportable limit"
    )


@pytest.mark.slow
def test_the_limit_decreases_with_more_cells_down_to_the_spread_of_patients() -> None:
    """With many cells the limit approaches the 97.5 % quantile of the beta distribution."""
    worst = float(stats.beta(*beta_of(KNOWN)).ppf(0.975))
    limits = [counted(some_field(healthy=n)).reportable_parasitaemia for n in (300, 3000, 30_000)]
    assert all(limit is not None for limit in limits)
    assert limits == sorted(limits, key=lambda limit: -(limit or 0))
    assert limits[-1] == pytest.approx((worst - 0.02) / 0.98, rel=0.05)


def test_too_few_cells_can_never_be_reported() -> None:
    uncertain = Moments(0.4, 0.3, 8, 100)
    slide = counted(some_field(infected=2), rate=uncertain)
    assert slide.parasitaemia is not None
    assert slide.parasitaemia.reportable_count is None
    assert slide.reportable_parasitaemia is None
    assert slide.verdict == "below the reportable limit"
    assert "With so few red cells, no number of infected cells would be reported" in summarize(
        slide
    )


def test_no_false_positive_among_few_cells_does_not_mean_a_rate_of_0() -> None:
    few_cells = Moments(0.0, 0.0, 6, 60)
    assert compensated(10, 2000, few_cells).estimate.low == 0
    assert compensated(10, 2000, Moments(0.0, 0.0, 600, 600_000)).estimate.low > 0


def test_so_few_that_the_rate_is_not_used() -> None:
    """Of 5,000 cells 150 ± 50 are expected; for 0 the upper end is the one for a rate of 0."""
    rate = Moments(0.03, 0.01, 100, 20_000)
    none = compensated(0, 5000, rate)
    assert none.fewer_than_expected
    assert none.estimate.high == pytest.approx(1 - 0.025 ** (1 / 5000))
    assert not compensated(120, 5000, rate).fewer_than_expected
    assert "Fewer cells are counted than this false-positive rate predicts" in summarize(
        counted(some_field(healthy=5000), rate=rate)
    )


rates = st.builds(
    Moments,
    st.floats(0, 0.3),
    st.floats(0, 0.2),
    st.integers(5, 200),
    st.integers(200, 50_000),
)


@settings(max_examples=15)
@given(rates, st.integers(1, 20_000), st.data())
def test_it_is_ordered_and_grows_with_the_infected_cells(
    rate: Moments, cells: int, data: st.DataObject
) -> None:
    more = data.draw(st.integers(0, cells))
    fewer = data.draw(st.integers(0, more))
    above, below = (compensated(k, cells, rate) for k in (more, fewer))
    for found in (above, below):
        assert 0 <= found.estimate.low <= found.estimate.value <= found.estimate.high <= 1
        assert found.estimate.high > 0
        enough = found.reportable_count is not None and found.counted >= found.reportable_count
        assert (found.estimate.low > 0) == enough
    slack = 1e-9
    assert below.estimate.low <= above.estimate.low + slack
    assert below.estimate.value <= above.estimate.value
    assert below.estimate.high <= above.estimate.high + slack


@settings(max_examples=30)
@given(rates)
def test_quantiles_have_the_stated_mean(rate: Moments) -> None:
    drawn = rate.of_unseen_patient().quantiles
    assert np.all((drawn >= 0) & (drawn <= 1))
    assert np.all(np.diff(drawn) >= 0)
    assert drawn.mean() == pytest.approx(
        (rate.rate * rate.cells + 0.5) / (rate.cells + 1), abs=5e-3
    )


def coverage(rate: Moments, share: float, cells: int) -> float:
    """Return the share of 20,000 slides, each of another patient, whose interval holds the truth.

    Both ends increase with the infected cells, so the interval holds the truth between two counts.
    """
    counts = range(cells + 1)
    first = bisect_left(counts, share, key=lambda k: compensated(k, cells, rate).estimate.high)
    past = bisect_left(counts, True, key=lambda k: compensated(k, cells, rate).estimate.low > share)
    rng = np.random.default_rng(0)
    size = rate.rate * (1 - rate.rate) / rate.sd**2 - 1
    own = rng.beta(rate.rate * size, (1 - rate.rate) * size, 20_000)
    seen = rng.binomial(cells, share + (1 - share) * own)
    return float(np.mean((seen >= first) & (seen < past)))


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.0, 0.002, 0.02, 0.3])
@pytest.mark.parametrize(
    ("mean", "sd", "cells"), [(0.03, 0.02, 2000), (0.01, 0.012, 5000), (0.005, 0.001, 300)]
)
def test_intervals_hold_the_truth(mean: float, sd: float, cells: int, share: float) -> None:
    assert coverage(Moments(mean, sd, 160, 11_000), share, cells) >= 0.94


@pytest.mark.slow
def test_intervals_hold_the_truth_where_the_rate_was_fitted_on_16_patients() -> None:
    """Each slide has its own validation, so the error of the rate matters."""
    rng = np.random.default_rng(0)
    held = [share_is_held(rng, 0.02) for _ in range(200)]
    assert np.mean(held) >= 0.93


def share_is_held(rng: np.random.Generator, share: float) -> bool:
    size = 0.03 * 0.97 / 0.02**2 - 1
    own = rng.beta(0.03 * size, 0.97 * size, 17)
    cells = rng.integers(20, 200, 16)
    called = rng.binomial(cells, own[:16]).astype(np.float64)
    rate = Moments(*beta_moments(called, cells.astype(np.float64)), 16, int(cells.sum()))
    seen = int(rng.binomial(3000, share + (1 - share) * own[16]))
    found = compensated(seen, 3000, rate).estimate
    return found.low <= share <= found.high


# --- with a counting point ----------------------------------------------------------------------

FALSE_POSITIVES = PatientRate(rate=0.0005, sd=0.0004, patients=160, cells=10_000)
SENSITIVITY = PatientRate(rate=0.82, sd=0.14, patients=120, cells=10_000)
STRICT = CountingPoint(0.95, FALSE_POSITIVES, SENSITIVITY)


def test_infected_cells_that_are_not_counted_are_corrected_for() -> None:
    """Of 5,000 cells 84.5 are counted on average if 2 % are infected: 82 of 100, and 2.45."""
    found = estimate_parasitaemia(84, 5000, STRICT)
    assert found.estimate.value == pytest.approx((84 / 5000 - 0.0005) / (0.82 - 0.0005))
    assert found.estimate.low < 0.02 < found.estimate.high


def test_called_and_counted_cells_are_told_apart() -> None:
    called = [Cell("red cell", 0, 0, 9, 9, SQUARE, k, p, "parasitized", None) for k, p in CALLED]
    healthy = some_field(healthy=4980)
    tally = Tally("slide 1", STRICT)
    tally.add(replace(healthy, cells=(*healthy.cells, *called)))
    slide = tally.slide(USUAL)
    assert (slide.infected, slide.counted) == (20, 12)
    text = summarize(slide)
    assert "20 of 5,000 = 0.4 %" in text
    assert "12 of these, with p of at least 0.950" in text
    assert "(12 - 2.5) / 82 %, the share of infected cells counted = " in text
    data = slide.to_dict()
    assert (data["infected"], data["counted"]) == (20, 12)
    assert data["raw"] == 20 / 5000
    assert data["counting"] == STRICT.to_dict()


CALLED = [(k, 0.97 if k < 12 else 0.7) for k in range(20)]


@settings(max_examples=5)
@given(st.integers(1, 6000), st.data())
def test_no_interval_has_a_width_of_0(cells: int, data: st.DataObject) -> None:
    more = data.draw(st.integers(0, cells))
    fewer = data.draw(st.integers(0, more))
    above, below = (estimate_parasitaemia(k, cells, STRICT).estimate for k in (more, fewer))
    for found in (above, below):
        assert 0 <= found.low <= found.value <= found.high <= 1
        assert found.low < found.high
    slack = 1e-9
    assert below.low <= above.low + slack
    assert below.high <= above.high + slack


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.0, 0.002, 0.05])
def test_intervals_hold_the_truth_with_both_rates_unknown(share: float) -> None:
    counts = range(5001)

    def estimated(count: int) -> Estimate:
        return estimate_parasitaemia(count, 5000, STRICT).estimate

    first = bisect_left(counts, share, key=lambda k: estimated(k).high)
    past = bisect_left(counts, True, key=lambda k: estimated(k).low > share)
    rng = np.random.default_rng(0)
    f, s = (rng.choice(rate.quantiles, 20_000) for rate in (FALSE_POSITIVES, SENSITIVITY))
    seen = rng.binomial(5000, share * s + (1 - share) * f)
    assert np.mean((seen >= first) & (seen < past)) >= 0.945


# --- what is counted ----------------------------------------------------------------------------


def test_only_usable_fields_and_whole_red_cells_count() -> None:
    others: tuple[ObjectKind, ...] = (
        "white cell",
        "platelet",
        "platelet",
        "clump",
        "cut by the edge",
    )
    slide = counted(
        some_field(infected=2, healthy=50, review=3, others=others),
        some_field(infected=1, healthy=40),
        some_field(infected=90, healthy=10, flaws=(BLURRED,), others=("white cell",)),
        rate=None,
    )
    assert (slide.red_cells, slide.infected, slide.review) == (96, 3, 3)
    assert (slide.fields, slide.fields_flawed, slide.fields_unreadable) == (2, 1, 0)
    assert slide.flaws == {"out of focus": 1}
    assert slide.others == {
        **{"white cell": 1, "platelet": 2, "clump": 1},
        **{"cut by the edge": 1, "debris": 0},
    }
    assert slide.called is not None
    assert slide.called.value == 3 / 96


def test_cells_for_review_are_reported_separately() -> None:
    """1 of 100 infected and 4 for review: 1 %, or 5 % if all of the 4 were infected."""
    slide = counted(some_field(infected=1, healthy=95, review=4), rate=None)
    assert slide.called is not None
    assert slide.called.value == 0.01
    assert slide.if_review_infected == pytest.approx(0.05)
    assert "If all 4 were infected, the parasitaemia would be 5 %." in summarize(slide)


def test_without_a_rate_there_is_no_verdict() -> None:
    slide = counted(some_field(infected=40, healthy=60), rate=None)
    assert slide.verdict == "not compensated"
    assert "eportable" not in summarize(slide)
    data = slide.to_dict()
    assert data["raw"] == 0.4
    absent = ("parasitaemia", "parasites_per_ul", "expected_false_positives", "counting")
    assert [data[name] for name in absent] == [None] * 4


def fails() -> Iterator[tuple[list[Field], str]]:
    good, bad = some_field(healthy=500), some_field(healthy=500, flaws=(BLURRED,))
    broken = Field("b.png", error="b.png: not a picture")
    yield [good, bad], "1 of 2 fields can't be relied on"
    yield [good, broken], "1 of 2 fields"
    yield [good, bad, broken], "2 of 3 fields"
    yield [], "no field"
    yield [some_field()], "no red cell"
    yield [some_field(healthy=50, review=50)], "50 of 100 red cells are for review"


@pytest.mark.parametrize(("fields", "reason"), list(fails()))
def test_a_slide_that_fails_is_not_reported_and_not_negative(
    fields: list[Field], reason: str
) -> None:
    slide = counted(*fields)
    assert slide.verdict == "not reported"
    assert slide.parasitaemia is None
    assert reason in summarize(slide)
    assert "parasites/µL (" not in summarize(slide)
    data = slide.to_dict()
    assert data["why"] == slide.reason
    assert {data[name] for name in ("raw", "parasitaemia", "parasites_per_ul")} == {None}


def test_less_than_half_may_fail() -> None:
    good, bad = some_field(healthy=500), some_field(healthy=500, flaws=(BLURRED,))
    assert counted(good, good, bad).verdict == "below the reportable limit"


def test_a_field_with_two_flaws_fails_once() -> None:
    dark = Flaw("too dark", "median brightness", 20, 60)
    good = some_field(healthy=500)
    slide = counted(good, good, some_field(flaws=(BLURRED, dark)))
    assert slide.fields_flawed == 1
    assert slide.flaws == {"out of focus": 1, "too dark": 1}
    assert "1 field not counted: out of focus 1, too dark 1" in summarize(slide)


def test_slide_json_is_plain_and_its_names_stay() -> None:
    """slides.csv has a row for each slide, so no name may depend on the verdict."""
    slides = [
        counted(some_field(infected=500, healthy=500)),
        counted(some_field(healthy=5), rate=None),
        counted(),
    ]
    names = [list(slide.to_dict()) for slide in slides]
    assert names[0] == names[1] == names[2]
    for slide in slides:
        data = slide.to_dict()
        assert json.loads(json.dumps(data, allow_nan=False)) == data


def test_text_in_a_worked_example() -> None:
    slide = counted(some_field(infected=300, healthy=1700), blood=Blood(rbc_per_ul=4.5e6))
    text = summarize(slide)
    assert text.startswith("slide 1: Reportable: 13.3 % (")
    assert "300 of 2,000 = 15 %" in text
    assert "2 % of the 1,734.7 uninfected cells = 34.7" in text
    assert "300 - 34.7 = 265.3" in text
    assert "265.3 / 2,000 = 13.3 %" in text
    assert "× 4,500,000 red cells/µL (as given) = 600,000 parasites/µL" in text
    assert "Research use only. Not a medical device." in text


def test_how_likely_an_infected_cell_is() -> None:
    """At 200 parasites/µL of 5 million cells/µL: 1 - (1 - .00004)^5000 = .1813."""
    slide = counted(some_field(healthy=5000))
    assert chance_of_infected_cell(slide) == pytest.approx(0.1813, abs=5e-5)
    assert "5,000 red cells counted" in summarize(slide)
    assert "contains an infected one in 18.1 % of slides" in summarize(slide)


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0, "0"),
        (1, "100"),
        (0.01234, "1.2"),
        (0.1234, "12.3"),
        (0.00004, "0.004"),
        (1e-7, "0.00001"),
    ],
)
def test_percent(share: float, expected: str) -> None:
    assert percent(share) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, "0"), (61_728, "62,000"), (99.4, "99"), (149_500, "150,000"), (7.26, "7.3")],
)
def test_number(value: float, expected: str) -> None:
    assert two_digits(value) == expected


# --- blood --------------------------------------------------------------------------------------


def test_blood_in_a_worked_example() -> None:
    """45 % of a µL at 90 fL = 9·10⁻⁸ µL: .45 / 9·10⁻⁸ = 5 million."""
    assert Blood().red_cells_per_ul == 5e6
    assert Blood(rbc_per_ul=3.2e6).red_cells_per_ul == 3.2e6
    assert Blood(hematocrit=45).red_cells_per_ul == pytest.approx(5e6)
    assert Blood(hematocrit=27).red_cells_per_ul == pytest.approx(3e6)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"rbc_per_ul": 5e6, "hematocrit": 45.0}, "give one of them"),
        ({"rbc_per_ul": 5.0}, "give 500,000 to 10,000,000"),
        ({"rbc_per_ul": math.nan}, "give 500,000"),
        ({"rbc_per_ul": -1.0}, "give 500,000"),
        ({"hematocrit": 0.45}, "hematocrit in %: 0.45 is out of range; give 5 to 75"),
        ({"hematocrit": 101.0}, "give 5 to 75"),
        ({"hematocrit": math.inf}, "give 5 to 75"),
    ],
)
def test_numbers_that_are_impossible_in_blood(values: dict[str, float], expected: str) -> None:
    with pytest.raises(DataError, match=expected):
        Blood(**values)
