"""Stain normalization: a cell of any microscope as the slides of the training cells would show it.

Light, camera and glass give a field the density of its background, and the stain gives its cells
more or less density on top of it (Beer-Lambert). Both are known in a field, since most of its
objects are healthy red cells:

    density of a pixel = background + stain · what the pixel contains

    out-of-distribution detector    background and stain of each channel are exchanged for those of
                                    the training cells: a yellow or a green smear is not strange
    network                         sees densities relative to the cell's own, so only the strength
                                    of the stain is changed, and only where it is beyond that of
                                    any training cell

Macenko et al. 2009 (ISBI) separate two dyes first; red cells of a thin film need no separation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from hemozoin.arrays import Floats, Pixels
from hemozoin.optics import optical_density
from hemozoin.smear.field import SmearObject

#: Optical density of NLM's healthy cells (median of 160 patients) in red, green and blue, and of a
#: background like that of their slides.
_HEALTHY = np.array([0.309, 0.489, 0.464])
_BACKGROUND = np.array([0.10, 0.16, 0.19])

#: Mean density of the stain, relative to the background, that the network has seen at most. Dark
#: blue smears have up to 1.0.
_MAX_STAIN = 0.42

#: Largest factor by which the stain of a channel is made stronger: more would amplify noise.
_MAX_GAIN = 2.5

_DENSITY = optical_density(np.arange(256))


@dataclass(frozen=True, eq=False)
class FieldStain:
    """The background and the stain of a field.

    `background` `[h, w, 3]` is the density of the background at places spread over the field;
    `stain` `[3]` the median density of the objects relative to it. `width` and `height` of the
    field are in px.
    """

    background: Floats
    stain: Floats
    width: int
    height: int

    @cached_property
    def strength(self) -> float:
        """The mean density of the stain over the three channels."""
        return float(self.stain.mean())

    def for_detector(self, cell: Pixels, found: SmearObject) -> Pixels:
        """Return a prepared cell, uint8 `[S, S, 3]`, with background and stain of NLM's slides."""
        return self._changed(cell, found, self._detector_gain)

    def for_network(self, cell: Pixels, found: SmearObject) -> Pixels:
        """Return a prepared cell with a stain no stronger than that of the training cells."""
        if self._network_gain is None:
            return cell
        return self._changed(cell, found, self._network_gain)

    @cached_property
    def _detector_gain(self) -> _Gain:
        target = _HEALTHY - _BACKGROUND
        return _Gain(target / np.maximum(self.stain, target / _MAX_GAIN))

    @cached_property
    def _network_gain(self) -> _Gain | None:
        is_beyond = self.strength > _MAX_STAIN
        return _Gain(np.full(3, _MAX_STAIN / self.strength)) if is_beyond else None

    def _changed(self, cell: Pixels, found: SmearObject, gain: _Gain) -> Pixels:
        """Return a cell with another background and a stain `gain` times as strong."""
        levels = gain.levels(self._background_at(found))
        return np.asarray(cv2.LUT(cell, levels[None]))

    def _background_at(self, found: SmearObject) -> Floats:
        """Return the density of the background around an object, `[3]`."""
        rows, columns = self.background.shape[:2]
        row = int((found.y + found.height / 2) / self.height * rows)
        column = int((found.x + found.width / 2) / self.width * columns)
        place: Floats = self.background[min(row, rows - 1), min(column, columns - 1)]
        return place


class _Gain:
    """A stain made stronger in each channel, `[3]`, on a background like that of NLM's slides."""

    def __init__(self, gain: Floats) -> None:
        self._gain = gain
        #: The light that each level becomes on a background of density 0: the same for all cells.
        self._light = 256 * np.exp(-_BACKGROUND - _DENSITY[:, None] * gain)

    def levels(self, background: Floats) -> Pixels:
        """Return what each level becomes, uint8 `[256, 3]`, on a background of this density."""
        levels = np.rint(self._light * np.exp(background * self._gain) - 1)
        np.maximum(np.minimum(levels, 255), 1, out=levels)
        levels[0] = 0  # what is outside the cell stays black
        return np.asarray(levels, np.uint8)
