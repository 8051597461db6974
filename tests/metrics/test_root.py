"""Roots of monotone functions of a share."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemozoin.metrics.root import find_root


@given(root=st.floats(1e-9, 1 - 1e-9), power=st.floats(-6, 6), sign=st.sampled_from([-1, 1]))
def test_a_monotone_function(root: float, power: float, sign: int) -> None:
    exponent = math.exp(power)
    found = find_root(lambda share: sign * (share**exponent - root**exponent))
    assert found == pytest.approx(root, abs=1e-9) or abs(found**exponent - root**exponent) < 1e-15


@pytest.mark.parametrize("root", [0.25, 0.5, 1e-7, 1 - 1e-7])
def test_a_line_takes_few_evaluations(root: float) -> None:
    shares = []

    def line(share: float) -> float:
        shares.append(share)
        return share - root

    assert find_root(line) == pytest.approx(root, abs=1e-12)
    assert len(shares) <= 6


def test_a_step() -> None:
    """The function need not be continuous."""
    assert find_root(lambda share: 1.0 if share > 0.3 else -1.0) == pytest.approx(0.3, abs=1e-9)
