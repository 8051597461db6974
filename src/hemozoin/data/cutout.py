"""Find the cell in the middle of a picture that also shows the background around it.

NLM's cells are on black. A crop from a microscope's field also shows background, neighbouring
cells and dirt.

    picture ── optical density ── Otsu's threshold ── holes filled ── touching neighbours cut off

All of this is done in a copy of 96 x 96 pixels: that is enough for an outline, and the time does
not depend on the camera.
"""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage
from skimage.filters import threshold_otsu

from hemozoin.arrays import Bools, Floats, Pixels
from hemozoin.optics import optical_density

#: Side of the copy in which the outline is found, in px.
_SIDE = 96

#: The core of a cell is where the distance to its edge is more than this share of the largest such
#: distance. Cells that touch at a neck narrower than that have a core each.
_CORE = 0.55

#: Pixels with this density or more are ink or black outside the field, not stain; they are set to
#: the density of the background.
_INK = 2.0

#: Least edge distance inside a cell (half its width), in sides of the picture: in a crop, and in
#: a picture whose shorter side has at least `_LARGE` px, more than a camera has for a single cell.
#: A picture with only smaller objects shows a whole field.
_SMALLEST, _SMALLEST_IN_LARGE, _LARGE = 0.15, 0.3, 450

#: Least share of black at the border of a picture in which the cell has been cut out already: it is
#: 0.60 or more in 4,000 of NLM's cells, and 0.28 or less in 2,798 crops from fields (at most 0.02
#: in 99 % of them).
_CUT_OUT = 0.45


def brightest(pixels: Pixels) -> Pixels:
    """Return the maximum of red, green and blue of `[H, W, 3 or more]`, as `[H, W]`."""
    # `max(axis=2)` takes ten times as long.
    return np.maximum(np.maximum(pixels[..., 0], pixels[..., 1]), pixels[..., 2])


def is_cut_out(inside: Bools) -> bool:
    """Return whether a picture shows a cell on black; `inside` `[H, W]` is False in the black."""
    border = np.concatenate([inside[0], inside[-1], inside[:, 0], inside[:, -1]])
    return bool(1 - border.mean() > _CUT_OUT)


def find_cell(picture: Image.Image) -> Bools:
    """Return the mask of the cell in the middle of an RGB picture: bool `[H, W]`.

    All False where nothing is darker than the background, and where all objects are so small that
    the picture shows a whole field.
    """
    density = _blurred_density(picture)
    threshold: float = threshold_otsu(density)  # type: ignore[no-untyped-call]
    cells = ndimage.binary_fill_holes(density > threshold)
    smallest = _SMALLEST if min(picture.size) < _LARGE else _SMALLEST_IN_LARGE
    small = Image.fromarray(_in_the_middle(cells, smallest * _SIDE))
    return np.asarray(small.resize(picture.size, Image.Resampling.NEAREST))


def _blurred_density(picture: Image.Image) -> Floats:
    """Return the blurred optical density in green, which haemoglobin absorbs most, `[96, 96]`."""
    green = picture.getchannel("G").resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
    density = optical_density(np.asarray(green))
    without_ink = np.where(density < _INK, density, density.min())
    blurred: Floats = ndimage.gaussian_filter(without_ink, 1)
    return blurred


def _in_the_middle(cells: Bools, smallest: float) -> Bools:
    """Return the mask of the one cell in the middle: the pixels that are nearest to its core."""
    distance = ndimage.distance_transform_edt(np.pad(cells, 1))[1:-1, 1:-1]
    if distance.max() < smallest:
        return np.zeros_like(cells)
    radius = _CORE * distance.max()
    cores, count = ndimage.label(distance > radius)
    middle = 1 + np.argmax(ndimage.sum_labels(_CENTRALITY, cores, range(1, count + 1)))
    to_core, nearest = ndimage.distance_transform_edt(cores == 0, return_indices=True)
    cell: Bools = cells & (cores[tuple(nearest)] == middle) & (to_core <= radius + 0.5)
    return cell


def _centrality() -> Floats:
    """Return how central each pixel is, `[96, 96]`: from 1 in the middle to .02 in the corners."""
    across = np.exp(-2 * np.linspace(-1, 1, _SIDE) ** 2)
    return np.outer(across, across)


_CENTRALITY = _centrality()
