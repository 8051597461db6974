"""Manual and automatic counts over many slides, compared with other formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from hemozoin.smear.counting.bland_altman import CountPair, bland_altman, who_grade


def pairs(*ratios: float) -> list[CountPair]:
    return [CountPair(f"{k}", 1000, 1000 * ratio) for k, ratio in enumerate(ratios)]


def test_bias_and_limits_of_agreement() -> None:
    ratios = np.array([0.8, 1.1, 1.3, 0.95, 2.1, 0.7, 1.6])
    found = bland_altman(pairs(*ratios))
    assert found is not None
    logs = np.log(ratios)
    interval = stats.t(6, logs.mean(), stats.sem(logs)).interval(0.95)
    assert found.bias.value == pytest.approx(stats.gmean(ratios))
    assert (found.bias.low, found.bias.high) == pytest.approx(tuple(np.exp(interval)))
    sd = logs.std(ddof=1)
    low, high = found.limits
    assert (low.value, high.value) == pytest.approx(
        (math.exp(logs.mean() - 1.96 * sd), math.exp(logs.mean() + 1.96 * sd))
    )
    half_width = stats.t(6).ppf(0.975) * sd * math.sqrt(3 / 7)
    assert high.high == pytest.approx(high.value * math.exp(half_width))
    assert low.low == pytest.approx(low.value * math.exp(-half_width))


def test_the_direction_of_the_comparison_does_not_matter() -> None:
    there, back = bland_altman(pairs(0.5, 0.8, 1.5)), bland_altman(pairs(1 / 0.5, 1 / 0.8, 1 / 1.5))
    assert there is not None
    assert back is not None
    assert there.bias.value == pytest.approx(1 / back.bias.value)
    assert there.limits[0].value == pytest.approx(1 / back.limits[1].value)


def test_counts_without_a_logarithm_are_left_out() -> None:
    zeros = [CountPair("a", 0, 1000), CountPair("b", 1000, 0), CountPair("c", 1000, None)]
    assert bland_altman(pairs(1, 2) + zeros) is None
    found = bland_altman(pairs(1, 2, 3) + zeros)
    assert found is not None
    assert found.slides == 3


@pytest.mark.parametrize(
    ("within", "slides", "level"),
    [(5, 10, 1), (10, 10, 1), (4, 10, 2), (49, 100, 2), (3, 10, 3), (29, 100, 4), (0, 10, 4)],
)
def test_who_levels(within: int, slides: int, level: int) -> None:
    grade = who_grade(pairs(*[1.2] * within, *[1.3] * (slides - within)))
    assert grade is not None
    assert (grade.within, grade.slides, grade.level) == (within, slides, level)


def test_a_slide_without_an_automatic_count_is_not_within() -> None:
    none, zero = CountPair("a", 1000, None), CountPair("b", 0, 0)
    grade = who_grade([*pairs(1, 0.75, 1.25), none, zero])
    assert grade is not None
    assert (grade.within, grade.slides) == (3, 4)
    assert who_grade([zero]) is None
    assert who_grade([none, zero]) is None
    assert who_grade([]) is None
