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

from collections.abc import Sequence
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

    def for_detector(self, cells: Pixels, found: Sequence[SmearObject]) -> Pixels:
        """Return prepared cells, uint8 `[N, S, S, 3]`, with background and stain of NLM's slides.

        `found` are the objects that they are.
        """
        return self._changed(cells, found, self._detector_gain)

    def for_network(self, cells: Pixels, found: Sequence[SmearObject]) -> Pixels:
        """Return prepared cells with a stain no stronger than that of the training cells."""
        if self._network_gain is None:
            return cells
        return self._changed(cells, found, self._network_gain)

    @cached_property
    def _detector_gain(self) -> StainChange:
        target = _HEALTHY - STANDARD_BACKGROUND
        return StainChange(target / np.maximum(self.stain, target / _MAX_GAIN))

    @cached_property
    def _network_gain(self) -> StainChange | None:
        is_beyond = self.strength > MAX_STAIN
        return StainChange(np.full(3, MAX_STAIN / self.strength)) if is_beyond else None

    def _changed(self, cells: Pixels, found: Sequence[SmearObject], gain: StainChange) -> Pixels:
        """Return cells with another background and a stain `gain` times as strong."""
        levels = gain.levels(self.background[self._places(found)])
        changed = np.empty_like(cells)
        for cell, level, result in zip(cells, levels, changed, strict=True):
            cv2.LUT(cell, level[None], result)
        return changed

    def _places(self, found: Sequence[SmearObject]) -> tuple[list[int], list[int]]:
        """Return the rows and the columns of the background around objects."""
        rows, columns = self.background.shape[:2]
        y = [int((one.y + one.height / 2) / self.height * rows) for one in found]
        x = [int((one.x + one.width / 2) / self.width * columns) for one in found]
        return [min(row, rows - 1) for row in y], [min(column, columns - 1) for column in x]
