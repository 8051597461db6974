"""Optical density: how much light a stained cell absorbs, from the levels of a picture.

By the Beer-Lambert law, density of a pixel = background + stain * what the pixel contains.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

#: Density of a background like that of NLM's slides, in red, green and blue.
STANDARD_BACKGROUND = np.array([0.10, 0.16, 0.19])

#: Mean density of the stain, relative to the background, that the networks have seen at most. Dark
#: blue smears have up to 1.0.
MAX_STAIN = 0.42


def optical_density(levels: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Return -log((level + 1) / 256), float32 of the same shape: 0 for white, 5.5 for black.

    `levels` are those of a picture with 8 bits a channel, 0..255, as integers or floats. By the
    Beer-Lambert law this density is proportional to the amount of dye that the light passed
    through. The 1 is added because black, level 0, would have an infinite density; 255 + 1 = 256
    is then the level of white.
    """
    light = (np.asarray(levels, np.float32) + 1) / 256
    return np.asarray(-np.log(light))


def levels_of(light: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    """Return the levels, 1..255, of light in 256ths of white: the inverse of `optical_density`."""
    return np.asarray(np.rint(light - 1).clip(1, 255), np.uint8)


class StainChange:
    """A stain `gain` times as strong in each channel, `[3]`, on a background like that of NLM."""

    def __init__(self, gain: npt.NDArray[np.floating]) -> None:
        self._gain = gain
        #: The light that each level becomes on a background of density 0: the same for all cells.
        self._light = 256 * np.exp(-STANDARD_BACKGROUND - _DENSITY[:, None] * gain)

    def levels(self, background: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
        """Return what each level becomes, uint8 `[..., 256, 3]`, on backgrounds `[..., 3]`."""
        levels = levels_of(self._light * np.exp(background * self._gain)[..., None, :])
        levels[..., 0, :] = 0  # what is outside the cell stays black
        return levels


_DENSITY = optical_density(np.arange(256))
