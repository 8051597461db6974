"""Stain normalization: a cell of any microscope as the slides of the training cells would show it.

Light, camera and glass give a field the density of its background, and the stain gives its cells
more or less density on top of it (Beer-Lambert). Both are known in a field, since most of its
objects are healthy red cells:

    density of a pixel = background + stain · what the pixel contains

    out-of-distribution detector    background and stain of each channel are exchanged for those of
                                    the training cells: a yellow or a green smear is not strange
    network                         sees densities relative to the cell's own. The tint is brought
                                    half way to that of the training cells (the geometric mean of
                                    both): all the way, fewer infected cells are called. The
                                    strength is changed only where it is beyond that of any
                                    training cell

benchmarks/field_context.py shows gain and cost.

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

#: The stain of NLM's healthy cells, relative to the background.
_TARGET = _HEALTHY - STANDARD_BACKGROUND

#: Largest factor by which the stain of a channel is made stronger: more would amplify noise. What
#: the network sees is not made weaker by more than that either.
_MAX_GAIN = 2.5

#: Least strength of a stain that has a tint; a weaker one is noise.
_FAINTEST = 0.001


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
        """Return prepared cells with a stain more like that of the training cells.

        Its tint is half way to theirs, and it is no stronger.
        """
        return self._changed(cells, found, self._network_gain)

    @cached_property
    def _detector_gain(self) -> StainChange:
        return StainChange(_TARGET / np.maximum(self.stain, _TARGET / _MAX_GAIN))

    @cached_property
    def _network_gain(self) -> StainChange:
        gain = tint_gain(self.stain)
        strength = float((gain * self.stain).mean())
        gain *= MAX_STAIN / max(strength, MAX_STAIN)
        return StainChange(np.maximum(gain, 1 / _MAX_GAIN))

    def _changed(self, cells: Pixels, found: Sequence[SmearObject], gain: StainChange) -> Pixels:
        """Return cells with another background and a stain `gain` times as strong."""
        levels = gain.levels(self.background_at(found))
        changed = np.empty_like(cells)
        for cell, level, result in zip(cells, levels, changed, strict=True):
            cv2.LUT(cell, level[None], result)
        return changed

    def background_at(self, found: Sequence[SmearObject]) -> Floats:
        """Return the density of the background around objects, `[n, 3]`."""
        rows, columns = self.background.shape[:2]
        y = [int((one.y + one.height / 2) / self.height * rows) for one in found]
        x = [int((one.x + one.width / 2) / self.width * columns) for one in found]
        at: Floats = self.background[
            [min(row, rows - 1) for row in y], [min(column, columns - 1) for column in x]
        ]
        return at


def tint_gain(stain: Floats) -> Floats:
    """Return a factor for each channel, `[3]`, that brings a stain's tint half way to NLM's.

    `stain` `[3]` are densities relative to the background.
    """
    tint = np.maximum(stain, _FAINTEST) / max(float(stain.mean()), _FAINTEST)
    gain: Floats = np.minimum(np.sqrt(_TARGET / _TARGET.mean() / tint), _MAX_GAIN)
    return gain
