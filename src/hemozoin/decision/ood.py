"""The out-of-distribution detector: does a picture show a red cell?

Each of twelve measures of a prepared cell has a range that real cells stay in. A picture outside
one of the ranges is out of distribution: a photo has too many colours, a blank picture too few,
text too many edges, two cells the wrong outline.

    outline    area · sides · outline · blocks
    stain      density · green · red
    texture    spread · grain · edges · red tints · blue tints

The detector does not use the network. The Mahalanobis distance of the network's features from
those of real cells (Lee et al. 2018, arXiv 1807.03888) detected 1 to 39 % of such pictures; these
ranges detect about 93 %. A network that sees densities relative to the cell's own mean finds a
photo similar to a cell. benchmarks/out_of_distribution.py measures how many pictures are detected
and how many real cells are lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from hemozoin.arrays import Bools, Floats, Ints, Pixels, batches
from hemozoin.errors import ModelError
from hemozoin.optics import optical_density

#: The tolerance of each measure below and above the range of the cells it was fitted on, as a
#: share of that range. Stain and lamp differ between laboratories, shapes don't. Infinite where
#: no value is too extreme: a cell can't be too round or absorb too much green. Colours may differ
#: little towards those of a nucleus of a white cell, or of exchanged channels: there, other stains
#: are measured against their own background (`smear.classification`). Much grain is a camera's that
#: sharpens; of 1,400 strange pictures of 38 kinds, one more passes than with a tolerance of 0.1.
_TOLERANCE: dict[str, tuple[float, float]] = {
    "area": (0.3, 0.3),
    "sides": (np.inf, 0.4),
    "outline": (np.inf, 0.1),
    "blocks": (0.1, 0.1),
    "density": (1.0, 1.0),
    "green": (0.1, np.inf),
    "red": (0.05, np.inf),
    "spread": (0.1, 0.1),
    "grain": (0.1, 0.4),
    "edges": (0.1, 0.1),
    "red tints": (0.1, 0.1),
    "blue tints": (0.1, 0.1),
}

#: The range of `sides` as fitted to the cells of 160 patients ends here.
_MOST_SIDES = 0.55

#: The measures that depend on stain, optics and camera more than on the cell.
STAIN_AND_TEXTURE = (
    *("density", "green", "red"),
    *("spread", "grain", "edges", "red tints", "blue tints"),
)

#: The measures of contrast. A parasite and its pigment give a cell more of it.
_CONTRAST = ("spread", "grain", "edges")

#: Share of the fitted cells outside the range at either end: dirt, and badly segmented cells.
_OUTLIERS = 0.002

#: Cells that are measured at a time: more would not fit the cache of a core.
_BATCH = 8

#: Optical density by level: looking it up is faster than computing it for each pixel.
_DENSITY = optical_density(np.arange(256))

#: A pixel and its four neighbours.
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))

#: Added to a value before its logarithm: half a grey level in a bright cell.
FLOOR = 0.003


@dataclass(frozen=True, eq=False)
class OutOfDistributionDetector:
    """The range of each measure, float32 `[12]`; outside of one, a cell is out of distribution."""

    low: Floats
    high: Floats

    def is_out_of_distribution(self, pixels: Pixels) -> Bools:
        """Return which pictures do not show a red cell: bool `[N]`.

        `pixels` is uint8 `[N, S, S, 3]`, 0 outside the cell, with the S of the fitted cells.
        """
        return self.is_outside(cell_measures(pixels))

    def is_outside(self, measures: Floats) -> Bools:
        """Return which cells, by the `[N, 12]` of `cell_measures`, are outside of a range."""
        outside: Bools = np.any((measures < self.low) | (measures > self.high), axis=1)
        return outside

    def ignoring_contrast(self) -> OutOfDistributionDetector:
        """Return a detector to which no contrast is too strong."""
        contrast = [name in _CONTRAST for name in _TOLERANCE]
        high = np.where(contrast, np.float32(np.inf), self.high)
        return OutOfDistributionDetector(self.low, high)

    def to_arrays(self) -> dict[str, Floats]:
        """Return the range of each measure by its name, float32 `[2]`, as a file stores them."""
        return dict(zip(_TOLERANCE, np.stack([self.low, self.high], axis=1), strict=True))

    @classmethod
    def from_arrays(cls, arrays: dict[str, Floats]) -> OutOfDistributionDetector:
        """Read the arrays of `to_arrays`, or those of an older model folder.

        Raises ModelError for other arrays, and where a range is empty or not a number. A range may
        be open: -∞ as the low end, or ∞ as the high end.
        """
        if _shapes(arrays) == dict.fromkeys(("low", "high"), ("float32", (len(_TOLERANCE),))):
            arrays = _by_name(arrays)
        if _shapes(arrays) != dict.fromkeys(_TOLERANCE, ("float32", (2,))):
            raise ModelError("guard.safetensors: made by another version of hemozoin")
        low, high = np.stack([arrays[name] for name in _TOLERANCE], axis=1)
        valid = (low <= high) & (low < np.inf) & (high > -np.inf)  # False for NaN
        if not valid.all():
            measure = [*_TOLERANCE][int(valid.argmin())]
            raise ModelError(
                f"guard.safetensors: the range of {measure} is empty or not a number; copy the"
                " model folder again"
            )
        return cls(low, high)


def _shapes(arrays: dict[str, Floats]) -> dict[str, tuple[str, tuple[int, ...]]]:
    return {name: (str(array.dtype), array.shape) for name, array in arrays.items()}


def _by_name(arrays: dict[str, Floats]) -> dict[str, Floats]:
    """Return the ranges of an older model folder by name, with that of `sides` on NLM's cells."""
    ranges = dict(zip(_TOLERANCE, np.stack([arrays["low"], arrays["high"]], axis=1), strict=True))
    return {**ranges, "sides": np.array([-np.inf, _MOST_SIDES], np.float32)}


def fit_ood_detector(pixels: Pixels) -> OutOfDistributionDetector:
    """Fit the ranges to real cells, uint8 `[N, S, S, 3]`, of as many patients as possible.

    The network's training cells may be used: the detector depends on pixels, not on the network.
    """
    low, high = np.quantile(cell_measures(pixels), (_OUTLIERS, 1 - _OUTLIERS), axis=0)
    below, above = np.array(list(_TOLERANCE.values())).T
    width = np.maximum(high - low, 1e-3)
    return OutOfDistributionDetector(
        (low - below * width).astype(np.float32), (high + above * width).astype(np.float32)
    )


def cell_measures(pixels: Pixels) -> Floats:
    """Return the measures of prepared cells: float32 `[N, 12]`, in the order of `_TOLERANCE`.

    `pixels` is uint8 `[N, S, S, 3]`, 0 outside the cell. All measures are finite, even for a
    black picture.
    """
    return _in_batches(_measures, pixels, len(_TOLERANCE))


def cell_stain_and_texture(pixels: Pixels) -> Floats:
    """Return `stain_and_texture(cell_measures(pixels))`; the outline is not measured."""
    return _in_batches(_stain_and_texture, pixels, len(STAIN_AND_TEXTURE))


def stain_and_texture(measures: Floats) -> Floats:
    """Return the measures of stain and texture, `[N, 8]`, of all measures `[N, 12]`."""
    return measures[:, [[*_TOLERANCE].index(name) for name in STAIN_AND_TEXTURE]]


def _in_batches(
    measure: Callable[[Floats, Bools], list[Floats]], pixels: Pixels, count: int
) -> Floats:
    """Return `count` measures of cells `[N, S, S, 3]`, from their densities and masks."""
    parts = [
        np.stack(measure(*_density_and_mask(batch)), axis=1).astype(np.float32)
        for batch in batches(pixels, _BATCH)
    ]
    return np.concatenate([*parts, np.empty((0, count), np.float32)])


def _density_and_mask(pixels: Pixels) -> tuple[Floats, Bools]:
    """Return optical densities, float32 `[3, N, S, S]`, and what is in the cell, `[N, S, S]`."""
    # One plane per channel: interleaved channels would make the measures five times slower.
    column = pixels.reshape(-1, *pixels.shape[2:])  # one picture below the other, for OpenCV
    planes = np.empty((3, *column.shape[:2]), np.uint8)
    cv2.split(column, [*planes])
    inside: Bools = (planes[0] | planes[1] | planes[2]) > 0
    density = np.asarray(cv2.LUT(planes.reshape(-1, 1), _DENSITY), np.float32)
    return density.reshape(3, *pixels.shape[:3]), inside.reshape(pixels.shape[:3])


def _measures(density: Floats, inside: Bools) -> list[Floats]:
    return [*_outline(inside), *_stain_and_texture(density, inside)]


def _stain_and_texture(density: Floats, inside: Bools) -> list[Floats]:
    return [*_stain(density, inside), *_texture(density, inside)]


def _outline(inside: Bools) -> list[Floats]:
    """Return area, sides, outline and blocks of bool `[N, S, S]`, each `[N]`.

    area: share of the picture; pi / 4 for a disc. sides: the share of a side of the picture that
    the shape covers, for the upright and the level side with the most, the smaller of the two; it
    is near 1 for a cell cut at a corner, and for a shape that fills the picture. outline: log of
    the perimeter in pixel edges over 4 S, 0 for a convex shape that touches all four sides. blocks:
    share of neighbouring rows and columns that are equal; high for a shape with straight sides, and
    for one enlarged from a much smaller picture.
    """
    size = inside.shape[1]
    # Eight pixels in a byte: what is counted and compared is an eighth.
    rows, columns = np.packbits(inside, axis=2), np.packbits(inside, axis=1)
    down, across = rows[:, 1:] ^ rows[:, :-1], columns[:, :, 1:] ^ columns[:, :, :-1]
    level, upright = inside[:, [0, -1]].sum(axis=2), inside[:, :, [0, -1]].sum(axis=1)
    at_edge = level.sum(axis=1) + upright.sum(axis=1)
    perimeter = _count_bits(down) + _count_bits(across) + at_edge
    changes = down.any(axis=2).mean(axis=1) + across.any(axis=1).mean(axis=1)
    return [
        _count_bits(rows) / size**2,
        np.minimum(level.max(axis=1), upright.max(axis=1)) / size,
        np.log((perimeter + 1) / (4 * size)),
        1 - changes / 2,
    ]


def _count_bits(packed: Pixels) -> Ints:
    """Return the number of ones in bytes `[N, h, w]`, `[N]`."""
    return np.asarray(np.bitwise_count(packed).sum(axis=(1, 2), dtype=np.int64))


def _stain(density: Floats, inside: Bools) -> list[Floats]:
    """Return density, green and red of optical densities `[3, N, S, S]`, each `[N]`.

    density: log of the mean. green: density in green minus the larger of the other two, positive
    for haemoglobin and eosin. red: density in blue minus density in red.
    """
    region = _Region(inside)
    red, green, blue = (region.mean(channel) for channel in density)
    mean = (red + green + blue) / 3
    return [np.log(mean + FLOOR), green - np.maximum(red, blue), blue - red]


def _texture(density: Floats, inside: Bools) -> list[Floats]:
    """Return the logs of spread, grain, edges, red tints and blue tints, each `[N]`.

    The densities are overwritten.
    All are measured off the rim of the cell, on pixels whose four neighbours are in the cell.
    spread: standard deviation of the density. grain: mean absolute Laplacian of the density, high
    for noise, low for blur. edges: mean absolute gradient. tints: standard deviations of red and
    blue density minus green density.
    """
    interior = _Region(_eroded(inside))
    red, green, blue = density
    # Arrays are used again where they can be: the system gives a new one page by page, and each
    # page costs as much as working on it.
    grey = red + green
    grey += blue
    grey /= 3
    grain, edges = (interior.mean(change.reshape(grey.shape)) for change in _changes(grey))
    measures = [
        interior.deviation(grey),
        grain,
        edges,
        interior.deviation(np.subtract(red, green, out=red)),
        interior.deviation(np.subtract(blue, green, out=blue)),
    ]
    return [np.log(measure + FLOOR) for measure in measures]


def _changes(grey: Floats) -> Iterator[Floats]:
    """Yield the absolute Laplacian and then the absolute gradient of densities `[N, S, S]`.

    Both are one picture below the other, `[N S, S]`, and in the same memory.
    """
    column = grey.reshape(-1, grey.shape[2])  # at a picture's edge, nothing is in the interior
    change = np.asarray(cv2.Laplacian(column, cv2.CV_32F, ksize=1), np.float32)
    yield np.abs(change, out=change)
    across = np.asarray(cv2.Sobel(column, cv2.CV_32F, 1, 0, change, ksize=1), np.float32)
    down = np.asarray(cv2.Sobel(column, cv2.CV_32F, 0, 1, ksize=1), np.float32)
    np.abs(across, out=across)
    across += np.abs(down, out=down)
    yield across


def _eroded(inside: Bools) -> Bools:
    """Return which pixels of `[N, S, S]` have their four neighbours inside, too."""
    column = inside.view(np.uint8).reshape(-1, inside.shape[2])
    eroded = np.asarray(cv2.erode(column, _CROSS)).reshape(inside.shape)
    eroded[:, [0, -1]] = eroded[:, :, [0, -1]] = 0
    return eroded.view(np.bool_)


class _Region:
    """The pixels of N pictures that are in a mask, bool `[N, H, W]`."""

    def __init__(self, mask: Bools) -> None:
        self._weights = mask.astype(np.float32)
        self._counts = np.count_nonzero(mask, axis=(1, 2)).clip(min=1)

    def mean(self, values: Floats) -> Floats:
        """Return the mean of `[N, H, W]` over each picture's mask, `[N]`; 0 for an empty mask."""
        total: Floats = np.einsum("nhw,nhw->n", values, self._weights)
        mean: Floats = total / self._counts
        return mean

    def deviation(self, values: Floats) -> Floats:
        """Return the standard deviation of `[N, H, W]` over the mask of each picture, `[N]`.

        The values are overwritten.
        """
        values -= self.mean(values)[:, None, None].astype(np.float32)
        values *= self._weights
        variance: Floats = np.einsum("nhw,nhw->n", values, values) / self._counts
        return np.sqrt(variance)
