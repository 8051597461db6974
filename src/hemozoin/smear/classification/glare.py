"""Glare: stray light in a field with a strong stain, and the same field without it.

Dust, oil and reflections in a microscope add the same light to every pixel. Much of the light
passes a pale spot, so it hardly changes; a dense one, such as chromatin, becomes paler. Something
that lets hardly any light pass lies in nearly every field: the light of its densest spot is glare.

It is taken away only where the stain is stronger than that of any training cell. With a weaker
stain the densest spot need not be so dense: where glare was taken away in all fields, twice as many
healthy cells were called infected.

benchmarks/picture_processing.py shows what it gains.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from hemozoin.arrays import Floats, Pixels
from hemozoin.optics import MAX_STAIN, levels_of, optical_density
from hemozoin.smear.classification.normalization import FieldStain

#: Light that passes the densest spot without glare, as a share of that of the background. With 3 %
#: of glare, 43, 41 and 37 of 48 infected cells are called for 0.003, 0.008 and 0.02; 31 without.
_DENSEST = 0.008

#: The level of a pixel is about its light to the power of 1 over this number, as in sRGB.
_GAMMA = 2.2

#: Least light that is left, of 1: a spot can't be darker than black.
_BLACK = 1e-6


def without_glare(pixels: Pixels, stain: FieldStain, densest: float) -> tuple[Pixels, FieldStain]:
    """Return a field, uint8 `[H, W, 3]`, and its stain without glare, if the stain is strong.

    `densest` is the density of the densest spot in green, relative to the background.
    """
    glare = (float(_light(densest)) - _DENSEST) / (1 - _DENSEST)
    if stain.strength <= MAX_STAIN or glare <= 0:
        return pixels, stain
    background = np.median(stain.background.reshape(-1, 3), axis=0)
    relative = optical_density(np.arange(256))[:, None] - background
    density = background + _without(glare, relative)
    changed = np.asarray(cv2.LUT(pixels, levels_of(256 * np.exp(-density))[None]), np.uint8)
    return changed, replace(stain, stain=_without(glare, stain.stain))


def _without(glare: float, density: Floats) -> Floats:
    """Return densities relative to the background as they are without glare.

    `glare` is a share of the light of the background.
    """
    light = ((_light(density) - glare) / (1 - glare)).clip(_BLACK)
    return np.asarray(-np.log(light) / _GAMMA)


def _light(density: npt.ArrayLike) -> Floats:
    """Return the share of the background's light that passes what has this density."""
    return np.asarray(np.exp(-_GAMMA * np.asarray(density)))
