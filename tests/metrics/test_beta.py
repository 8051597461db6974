"""The beta distribution, compared with SciPy's, with exact fractions and with mpmath's digits."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from hemozoin.metrics.beta import beta_quantiles, incomplete_beta

#: Powers of 10 for the parameters. Far out in the tails SciPy's own error is larger than ours.
exponents = st.floats(-2, 6.5)
shares = st.floats(0, 1, allow_subnormal=False) | st.floats(-200, 0).map(lambda power: 10**power)


def incomplete(a: float, b: float, x: float) -> float:
    return float(incomplete_beta(a, b, np.array([x]))[0])


@given(a=exponents, b=exponents, x=shares)
def test_it_is_scipys(a: float, b: float, x: float) -> None:
    expected = special.betainc(10**a, 10**b, x)
    if expected > 1e-200:
        assert incomplete(10**a, 10**b, x) == pytest.approx(expected, rel=1e-10, abs=0)


@given(a=exponents, b=exponents, deviations=st.floats(-5, 5))
def test_it_is_scipys_near_the_mean(a: float, b: float, deviations: float) -> None:
    beta = special.betainc
    mean = 10**a / (10**a + 10**b)
    sd = np.sqrt(mean * (1 - mean) / (10**a + 10**b + 1))
    x = float(np.clip(mean + deviations * sd, 0, 1))
    expected = beta(10**a, 10**b, x)
    if expected > 1e-200:
        assert incomplete(10**a, 10**b, x) == pytest.approx(expected, rel=1e-10, abs=0)


@pytest.mark.parametrize(
    ("a", "b", "x", "expected"),
    [  # the digits are those of mpmath
        (8977174.897297852, 112756.51709280892, 0.986695385810725, 3.9572914131012599e-127),
        (0.34443873064058067, 5624601.112340304, 2.9910244617764425e-07, 0.96022859443162861),
        (40.33050601428375, 1242658.320504311, 3.343613954912794e-05, 0.59587163150123271),
        (848.7797243160092, 26.359903922015054, 0.4201608891500883, 1.30347081820923e-277),
        (1e-5, 2e-5, 1e-200, 0.66360361178599669),
        (300, 2**20, 300 / 2**20, 0.50965087175548246),
    ],
)
def test_extreme_arguments(a: float, b: float, x: float, expected: float) -> None:
    assert incomplete(a, b, x) == pytest.approx(expected, rel=1e-12, abs=0)


@pytest.mark.parametrize(("k", "n"), [(1, 1), (1, 40), (7, 40), (40, 40)])
def test_it_is_the_tail_of_the_binomial_distribution(k: int, n: int) -> None:
    p = Fraction(1, 8)
    tail = sum(comb(n, j) * p**j * (1 - p) ** (n - j) for j in range(k, n + 1))
    assert incomplete(k, n - k + 1, 1 / 8) == pytest.approx(float(tail), rel=1e-13, abs=0)


def test_ends() -> None:
    assert incomplete_beta(3, 200, np.array([0.0, 1.0])).tolist() == [0.0, 1.0]
    assert incomplete_beta(3, 200, np.empty(0)).tolist() == []


PROBABILITIES = (np.arange(100) + 0.5) / 100


@given(mean=st.floats(-5, -0.3), size=st.floats(0, 5))
def test_quantiles_are_scipys(mean: float, size: float) -> None:
    a, b = 10 ** (mean + size), (1 - 10**mean) * 10**size
    found = beta_quantiles(a, b, PROBABILITIES)
    assert (np.diff(found) >= 0).all()
    expected = special.betaincinv(a, b, PROBABILITIES)
    is_normal = expected > 1e-280
    # An error of a probability is 1 / a times as large in a quantile near 0.
    relative = 1e-10 + 1e-14 / a
    assert found[is_normal] == pytest.approx(expected[is_normal], rel=relative, abs=0)
