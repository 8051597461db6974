"""A body's colour is held against that of the others in its field."""

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
def test_most_cells_are_usual_and_another_hue_is_odd(stain: Floats) -> None:
    known = typical_color(cells(stain, 100))
    assert np.mean([known.is_outlier(one) for one in cells(stain, 100)]) < 0.05
    assert known.is_outlier(stain * [0.5, 1, 1])
    assert known.is_outlier(stain * [1, 1, 2.2])


def test_a_pale_cell_is_odd_and_a_little_paler_one_is_not() -> None:
    known = typical_color(cells(PINK, 100))
    assert known.is_outlier(PINK / 3)
    assert not known.is_outlier(PINK * 0.85)


def test_cells_all_alike_leave_room_for_others() -> None:
    known = typical_color(np.tile(PINK, (50, 1)))
    assert not known.is_outlier(PINK * 1.1)
    assert known.is_outlier(PINK * [0.5, 1, 1])


def test_among_few_bodies_nothing_is_odd() -> None:
    known = typical_color(cells(PINK, 7))
    assert not known.is_outlier(PINK / 9)
    assert not typical_color(np.zeros((0, 3))).is_outlier(PINK)


def test_a_body_without_stain_has_a_colour() -> None:
    assert typical_color(cells(PINK, 100)).is_outlier(np.array([-0.1, 0.0, 0.0]))
