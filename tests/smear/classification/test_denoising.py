"""Grain of a camera, averaged away before a field's cells are judged."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemozoin.arrays import Pixels
from hemozoin.smear.classification.denoising import blur_needed, blurred

SIZE, LEVEL = 64, 150


def cells(noise: float, count: int = 6) -> Pixels:
    """Return round cells of one level with noise of that standard deviation, and a dark spot."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    inside = (y**2 + x**2 < (SIZE / 2) ** 2)[None, ..., None]
    level = np.where((y - 8) ** 2 + x**2 < 16, 60, LEVEL)[None, ..., None]
    noisy = level + noise * random.standard_normal((count, SIZE, SIZE, 3))
    return np.where(inside, np.rint(noisy).clip(1, 255), 0).astype(np.uint8)


def test_cells_without_grain_need_no_blur() -> None:
    assert blur_needed(cells(0)) == 0
    assert blur_needed(cells(1)) == 0


@pytest.mark.parametrize("noise", [3, 4, 5])
def test_no_more_blur_than_needed(noise: float) -> None:
    weight = blur_needed(cells(noise))
    assert 0 < weight < 1
    assert blur_needed(blurred(cells(noise), weight)) < 0.2
    assert blur_needed(blurred(cells(noise), 0.7 * weight)) > 0


def test_much_grain_is_blurred_fully_and_no_further() -> None:
    assert blur_needed(cells(60)) == 1


def test_no_cells_and_empty_cells_need_no_blur() -> None:
    assert blur_needed(np.empty((0, SIZE, SIZE, 3), np.uint8)) == 0
    assert blur_needed(np.zeros((3, SIZE, SIZE, 3), np.uint8)) == 0


def test_the_mean_is_over_the_pixels_of_the_cell() -> None:
    plain = cells(0)
    plain[plain > 0] = LEVEL
    assert (blurred(plain, 1.0) == plain).all()


@given(st.floats(0, 1))
def test_outside_stays_black_and_inside_does_not_become_black(weight: float) -> None:
    noisy = cells(40, count=2)
    assert ((blurred(noisy, weight) > 0) == (noisy > 0)).all()


def test_a_spot_stays_where_the_grain_goes() -> None:
    noisy = cells(5)
    smooth = blurred(noisy, blur_needed(noisy)).astype(float)
    assert smooth[:, 40, 32].mean() < 80
    away = np.s_[:, 12:24, 24:40]
    assert smooth[away].std() < 0.75 * noisy[away].std()
