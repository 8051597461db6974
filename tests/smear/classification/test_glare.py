"""Glare: stray light, taken away where the stain is strong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemozoin.arrays import Floats, Pixels
from hemozoin.optics import optical_density
from hemozoin.smear.classification.glare import without_glare
from hemozoin.smear.classification.normalization import FieldStain

BACKGROUND = np.array([0.1, 0.16, 0.19])

#: Densities of a strong stain and of chromatin in it, relative to the background.
STRONG, CHROMATIN = np.array([0.6, 0.9, 0.75]), np.array([1.2, 1.8, 1.5])

#: Density of what lets a 125th of the light pass, with the gamma of 2.2.
DENSEST = -np.log(0.008) / 2.2


def levels(density: Floats) -> Pixels:
    """Return one pixel with a density relative to the background, uint8 `[1, 1, 3]`."""
    light = 256 * np.exp(-BACKGROUND - density) - 1
    return np.asarray(np.rint(light).clip(0, 255), np.uint8)[None, None]


def with_glare(density: Floats, share: float) -> Floats:
    """Return densities relative to the background after light was added to all of a picture."""
    light = (1 - share) * np.exp(-2.2 * density) + share
    return np.asarray(-np.log(light) / 2.2)


def field_stain(stain: Floats) -> FieldStain:
    return FieldStain(np.tile(BACKGROUND, (4, 4, 1)), stain, 100, 80)


@pytest.mark.parametrize("share", [0.01, 0.03, 0.1])
def test_a_strong_stain_gets_the_density_that_it_has_without_glare(share: float) -> None:
    glared, densest = (with_glare(np.array(one), share) for one in (STRONG, DENSEST))
    pixels, stain = without_glare(
        levels(with_glare(CHROMATIN, share)), field_stain(glared), float(densest)
    )
    np.testing.assert_allclose(stain.stain, STRONG, atol=1e-6)
    np.testing.assert_allclose(optical_density(pixels)[0, 0] - BACKGROUND, CHROMATIN, atol=0.04)
    background, _ = without_glare(levels(np.zeros(3)), field_stain(glared), float(densest))
    np.testing.assert_array_equal(background, levels(np.zeros(3)))


def test_a_field_without_glare_or_with_a_weak_stain_stays_as_it_is() -> None:
    pixels, strong, weak = levels(CHROMATIN), field_stain(STRONG), field_stain(STRONG / 2)
    assert without_glare(pixels, strong, DENSEST + 0.01) == (pixels, strong)
    assert without_glare(pixels, weak, DENSEST / 2) == (pixels, weak)
    assert without_glare(pixels, strong, DENSEST / 2)[1] != strong


@given(st.floats(0.76, 6))
def test_no_pixel_turns_black_and_their_order_stays(densest: float) -> None:
    every_level = np.arange(256, dtype=np.uint8)[:, None, None].repeat(3, axis=2)
    pixels, stain = without_glare(every_level, field_stain(STRONG), densest)
    assert (np.diff(pixels.astype(int), axis=0) >= 0).all()
    assert np.isfinite(stain.stain).all()
    assert pixels[1:].min() >= 1
