"""Two ways to split a convolution, and what each saves. Both are outer products.

    spatial     the kernel is a column times a row:      h · w  multiplications become  h + w
    depthwise   the kernels are one filter per channel   h · w · N  become  h · w + N
                times weights that mix the channels
                (section 3.1 of arXiv 1704.04861)

"Convolution" means the paper's equation 1, which doesn't flip the kernel. Pictures are
[height, width, channels M], kernels [h, w, M, N] for N output channels. Everything is plain numpy,
written to be read and checked, not for speed.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm

import numpy as np
import numpy.typing as npt

from hemozoin.arrays import Array, Floats
from hemozoin.errors import HemozoinError, require_whole_number

#: The largest whole number in a row for which whole-number factors are shown. Larger ones do not
#: make a kernel easier to understand.
_LARGEST_FACTOR = 1000

#: The largest size allowed. No map or kernel of a real network is larger in any direction.
_LARGEST_SIZE = 65_536

#: The most divisors that a message names.
_NAMED_DIVISORS = 12


# ---- spatial ---------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Separation:
    """A kernel, and the column and row whose outer product is closest to it.

    `kernel` is [h, w], `column` [h, 1], `row` [1, w]. `singular_values` [min(h, w)] are sorted,
    largest first; values within rounding error of 0 are set to 0.
    """

    kernel: Floats
    column: Floats
    row: Floats
    singular_values: Floats

    @property
    def rank(self) -> int:
        """The smallest number of outer products whose sum is the kernel, at least 1."""
        return int(np.count_nonzero(self.singular_values))

    @property
    def separable(self) -> bool:
        """Whether column times row is exactly the kernel."""
        return self.rank == 1

    @property
    def product(self) -> Floats:
        """Column times row, [h, w]: the kernel itself or the closest outer product."""
        return self.column @ self.row

    @property
    def error(self) -> float:
        """The relative error of the product, 0..1: ‖kernel − product‖ / ‖kernel‖ (Frobenius).

        By Eckart and Young (1936) no other outer product has a smaller error.
        """
        relative = self.singular_values / self.singular_values[0]
        return float(np.linalg.norm(relative[1:]) / np.linalg.norm(relative))

    @property
    def multiplications(self) -> int:
        """Multiplications per pixel with the kernel."""
        return self.kernel.size

    @property
    def factor_multiplications(self) -> int:
        """Multiplications per pixel with the column and then the row."""
        return self.column.size + self.row.size


def separate(kernel: npt.ArrayLike) -> Separation:
    """Return the outer product that equals a kernel [h, w] or is closest to it.

    Where the product is exact, the row has the smallest possible whole numbers, such as 1 2 3, and
    the column is whole if the kernel is. Otherwise column and row have the same norm.

    Raises HemozoinError where the kernel isn't a grid of finite numbers, or is all zeros.
    """
    grid = _grid(kernel)
    left, values, right = np.linalg.svd(grid)
    # Rounding turns a singular value of 0 into a tiny number; the limit is numpy's matrix_rank's.
    values[values <= values[0] * max(grid.shape) * np.finfo(np.float64).eps] = 0
    column, row = _whole_factors(grid) or _closest_factors(left, values, right)
    return Separation(grid, column, row, values)


def _grid(kernel: npt.ArrayLike) -> Floats:
    try:
        grid = np.array(kernel, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise HemozoinError("kernel: give rows of numbers, all of the same length") from error
    if grid.ndim != 2 or not grid.size or not np.isfinite(grid).all():
        raise HemozoinError("kernel: give rows of finite numbers, all of the same length")
    if not grid.any():
        raise HemozoinError("kernel: all numbers are 0; give at least one other number")
    return grid


def _whole_factors(kernel: Floats) -> tuple[Floats, Floats] | None:
    """Return a column and a row of small whole numbers, or None where there is none.

    In an outer product every row is a multiple of the same row. This is tested with exact
    fractions, so a kernel that is only almost an outer product is not accepted.
    """
    exact = [[Fraction(str(number)) for number in line] for line in kernel.tolist()]
    line = next(line for line in exact if any(line))
    whole = [int(number * lcm(*(n.denominator for n in line))) for number in line]
    row = [number // gcd(*whole) for number in whole]
    at = next(place for place, number in enumerate(row) if number)
    column = [line[at] / row[at] for line in exact]
    if max(map(abs, row)) > _LARGEST_FACTOR or exact != [[c * r for r in row] for c in column]:
        return None
    return np.array(column, np.float64)[:, None], np.array(row, np.float64)[None]


def _closest_factors(left: Floats, values: Floats, right: Floats) -> tuple[Floats, Floats]:
    column, row = left[:, :1], right[:1]
    # The signs are arbitrary: make the column's largest number positive.
    root = np.sqrt(values[0]) * np.sign(column[np.abs(column).argmax(), 0])
    return column * root, row * root


# ---- depthwise -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shapes:
    """The shapes of a convolution, and its cost as a full convolution and as a separable pair.

    `filters` kernels (N) of [*kernel, channels] move over a picture [height, width, channels]
    (M channels) in steps of `stride` pixels; `padding` zeros are added on every side.

    Raises HemozoinError where a number isn't allowed or the kernel doesn't fit on the picture.
    """

    height: int
    width: int
    channels: int
    filters: int
    kernel: tuple[int, int]
    stride: int = 1
    padding: int = 0

    def __post_init__(self) -> None:
        """Raise HemozoinError where a number isn't allowed."""
        for name in ("height", "width", "channels", "filters", "stride"):
            require_whole_number(name, getattr(self, name), 1, _LARGEST_SIZE)
        require_whole_number("padding", self.padding, 0, _LARGEST_SIZE)
        padded = (self.height + 2 * self.padding, self.width + 2 * self.padding)
        if not all(1 <= k <= size for k, size in zip(self.kernel, padded, strict=True)):
            raise HemozoinError(
                f"kernel is {_times(self.kernel)}; give one from 1×1 to {_times(padded)}, "
                "the picture with its padding"
            )

    @property
    def output(self) -> tuple[int, int, int]:
        """Height, width and channels of the output."""
        height, width = (
            (size + 2 * self.padding - kernel) // self.stride + 1
            for size, kernel in zip((self.height, self.width), self.kernel, strict=True)
        )
        return height, width, self.filters

    @property
    def full(self) -> int:
        """Multiplications of the full convolution: D_K² · M · N · D_F² (equation 2)."""
        return self.full_weights * self._positions

    @property
    def depthwise(self) -> int:
        """Multiplications of the first step: D_K² · M · D_F² (equation 4)."""
        return self._area * self.channels * self._positions

    @property
    def pointwise(self) -> int:
        """Multiplications of the second step: M · N · D_F²."""
        return self.channels * self.filters * self._positions

    @property
    def pair(self) -> int:
        """Multiplications of both steps (equation 5)."""
        return self.depthwise + self.pointwise

    @property
    def ratio(self) -> Fraction:
        """The pair's multiplications over the full convolution's: 1/N + 1/D_K² (section 3.1)."""
        return Fraction(self.pair, self.full)

    @property
    def full_weights(self) -> int:
        """Learned numbers of the full convolution."""
        return self._area * self.channels * self.filters

    @property
    def pair_weights(self) -> int:
        """Learned numbers of both steps together."""
        return self._area * self.channels + self.channels * self.filters

    def grouped(self, groups: int) -> int:
        """Multiplications of a grouped convolution: channels are mixed only within a group.

        1 group is the full convolution; M groups of one channel filter each channel by itself.
        Raises HemozoinError where `groups` doesn't divide both channels and filters.
        """
        common = gcd(self.channels, self.filters)
        if groups < 1 or common % groups:
            divisors = [str(n) for n in range(1, common + 1) if common % n == 0]
            more = ", ..." if len(divisors) > _NAMED_DIVISORS else ""
            raise HemozoinError(
                f"groups is {groups!r:.40}; give a divisor of both {self.channels} channels and "
                f"{self.filters} filters: {', '.join(divisors[:_NAMED_DIVISORS])}{more}"
            )
        return self.full // groups

    @property
    def _area(self) -> int:
        return self.kernel[0] * self.kernel[1]

    @property
    def _positions(self) -> int:
        return self.output[0] * self.output[1]


def _times(sizes: tuple[int, int]) -> str:
    return f"{sizes[0]}×{sizes[1]}"


def convolve(picture: Array, kernels: Array, stride: int = 1) -> Array:
    """Return the full convolution (equation 1): [H, W, M] by [h, w, M, N] to [H', W', N]."""
    windows = _windows(picture, kernels, stride)
    return np.asarray(np.einsum("yxmhw,hwmn->yxn", windows, kernels, optimize=True))


def convolve_depthwise(picture: Array, filters: Array, stride: int = 1) -> Array:
    """Filter each channel by itself (equation 3): [H, W, M] by [h, w, M] to [H', W', M]."""
    return np.asarray(np.einsum("yxmhw,hwm->yxm", _windows(picture, filters, stride), filters))


def convolve_pointwise(picture: Array, weights: Array) -> Array:
    """Mix the channels of each pixel, a 1 × 1 convolution: [H, W, M] by [M, N] to [H, W, N]."""
    return picture @ weights


def combine_kernels(filters: Array, weights: Array) -> Array:
    """Return the kernels that do both steps at once: [h, w, M] and [M, N] to [h, w, M, N].

    For each input channel they are the outer product of its filter and its weights. Full kernels
    that do not have this form can't be replaced by the pair: that is the pair's limitation.
    """
    return filters[..., None] * weights


def compare_outputs(shapes: Shapes, seed: int = 0) -> tuple[int, int]:
    """Run the pair, and the full convolution with the combined kernels, on a random picture.

    Returns the largest difference between the two outputs and the largest number in them.
    All inputs are random whole numbers from −9 to 9, so nothing is rounded.
    """
    rng = np.random.default_rng(seed)
    height, width, channels = shapes.height, shapes.width, shapes.channels
    pad = shapes.padding
    picture = np.pad(
        _random_integers(rng, height, width, channels), ((pad, pad), (pad, pad), (0, 0))
    )
    filters = _random_integers(rng, *shapes.kernel, channels)
    weights = _random_integers(rng, channels, shapes.filters)
    full = convolve(picture, combine_kernels(filters, weights), shapes.stride)
    pair = convolve_pointwise(convolve_depthwise(picture, filters, shapes.stride), weights)
    return int(np.abs(full - pair).max()), int(np.abs(full).max())


def _windows(picture: Array, kernels: Array, stride: int) -> Array:
    """Return what each position of a kernel covers: [H, W, M] to [H', W', M, h, w], no copy."""
    windows = np.lib.stride_tricks.sliding_window_view(picture, kernels.shape[:2], axis=(0, 1))
    return windows[::stride, ::stride]


def _random_integers(rng: np.random.Generator, *shape: int) -> Array:
    return rng.integers(-9, 10, shape)
