"""The colour of an object is compared with the colours of the others in its field."""

from __future__ import annotations

import numpy as np
import pytest

from hemozoin.smear.segmentation.color import Triple, typical_color

PINK, GREY = (0.1, 0.5, 0.25), (0.24, 0.3, 0.25)


def cells(colour: Triple, count: int, spread: float = 0.1) -> list[Triple]:
    noise = np.random.default_rng(1).normal(0, spread, (count, 1))
    hues = np.random.default_rng(2).normal(0, 0.04, (count, 3))
    return [(r, g, b) for r, g, b in (np.array(colour) * np.exp(noise + hues)).tolist()]


def times(colour: Triple, red: float, green: float, blue: float) -> Triple:
    return colour[0] * red, colour[1] * green, colour[2] * blue


@pytest.mark.parametrize("stain", [PINK, GREY])
def test_most_cells_are_typical_and_another_hue_is_an_outlier(stain: Triple) -> None:
    typical = typical_color(cells(stain, 100))
    assert np.mean([typical.is_outlier(one) for one in cells(stain, 100)]) < 0.05
    assert typical.is_outlier(times(stain, 0.5, 1, 1))
    assert typical.is_outlier(times(stain, 1, 1, 2.2))


def test_a_pale_cell_is_an_outlier_and_a_slightly_paler_one_is_not() -> None:
    typical = typical_color(cells(PINK, 100))
    assert typical.is_outlier(times(PINK, 1 / 3, 1 / 3, 1 / 3))
    assert not typical.is_outlier(times(PINK, 0.85, 0.85, 0.85))


def test_a_small_difference_from_identical_cells_is_no_outlier() -> None:
    typical = typical_color([PINK] * 50)
    assert not typical.is_outlier(times(PINK, 1.1, 1.1, 1.1))
    assert typical.is_outlier(times(PINK, 0.5, 1, 1))


def test_among_few_objects_there_is_no_outlier() -> None:
    typical = typical_color(cells(PINK, 7))
    assert not typical.is_outlier(times(PINK, 1 / 9, 1 / 9, 1 / 9))
    assert not typical_color([]).is_outlier(PINK)


def test_an_object_without_stain_has_a_colour() -> None:
    assert typical_color(cells(PINK, 100)).is_outlier((-0.1, 0.0, 0.0))
