"""Two ways to take a convolution apart, and what each saves. Both say: this is an outer product.

    spatial     a kernel is a column times a row:            h · w  multiplications become  h + w
    depthwise   kernels are a filter for each channel times  h · w · N  become  h · w + N
                a mixture of the channels (section 3.1 of arXiv 1704.04861)

A convolution here is the paper's equation 1, which doesn't flip the kernel; pictures are
[height, width, channels M], kernels [h, w, M, N] for N channels out. numpy only: it is for
reading and for checking, not for speed.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm

import numpy as np
import numpy.typing as npt

from hemozoin.arrays import Array, Floats
from hemozoin.errors import HemozoinError

#: Factors in whole numbers up to this size are shown as such; larger ones explain nothing.
_PLAIN = 1000

#: No map or kernel of a real network is larger than this in any direction.
_LARGEST = 65_536


# ---- spatial ---------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Separation:
    """A kernel beside the column and the row whose outer product is the closest to it.

    `kernel` is [h, w], `column` [h, 1], `row` [1, w]; `singular_values` [min(h, w)] come
    largest first, those within rounding error of 0 being 0.
    """

    kernel: Floats
    column: Floats
    row: Floats
    singular_values: Floats

    @property
    def rank(self) -> int:
        """The smallest number of outer products that add up to the kernel, from 1."""
        return int(np.count_nonzero(self.singular_values))

    @property
    def separable(self) -> bool:
        """Whether column times row is the kernel itself."""
        return self.rank == 1

    @property
    def product(self) -> Floats:
        """Column times row, [h, w]: the kernel, or the closest to it that there is."""
        return self.column @ self.row

    @property
    def error(self) -> float:
        """The part of the kernel that is lost, 0..1: ‖kernel − product‖ / ‖kernel‖ (Frobenius).

        By Eckart and Young (1936) no other outer product loses less.
        """
        relative = self.singular_values / self.singular_values[0]
        return float(np.linalg.norm(relative[1:]) / np.linalg.norm(relative))

    @property
    def multiplications(self) -> int:
        """Multiplications for each pixel with the kernel as it is."""
        return self.kernel.size

    @property
    def multiplications_in_turn(self) -> int:
        """Multiplications for each pixel with the column first and the row after it."""
        return self.column.size + self.row.size


def separate(kernel: npt.ArrayLike) -> Separation:
    """Find the outer product that is a kernel [h, w], or comes closest to it.

    An exact one has the smallest whole numbers in its row, such as 1 2 3, and a column that is
    whole where the kernel is; any other one shares the size evenly between column and row.

    Raises HemozoinError where the kernel isn't a grid of finite numbers, or is all zeros.
    """
    given = _grid(kernel)
    left, values, right = np.linalg.svd(given)
    # What rounding leaves of a singular value that is 0, as in numpy's matrix_rank.
    values[values <= values[0] * max(given.shape) * np.finfo(np.float64).eps] = 0
    column, row = _plain_factors(given) or _closest_factors(left, values, right)
    return Separation(given, column, row, values)


def _grid(kernel: npt.ArrayLike) -> Floats:
    try:
        grid = np.array(kernel, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise HemozoinError("kernel: give rows of equally many numbers") from error
    if grid.ndim != 2 or not grid.size or not np.isfinite(grid).all():
        raise HemozoinError("kernel: give rows of equally many finite numbers")
    if not grid.any():
        raise HemozoinError("kernel: all numbers are 0; give at least one other")
    return grid


def _plain_factors(kernel: Floats) -> tuple[Floats, Floats] | None:
    """Return the factors in small whole numbers, or None where there are none.

    Decided in fractions, so that a kernel is never taken for an outer product that it only
    almost is. Each row of an outer product is a multiple of one and the same row.
    """
    exact = [[Fraction(str(number)) for number in line] for line in kernel.tolist()]
    line = next(line for line in exact if any(line))
    whole = [int(number * lcm(*(n.denominator for n in line))) for number in line]
    row = [number // gcd(*whole) for number in whole]
    at = next(place for place, number in enumerate(row) if number)
    column = [line[at] / row[at] for line in exact]
    if max(map(abs, row)) > _PLAIN or exact != [[c * r for r in row] for c in column]:
        return None
    return np.array(column, np.float64)[:, None], np.array(row, np.float64)[None]


def _closest_factors(left: Floats, values: Floats, right: Floats) -> tuple[Floats, Floats]:
    column, row = left[:, :1], right[:1]
    # The signs are arbitrary: let the column's largest number be positive.
    root = np.sqrt(values[0]) * np.sign(column[np.abs(column).argmax(), 0])
    return column * root, row * root


# ---- depthwise -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shapes:
    """The shapes of a convolution, and what it costs whole or as a depthwise separable pair.

    `filters` kernels (N) of [*kernel, channels] go over a picture [height, width, channels]
    (M channels) that has `padding` zeros added on every side, `stride` pixels at a time.

    Raises HemozoinError where a number isn't allowed or the kernel doesn't fit.
    """

    height: int
    width: int
    channels: int
    filters: int
    kernel: tuple[int, int]
    stride: int = 1
    padding: int = 0

    def __post_init__(self) -> None:
        """Refuse what no convolution can be."""
        for name in ("height", "width", "channels", "filters", "stride"):
            _within(name, getattr(self, name), 1)
        _within("padding", self.padding, 0)
        padded = (self.height + 2 * self.padding, self.width + 2 * self.padding)
        if not all(1 <= k <= size for k, size in zip(self.kernel, padded, strict=True)):
            raise HemozoinError(
                f"kernel is {_times(self.kernel)}; give one from 1×1 to {_times(padded)}, "
                "the picture with its padding"
            )

    @property
    def output(self) -> tuple[int, int, int]:
        """Height, width and channels that come out."""
        height, width = (
            (size + 2 * self.padding - kernel) // self.stride + 1
            for size, kernel in zip((self.height, self.width), self.kernel, strict=True)
        )
        return height, width, self.filters

    @property
    def full(self) -> int:
        """Multiplications of the full convolution: D_K² · M · N · D_F² (equation 2)."""
        return self.full_weights * self._places

    @property
    def depthwise(self) -> int:
        """Multiplications of the first step: D_K² · M · D_F² (equation 4)."""
        return self._area * self.channels * self._places

    @property
    def pointwise(self) -> int:
        """Multiplications of the second step: M · N · D_F²."""
        return self.channels * self.filters * self._places

    @property
    def pair(self) -> int:
        """Multiplications of both steps (equation 5)."""
        return self.depthwise + self.pointwise

    @property
    def ratio(self) -> Fraction:
        """What the pair costs of the full convolution: 1/N + 1/D_K² (section 3.1)."""
        return Fraction(self.pair, self.full)

    @property
    def full_weights(self) -> int:
        """Numbers to learn in the full convolution."""
        return self._area * self.channels * self.filters

    @property
    def pair_weights(self) -> int:
        """Numbers to learn in both steps together."""
        return self._area * self.channels + self.channels * self.filters

    def grouped(self, groups: int) -> int:
        """Multiplications where the channels are dealt out to `groups` that don't meet.

        The full convolution is 1 group; M groups of one channel filter each by itself.
        Raises HemozoinError where `groups` doesn't divide both channels and filters.
        """
        common = gcd(self.channels, self.filters)
        if groups < 1 or common % groups:
            allowed = ", ".join(str(n) for n in range(1, common + 1) if common % n == 0)
            raise HemozoinError(
                f"groups is {groups}; give a divisor of both {self.channels} channels and "
                f"{self.filters} filters: {allowed}"
            )
        return self.full // groups

    @property
    def _area(self) -> int:
        return self.kernel[0] * self.kernel[1]

    @property
    def _places(self) -> int:
        return self.output[0] * self.output[1]


def _within(name: str, value: int, least: int) -> None:
    if not least <= value <= _LARGEST:
        raise HemozoinError(
            f"{name} is {value:,}; give a whole number from {least} to {_LARGEST:,}"
        )


def _times(sizes: tuple[int, int]) -> str:
    return f"{sizes[0]}×{sizes[1]}"


def convolve(picture: Array, kernels: Array, stride: int = 1) -> Array:
    """Filter and mix in one step (equation 1): [H, W, M] by [h, w, M, N] to [H', W', N]."""
    places = _windows(picture, kernels, stride)
    return np.asarray(np.einsum("yxmhw,hwmn->yxn", places, kernels, optimize=True))


def filter_channels(picture: Array, filters: Array, stride: int = 1) -> Array:
    """Filter each channel by itself (equation 3): [H, W, M] by [h, w, M] to [H', W', M]."""
    return np.asarray(np.einsum("yxmhw,hwm->yxm", _windows(picture, filters, stride), filters))


def mix_channels(picture: Array, weights: Array) -> Array:
    """Mix the channels of each pixel, a 1 × 1 convolution: [H, W, M] by [M, N] to [H, W, N]."""
    return picture @ weights


def product(filters: Array, weights: Array) -> Array:
    """Give the kernels that do both steps at once: [h, w, M] and [M, N] to [h, w, M, N].

    Within each channel in they are an outer product, of its filter with its weights. Kernels
    without this form can't be taken apart so: that is what the pair gives up.
    """
    return filters[..., None] * weights


def run_both(shapes: Shapes, seed: int = 0) -> tuple[int, int]:
    """Run the full convolution with the product's kernels, and the pair, on a random picture.

    Returns the largest difference between the two outputs and the largest number in them.
    Everything is drawn as whole numbers (−9 to 9), so nothing is rounded.
    """
    rng = np.random.default_rng(seed)
    height, width, channels = shapes.height, shapes.width, shapes.channels
    pad = shapes.padding
    picture = np.pad(_whole(rng, height, width, channels), ((pad, pad), (pad, pad), (0, 0)))
    filters, weights = _whole(rng, *shapes.kernel, channels), _whole(rng, channels, shapes.filters)
    once = convolve(picture, product(filters, weights), shapes.stride)
    in_turn = mix_channels(filter_channels(picture, filters, shapes.stride), weights)
    return int(np.abs(once - in_turn).max()), int(np.abs(once).max())


def _windows(picture: Array, kernels: Array, stride: int) -> Array:
    """All places of a kernel on the picture: [H, W, M] to [H', W', M, h, w], without a copy."""
    places = np.lib.stride_tricks.sliding_window_view(picture, kernels.shape[:2], axis=(0, 1))
    return places[::stride, ::stride]


def _whole(rng: np.random.Generator, *shape: int) -> Array:
    return rng.integers(-9, 10, shape)
