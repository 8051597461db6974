"""The background is taken out, and the stain measured, whatever the colours are."""

from __future__ import annotations

import numpy as np
import pytest

from hemozoin.arrays import Floats
from hemozoin.smear.segmentation.background import (
    downscaled_density,
    stain_levels,
    subtract_background,
)
from hemozoin.smear.segmentation.levels import above
from hemozoin.smear.segmentation.parameters import STAIN


def squares(color: tuple[float, float, float]) -> Floats:
    """Return densities `[200, 300, 3]` of squares of a colour on a noisy background."""
    densities = np.random.default_rng(0).normal(0, 0.01, (200, 300, 3)).astype(np.float32)
    densities.reshape(5, 40, 6, 50, 3)[:, 10:30, :, 10:40] += np.array(color, np.float32)
    return densities


def test_a_quadratic_background_is_taken_out() -> None:
    y, x = np.mgrid[-1:1:200j, -1:1:300j]
    light = 0.3 + 0.2 * x - 0.1 * y + 0.15 * x * x + 0.1 * x * y - 0.05 * y * y
    cells = squares((0.1, 0.5, 0.3))
    relative = subtract_background(cells + light[..., None].astype(np.float32))
    assert np.abs(relative - cells).max() < 0.02


@pytest.mark.parametrize("color", [(0.05, 0.5, 0.2), (0.3, 0.3, 0.3), (0.02, 0.08, 0.04)])
def test_the_levels_of_the_stain(color: tuple[float, float, float]) -> None:
    stain = stain_levels(squares(color)).reshape(5, 40, 6, 50)
    assert np.median(stain[:, :5]) == pytest.approx(STAIN.zero, abs=2)
    assert np.median(stain[:, 12:28, :, 12:38]) == pytest.approx(STAIN.full, abs=25)


def test_green_is_taken_where_no_channel_has_a_positive_weight() -> None:
    """Objects are bright in red, and the noise in red is opposite to that in green."""
    relative = squares((0, 0.3, 0)) * np.array([0, 1, 0], np.float32)
    noise = np.random.default_rng(1).normal(0, 0.03, (200, 300)).astype(np.float32)
    objects = relative[..., 1] > 0.15
    relative[..., 0] = -1.5 * objects + 2 * noise
    relative[..., 1] -= noise
    with np.errstate(all="raise"):
        stain = stain_levels(relative)
    assert np.median(stain[objects]) > np.median(stain[~objects]) + 100


@pytest.mark.parametrize("scale", [0.7, 1.0, 1.5, 2.0, 2.7, 5.3])
def test_a_copy_has_the_mean_levels(scale: float) -> None:
    levels = np.random.default_rng(0).integers(100, 200, (30, 40)).astype(np.uint8)
    pixels = np.kron(levels, np.ones((10, 10), np.uint8))
    copy = downscaled_density(pixels, scale)
    assert copy.shape == pytest.approx((300 / scale, 400 / scale), abs=2)
    assert 256 * np.exp(-copy.mean()) == pytest.approx(levels.mean(), rel=0.02)


@pytest.mark.parametrize("threshold", [-3.5, -1, 0, 0.5, 127, 127.5, 254.9, 255, 300])
def test_the_mask_of_levels_above_a_threshold(threshold: float) -> None:
    levels = np.arange(256, dtype=np.uint8)[None]
    expected = np.where(levels.astype(float) > threshold, 255, 0)
    for values in (levels, levels.astype(np.float32)):
        mask = above(values, threshold)
        assert mask.dtype == np.uint8
        assert (mask == expected).all()
