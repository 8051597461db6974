"""Optical density: how much light a stained cell absorbs, from the levels of a picture."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def optical_density(levels: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Return -log((level + 1) / 256), float32 of the same shape: 0 for white, 5.5 for black.

    `levels` are those of a picture with 8 bits a channel, 0..255, as integers or floats. By the
    Beer-Lambert law this density is proportional to the amount of dye that the light passed
    through. The 1 is added because black, level 0, would have an infinite density; 255 + 1 = 256
    is then the level of white.
    """
    light = (np.asarray(levels, np.float32) + 1) / 256
    return np.asarray(-np.log(light))
