"""The chance that a count is within 25 % of the truth, compared with simulated slides."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from hemozoin.decision.counting_point import CountingPoint
from hemozoin.decision.patient_rate import PatientRate
from hemozoin.smear.counting.precision import chance_within_tolerance

RARELY_WRONG = CountingPoint(0.9, PatientRate(0.0005, 0.0005, 160, 10_000))
USUAL = CountingPoint(
    0.9, PatientRate(0.001, 0.001, 160, 10_000), PatientRate(0.9, 0.05, 140, 10_000)
)


@pytest.mark.parametrize(("share", "cells"), [(0.003, 5000), (0.01, 5000), (0.05, 1000)])
def test_the_chance_is_that_of_simulated_slides(share: float, cells: int) -> None:
    rng = np.random.default_rng(0)
    counted = rng.binomial(cells, rng.choice(USUAL.counting_probability(share), 40_000))
    estimates = np.array([USUAL.infected_share(k / cells) for k in counted])
    right = np.abs(estimates / share - 1) <= 0.25 + 1e-9
    assert chance_within_tolerance(share, cells, USUAL) == pytest.approx(right.mean(), abs=0.01)


def test_without_mistakes_it_is_binomial() -> None:
    """2 % of 1,000: 15 to 25 cells."""
    point = CountingPoint(None, PatientRate(0.0, 1e-9, 10**6, 10**9))
    expected = stats.binom(1000, 0.02).cdf(25) - stats.binom(1000, 0.02).cdf(14)
    assert chance_within_tolerance(0.02, 1000, point) == pytest.approx(expected, abs=1e-5)


def test_more_cells_and_more_infected_cells_make_it_likelier() -> None:
    chances = [chance_within_tolerance(0.01, n, RARELY_WRONG) for n in (500, 2000, 8000)]
    assert chances == sorted(chances)
    assert chances[-1] > 0.9
    assert chance_within_tolerance(0.05, 2000, RARELY_WRONG) > chances[1]


def test_differences_between_patients_limit_it() -> None:
    """However many cells are counted, a patient's own false-positive rate is unknown."""
    unlike = CountingPoint(0.9, PatientRate(0.005, 0.005, 160, 10_000))
    assert chance_within_tolerance(0.005, 10**6, unlike) < 0.5


def test_ends_of_the_range() -> None:
    assert 0 <= chance_within_tolerance(1e-9, 10, USUAL) <= 1
    assert chance_within_tolerance(1.0, 10, USUAL) == pytest.approx(1.0, abs=0.1)
    assert chance_within_tolerance(0.05, 1, RARELY_WRONG) == 0.0  # neither 0 nor 1 is near .05
