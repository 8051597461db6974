"""Flaws of a field: measures of its quality, compared with limits.

The limits were chosen between thin smears of 14 places, and the same fields blurred, darkened, or
so crowded that people no longer marked their cells; thick films; the blood of birds, whose red
cells have a nucleus; and photos of other things (benchmarks/world.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from hemozoin.arrays import Ints, Pixels
from hemozoin.classes import PARASITIZED
from hemozoin.data.cutout import brightest
from hemozoin.decision.conformal import REVIEW
from hemozoin.model.prediction import OUT_OF_DISTRIBUTION
from hemozoin.smear.field import Cell, Flaw
from hemozoin.smear.segmentation.background import downscaled_density
from hemozoin.smear.segmentation.objects import Segmentation
from hemozoin.smear.segmentation.shape import axis_ratio

#: Least brightness of the background, 0..255: the 95th percentile of the brightest channel.
_MIN_BRIGHTNESS = 80

#: Least steepness of the cells' edges: the rise in density over 1/56 of a cell's diameter, as a
#: share of the cells' density; the 98th percentile of the field.
_MIN_STEEPNESS = 0.13

#: Largest share of a field that objects may cover, and most clumps per red cell.
_MAX_COVERAGE, _MAX_CLUMPS = 0.7, 1.0

#: Least diameter of red cells in px. In 24 fields made smaller, with cells of 28, 21 and 14 px,
#: the sensitivity for infected cells was .91, .85 and .62.
_MIN_DIAMETER = 20

#: Least number of red cells; a small picture has fewer, but they cover much of it.
_MIN_CELLS, _MIN_CELLS_IF_COVERED, _COVERED = 5, 3, 0.2

#: Least convexity (area over that of the convex hull), as the upper quartile of the red cells:
#: pieces of a thick film and of other pictures are ragged, and so are some cells in the groups of a
#: thin one. It is 0.948 to 0.99 in thin smears, and 0.90 to 0.95 in thick films with many such
#: pieces.
_MIN_CONVEXITY = 0.945

#: Least median convexity where more than this share of the cells is for review: neither alone is
#: unusual in thin smears, both are only in other pictures.
_MIN_MEDIAN_CONVEXITY, _MUCH_REVIEW = 0.95, 0.35

#: Least density of the objects in green, relative to the background: 0.09 or more in thin smears.
_MIN_STAIN = 0.06

#: Largest density of the objects in any channel: 1.9 in thin smears. A camera that makes contrast
#: or colours stronger leaves cells without light in one channel, at 5.5.
_MAX_STAIN = 2.7

#: Least density of a field's densest spot, as a multiple of that of its red cells, where there are
#: so many of these: 1.88 or more in thin smears, 1.65 in poor JPEGs of them; 3 of 31 quarters of
#: them are below 1.6. Something denser lies in nearly every large field, such as a platelet; where
#: nothing stands out, glare has taken the contrast, and chromatin would not stand out either. With
#: 3 or 10 % of the light as glare, 22 of the 34 infected cells that were taken for uninfected are
#: in such fields.
_MIN_CONTRAST, _ENOUGH_FOR_CONTRAST = 1.6, 50

#: Most bodies as dark as a nucleus per red cell, where there are at least so many: in a thick film
#: only the nuclei of white cells are left. In a thin smear there is one white cell in 700 or so.
_MAX_NUCLEI, _MANY_NUCLEI = 0.2, 5

#: Largest share of red cells that may be called infected or be for review: in the blood of birds
#: and reptiles nearly every nucleus is, and with much grain nearly every cell. In a severe malaria
#: it is up to 0.62. Of fewer cells than the second number more may be so by chance: in 186 quarters
#: of thin smears with 3 to 19 cells it is above the last number once.
_MAX_INFECTED, MANY_CELLS, _MAX_INFECTED_OF_FEW = 0.65, 20, 0.75

#: Largest median elongation (ratio of the axes) of the red cells, where there are at least so many:
#: where the nuclei of a bird's red cells are taken for cells, it is 1.6 to 1.8. It is at most 1.47
#: in thin smears of 14 places in eight versions, but in pictures with few cells up to 1.7.
_MAX_ELONGATION, _ENOUGH_FOR_SHAPE = 1.55, 25

#: Largest share of the cells that may be out of distribution.
_MAX_OUT_OF_DISTRIBUTION = 0.5

#: Two flaws that say what the picture shows; and the flaws whose limit is a maximum.
_THICK, _NUCLEATED = "a thick film; only thin films are counted", "red cells with a nucleus"
_MAXIMA = {
    *(_THICK, _NUCLEATED, "most cells look infected"),
    *("overcrowded", "not a smear", "too much contrast"),
}

#: Least density of the objects that is divided by.
_FAINTEST = 0.001

#: Diameter of a red cell, in px, in the copy in which the steepness is measured. It is less where
#: the copy would have more px than the last number, or where the cells are too coarse anyway: a
#: picture of cells of 1 px must not be made 56 times larger.
_DIAMETER, _MAX_COPY = 56, 64_000_000

#: About this many pixels give the same percentile as all of them.
_SAMPLE = 50_000


def find_flaws(
    pixels: Pixels, segmentation: Segmentation, cells: Sequence[Cell]
) -> tuple[Flaw, ...]:
    """Return the flaws of a field, uint8 `[H, W, 3]` in RGB: none where it is reliable."""
    return tuple(flaw for flaw in _measured(pixels, segmentation, cells) if _is_beyond(flaw))


def _measured(pixels: Pixels, segmentation: Segmentation, cells: Sequence[Cell]) -> Iterator[Flaw]:
    """Yield every measure with its limit, also where it is within the limit."""
    yield Flaw("too dark", "brightness of the background", _brightness(pixels), _MIN_BRIGHTNESS)
    diameter, coverage = segmentation.diameter, segmentation.coverage
    fewest = _MIN_CELLS if coverage < _COVERED else _MIN_CELLS_IF_COVERED
    if len(cells) < fewest:
        yield Flaw("empty or not a smear", "red cells", len(cells), fewest)
        return
    yield Flaw("too pale", "density of the objects", float(segmentation.stain[1]), _MIN_STAIN)
    yield from _film(segmentation, cells)
    densest = float(segmentation.stain.max())
    yield Flaw("too much contrast", "density of the objects in one channel", densest, _MAX_STAIN)
    yield Flaw("too coarse", "diameter of the red cells in px", diameter, _MIN_DIAMETER)
    steepness = _steepness(pixels, segmentation)
    yield Flaw("out of focus", "steepness of the cells' edges", steepness, _MIN_STEEPNESS)
    if len(cells) >= _ENOUGH_FOR_CONTRAST:
        contrast = segmentation.densest / max(float(segmentation.stain[1]), _FAINTEST)
        measure = "density of the densest spot over that of the red cells"
        yield Flaw("too little contrast", measure, contrast, _MIN_CONTRAST)
    yield Flaw("overcrowded", "share covered by objects", coverage, _MAX_COVERAGE)
    clumps = sum(one.kind == "clump" for one in segmentation.objects)
    yield Flaw("overcrowded", "clumps per red cell", clumps / len(cells), _MAX_CLUMPS)
    unlike = float(np.mean([cell.reason == OUT_OF_DISTRIBUTION for cell in cells]))
    yield Flaw(
        "not a smear", "share of cells unlike those trained on", unlike, _MAX_OUT_OF_DISTRIBUTION
    )


def _film(segmentation: Segmentation, cells: Sequence[Cell]) -> Iterator[Flaw]:
    """Yield the measures of a thin film of human blood: many convex cells, few white ones."""
    outlines = [cell.corners() for cell in cells]
    median, upper = map(float, np.percentile([*map(_convexity, outlines)], (50, 75)))
    yield Flaw("not a thin film", "convexity of the red cells", upper, _MIN_CONVEXITY)
    review = float(np.mean([cell.decision == REVIEW for cell in cells]))
    if review > _MUCH_REVIEW:
        measure = "median convexity, with many cells for review"
        yield Flaw("not a thin film", measure, median, _MIN_MEDIAN_CONVEXITY)
    nuclei = segmentation.nuclei
    if nuclei >= _MANY_NUCLEI:
        yield Flaw(_THICK, "nuclei per red cell", nuclei / len(cells), _MAX_NUCLEI)
    infected = float(np.mean([cell.decision == PARASITIZED for cell in cells]))
    measure = "share of cells called infected or for review"
    most = _MAX_INFECTED if len(cells) >= MANY_CELLS else _MAX_INFECTED_OF_FEW
    yield Flaw("most cells look infected", measure, infected + review, most)
    if len(cells) >= _ENOUGH_FOR_SHAPE:
        elongation = float(np.median([*map(_elongation, outlines)]))
        yield Flaw(_NUCLEATED, "median elongation", elongation, _MAX_ELONGATION)


def _convexity(corners: Ints) -> float:
    """Return the area of an outline, int32 `[n, 2]`, over that of its convex hull, 0..1."""
    hull = cv2.contourArea(cv2.convexHull(corners))
    return cv2.contourArea(corners) / hull if hull else 0.0


def _elongation(corners: Ints) -> float:
    """Return the elongation of the inside of an outline, int32 `[n, 2]`: 1 or more."""
    m = cv2.moments(corners)
    return axis_ratio(m["mu20"], m["mu02"], m["mu11"])


def _is_beyond(flaw: Flaw) -> bool:
    return flaw.value > flaw.limit if flaw.what in _MAXIMA else flaw.value < flaw.limit


def _brightness(pixels: Pixels) -> float:
    """Return the 95th percentile of the brightest channel, in a copy of half the size."""
    height, width = pixels.shape[:2]
    size = width // 2, height // 2
    half = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    levels = cv2.calcHist([brightest(half)], [0], None, [256], [0, 256]).astype(np.int64)
    return float(np.searchsorted(levels.cumsum(), 0.95 * levels.sum()))


def _steepness(pixels: Pixels, segmentation: Segmentation) -> float:
    """Return the steepness of the cells' edges; 0 where cells are no denser than the background."""
    green = float(segmentation.stain[1])
    if green <= 0:
        return 0.0
    height, width = pixels.shape[:2]
    smallest = max(_MIN_DIAMETER / _DIAMETER, np.sqrt(width * height / _MAX_COPY))
    scale = max(segmentation.diameter / _DIAMETER, smallest)
    density = downscaled_density(np.ascontiguousarray(pixels[..., 1]), scale)
    step = max(1, density.size // _SAMPLE)
    across, down = (
        np.ascontiguousarray(cv2.Sobel(density, -1, *axes).ravel()[::step])
        for axes in ((1, 0), (0, 1))
    )
    return float(np.percentile(cv2.magnitude(across, down) / 8, 98)) / green
