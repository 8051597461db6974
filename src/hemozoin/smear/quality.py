"""Whether a field can be relied on: what is measured of it, and the limits.

The limits lie between the fields of two microscopes as they are and the same ones blurred,
darkened, or covered until people no longer marked their cells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image
from scipy import ndimage

from hemozoin.data.cutout import brightest
from hemozoin.model.prediction import OUT_OF_DISTRIBUTION
from hemozoin.smear.field import Cell, Flaw
from hemozoin.smear.segmentation.background import density
from hemozoin.smear.segmentation.objects import Segmentation

#: Least brightness of the glass, 0..255: the brightest channel of all but the brightest 5 %.
_LIGHT = 80

#: Least steepness of the cells' edges: the rise of the density over a 56th of a cell's diameter,
#: as a share of the cells' density; that of the steepest 2 % of the field.
_SHARP = 0.15

#: Most of a field that bodies may cover, as a share of it.
_COVERED = 0.7

#: Least diameter of red cells in px. Made smaller until they had 28, 21 and 14, the infected cells
#: of 24 fields were told as such in .91, .85 and .62 of them.
_COARSE = 20

#: Least number of red cells.
_CELLS = 5

#: Most of the cells that may be unlike all red cells that the network was trained on.
_STRANGE = 0.5

#: So many pixels of the finer copy are one red cell's diameter.
_FINE = 56


def find_flaws(
    picture: Image.Image, found: Segmentation, cells: Sequence[Cell]
) -> tuple[Flaw, ...]:
    """Return why a field, RGB, isn't to be relied on: nothing where it can be."""
    return tuple(flaw for flaw in _measured(picture, found, cells) if _is_beyond(flaw))


def _measured(picture: Image.Image, found: Segmentation, cells: Sequence[Cell]) -> Iterator[Flaw]:
    light = float(np.percentile(brightest(np.asarray(picture.reduce(2))), 95))
    yield Flaw("too dark", "brightness of the glass", light, _LIGHT)
    if len(cells) < _CELLS:
        yield Flaw("empty or not a smear", "red cells", len(cells), _CELLS)
        return
    yield Flaw("too coarse", "diameter of the red cells in px", found.diameter, _COARSE)
    yield Flaw("out of focus", "steepness of the cells' edges", _sharpness(picture, found), _SHARP)
    yield Flaw("overcrowded", "share that bodies cover", found.cover, _COVERED)
    strange = float(np.mean([cell.reason == OUT_OF_DISTRIBUTION for cell in cells]))
    yield Flaw("not a smear", "share of cells unlike those trained on", strange, _STRANGE)


def _is_beyond(flaw: Flaw) -> bool:
    too_much = flaw.what in ("overcrowded", "not a smear")
    return flaw.value > flaw.limit if too_much else flaw.value < flaw.limit


def _sharpness(picture: Image.Image, found: Segmentation) -> float:
    green = density(picture.getchannel("G"), found.diameter / _FINE)
    steep = np.hypot(ndimage.sobel(green, 0), ndimage.sobel(green, 1)) / 8
    return float(np.percentile(steep, 98)) / found.density
