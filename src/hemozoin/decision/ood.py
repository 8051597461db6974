"""The input guard: is this a red cell at all?

Twelve measures of a prepared cell, each with the range that real cells keep to. A picture that
leaves one of them is strange: a photo has too many colours, a blank too few, text too many edges,
a pair of cells the wrong outline.

    outline    area · corners · outline · blocks
    stain      density · green · red
    texture    spread · grain · edges · red tints · blue tints

Nothing here looks at the network. The distance of its features from those of real cells
(Mahalanobis; Lee et al. 2018, arXiv 1807.03888) was tried and caught 1 to 39 % of the strange
pictures, where these ranges catch about 90 %: a network that sees each cell against its own colour
finds a photo much like a cell. benchmarks/doubt.py measures what is caught and what is lost.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from hemozoin.arrays import Bools, Floats, Pixels, batches
from hemozoin.errors import ModelError

#: Each measure with the room it is given below and above the range of the cells it was fitted
#: on, as a share of that range: stain and lamp differ between laboratories, forms don't. No
#: cell is too round, or absorbs too much green.
_TOLERANCE: dict[str, tuple[float, float]] = {
    "area": (0.3, 0.3),
    "corners": (np.inf, 0.1),
    "outline": (np.inf, 0.1),
    "blocks": (0.1, 0.1),
    "density": (1.0, 1.0),
    "green": (0.2, np.inf),
    "red": (0.2, np.inf),
    "spread": (0.1, 0.1),
    "grain": (0.1, 0.1),
    "edges": (0.1, 0.1),
    "red tints": (0.1, 0.1),
    "blue tints": (0.1, 0.1),
}

#: Share of the cells beyond the range at either end: dirt, and badly segmented cells.
_OUTLIERS = 0.002

#: Cells measured together: more would fall out of the cache, and 20,000 take 4 GB.
_BATCH = 64

_DENSITY = -np.log((np.arange(256, dtype=np.float32) + 1) / 256)

#: Added before a logarithm: half a grey level in a bright cell.
_FLOOR = 0.003


@dataclass(frozen=True, eq=False)
class OutOfDistributionDetector:
    """The range of each measure, float32 `[12]`; a cell is strange outside of one of them."""

    low: Floats
    high: Floats

    def is_out_of_distribution(self, pixels: Pixels) -> Bools:
        """Tell which of the pictures are no red cell: bool `[N]`.

        `pixels` is uint8 `[N, S, S, 3]`, 0 outside the cell, S as in fitting.
        """
        found = cell_measures(pixels)
        strange: Bools = np.any((found < self.low) | (found > self.high), axis=1)
        return strange

    def to_arrays(self) -> dict[str, Floats]:
        """Return the arrays by name, to be stored."""
        return asdict(self)

    @classmethod
    def from_arrays(cls, arrays: dict[str, Floats]) -> OutOfDistributionDetector:
        """Take what `to_arrays` gave; raises ModelError where it is something else."""
        shapes = {name: array.shape for name, array in arrays.items()}
        if shapes != {"low": (len(_TOLERANCE),), "high": (len(_TOLERANCE),)}:
            raise ModelError("guard.safetensors: made by another version of hemozoin")
        return cls(**arrays)


def fit_ood_detector(pixels: Pixels) -> OutOfDistributionDetector:
    """Learn the ranges from real cells, uint8 `[N, S, S, 3]`: the more patients, the better.

    Cells that the network was trained on will do, since only the pixels are looked at.
    """
    found = np.concatenate([cell_measures(batch) for batch in batches(pixels, _BATCH)])
    low, high = np.quantile(found, (_OUTLIERS, 1 - _OUTLIERS), axis=0)
    below, above = np.array(list(_TOLERANCE.values())).T
    width = np.maximum(high - low, 1e-3)
    return OutOfDistributionDetector(
        (low - below * width).astype(np.float32), (high + above * width).astype(np.float32)
    )


def cell_measures(pixels: Pixels) -> Floats:
    """Return the twelve measures of prepared cells: float32 `[N, 12]`, in the order of `_ROOM`.

    `pixels` is uint8 `[N, S, S, 3]`, 0 outside the cell. All is finite, even where none is.
    """
    # A plane per channel: strides of three would make all that follows five times slower.
    planes = np.ascontiguousarray(np.moveaxis(pixels, 3, 0))
    inside: Bools = (planes[0] | planes[1] | planes[2]) > 0
    density = _DENSITY[planes]
    columns = [*_outline(inside), *_stain(density, inside), *_texture(density, inside)]
    return np.stack(columns, axis=1).astype(np.float32)


def _outline(inside: Bools) -> list[Floats]:
    """Return area, corners, outline and blocks of bool `[N, S, S]`, each `[N]`.

    area: share of the square; pi / 4 for a disc. corners: share of the four squares of a tenth
    of the side. outline: log of the steps across the outline, 0 for a convex form that touches
    all four sides. blocks: share of neighbouring rows and columns that are alike; many in a form
    with straight sides, or one cut out of a much smaller picture.
    """
    size = inside.shape[1]
    ends = np.r_[: size // 10, size - size // 10 : size]
    ringed = np.pad(inside, ((0, 0), (1, 1), (1, 1)))
    down, across = ringed[:, 1:] != ringed[:, :-1], ringed[:, :, 1:] != ringed[:, :, :-1]
    steps = down.sum(axis=(1, 2)) + across.sum(axis=(1, 2))
    changes = down[:, 1:-1].any(axis=2).mean(axis=1) + across[:, :, 1:-1].any(axis=1).mean(axis=1)
    corners = inside[:, ends][:, :, ends].mean(axis=(1, 2))
    return [inside.mean(axis=(1, 2)), corners, np.log((steps + 1) / (4 * size)), 1 - changes / 2]


def _stain(density: Floats, inside: Bools) -> list[Floats]:
    """Return density, green and red of optical densities `[3, N, S, S]`, each `[N]`.

    density: log of the mean. green: by how much green is absorbed more than any other channel;
    haemoglobin and eosin do that. red: by how much red is absorbed less than blue.
    """
    red, green, blue = (_mean(channel, inside) for channel in density)
    mean = (red + green + blue) / 3
    return [np.log(mean + _FLOOR), green - np.maximum(red, blue), blue - red]


def _texture(density: Floats, inside: Bools) -> list[Floats]:
    """Return the logs of spread, grain, edges, red tints and blue tints, each `[N]`.

    All of them away from the rim. spread: standard deviation of the density. grain: mean of
    its Laplacian's absolute value; high in noise, low in a blur. edges: mean of its gradient's.
    tints: standard deviations of the differences to green.
    """
    away = inside[:, 1:-1, 1:-1] & inside[:, 2:, 1:-1] & inside[:, :-2, 1:-1]
    away &= inside[:, 1:-1, 2:] & inside[:, 1:-1, :-2]
    grey = density.mean(axis=0)
    up, down = grey[:, :-2, 1:-1], grey[:, 2:, 1:-1]
    left, right = grey[:, 1:-1, :-2], grey[:, 1:-1, 2:]
    middle = grey[:, 1:-1, 1:-1]
    red, green, blue = density[:, :, 1:-1, 1:-1]
    measures = [
        _spread(middle, away),
        _mean(np.abs(4 * middle - up - down - left - right), away),
        _mean(np.abs(right - left) + np.abs(down - up), away),
        _spread(red - green, away),
        _spread(blue - green, away),
    ]
    return [np.log(measure + _FLOOR) for measure in measures]


def _mean(values: Floats, where: Bools) -> Floats:
    total: Floats = (values * where).sum(axis=(1, 2)) / where.sum(axis=(1, 2)).clip(min=1)
    return total


def _spread(values: Floats, where: Bools) -> Floats:
    return np.sqrt(_mean((values - _mean(values, where)[:, None, None]) ** 2, where))
