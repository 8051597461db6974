"""The colour of an object is compared with the colours of the others in its field."""

from __future__ import annotations

import numpy as np
import pytest

from hemozoin.arrays import Floats
from hemozoin.smear.segmentation.color import typical_color

PINK, GREY = np.array([0.1, 0.5, 0.25]), np.array([0.24, 0.3, 0.25])


def cells(colour: Floats, count: int, spread: float = 0.1) -> Floats:
    noise = np.random.default_rng(1).normal(0, spread, (count, 1))
    hues = np.random.default_rng(2).normal(0, 0.04, (count, 3))
    return np.asarray(colour * np.exp(noise + hues))


@pytest.mark.parametrize("stain", [PINK, GREY])
def test_most_cells_are_typical_and_another_hue_is_an_outlier(stain: Floats) -> None:
    typical = typical_color(cells(stain, 100))
    assert np.mean([typical.is_outlier(one) for one in cells(stain, 100)]) < 0.05
    assert typical.is_outlier(stain * [0.5, 1, 1])
    assert typical.is_outlier(stain * [1, 1, 2.2])


def test_a_pale_cell_is_an_outlier_and_a_slightly_paler_one_is_not() -> None:
    typical = typical_color(cells(PINK, 100))
    assert typical.is_outlier(PINK / 3)
    assert not typical.is_outlier(PINK * 0.85)


def test_a_small_difference_from_identical_cells_is_no_outlier() -> None:
    typical = typical_color(np.tile(PINK, (50, 1)))
    assert not typical.is_outlier(PINK * 1.1)
    assert typical.is_outlier(PINK * [0.5, 1, 1])


def test_among_few_objects_there_is_no_outlier() -> None:
    typical = typical_color(cells(PINK, 7))
    assert not typical.is_outlier(PINK / 9)
    assert not typical_color(np.zeros((0, 3))).is_outlier(PINK)


def test_an_object_without_stain_has_a_colour() -> None:
    assert typical_color(cells(PINK, 100)).is_outlier(np.array([-0.1, 0.0, 0.0]))
