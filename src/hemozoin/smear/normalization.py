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
from hemozoin.optics import MAX_STAIN, STANDARD_BACKGROUND, StainChange
from hemozoin.smear.field import SmearObject

#: Optical density of NLM's healthy cells (median of 160 patients) in red, green and blue.
_HEALTHY = np.array([0.309, 0.489, 0.464])

#: Largest factor by which the stain of a channel is made stronger: more would amplify noise.
_MAX_GAIN = 2.5


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
    def _detector_gain(self) -> StainChange:
        target = _HEALTHY - STANDARD_BACKGROUND
        return StainChange(target / np.maximum(self.stain, target / _MAX_GAIN))

    @cached_property
    def _network_gain(self) -> StainChange | None:
        is_beyond = self.strength > MAX_STAIN
        return StainChange(np.full(3, MAX_STAIN / self.strength)) if is_beyond else None

    def _changed(self, cell: Pixels, found: SmearObject, gain: StainChange) -> Pixels:
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
