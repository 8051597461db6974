"""Class-activation maps at full resolution: what each part of a cell adds to its log odds.

MobileNet ends in a mean over positions and a linear classifier, so its class-activation map (Zhou
et al. 2016, arXiv 1512.04150) is exact: the mean over its positions is the log odds of the cell.
But at 64 px it has 2 x 2 positions, and the receptive field of each is the whole cell: in none of
40 synthetic cells was the highest position on the parasite. In a map stitched from shifted copies
(Sermanet et al. 2014, arXiv 1312.6229) it was in 10, in the map computed here in all 40.

The log odds are attributed to patches of the cell, by occlusion:

    cell filled with its median colour ── one patch after the other as in the picture ── whole cell
    log odds                              difference that each patch makes               log odds

The attribution of a patch is the difference it makes, averaged over random orders: its Shapley
value, by sampling (Štrumbelj & Kononenko 2014, doi:10.1007/s10115-013-0679-x). For every order
the differences add up to the log odds of the whole cell minus those of the filled cell. So the
mean of this map is the log odds of the cell, as for the coarse map.
"""

from __future__ import annotations

import cv2
import numpy as np

from hemozoin.arrays import Bools, Floats, Ints, Pixels, batches
from hemozoin.model.predictor import Predictor
from hemozoin.model.session import BATCH
from hemozoin.threads import in_threads

#: Patches across a cell. At 64 px a patch has 8 x 8 px, a little less than a ring form.
_PATCHES = 8

#: Pairs of orders, each pair with its own grid of patches.
_PAIRS = 2


def activation_maps(predictor: Predictor, pixels: Pixels) -> Floats:
    """Return the log odds of parasitized at each pixel, float32 `[N, S, S]`.

    `pixels` are prepared cells, uint8 `[N, S, S, 3]`. The mean of each map is the log odds of
    its cell before calibration, as is the mean of `predictor.output(pixels).map`. Runs the network
    about 250 times for each cell.
    """
    orders = _orders(pixels.shape[1])
    maps = in_threads(lambda cell: _activation_map(predictor, cell, orders), pixels, at_a_time=1)
    return np.array(list(maps), np.float32).reshape(pixels.shape[:3])


def cell_mask(cell: Pixels) -> Bools:
    """Return the pixels of a prepared cell `[S, S, 3]` that are not background: bool `[S, S]`."""
    mask: Bools = cell.max(axis=2) > 0
    return mask


def _orders(size: int) -> list[Ints]:
    """Return orders in which patches are shown: the rank of each pixel's patch, int `[S, S]`.

    They come in pairs of one order and its reverse. The grids of two pairs are half a patch apart.
    """
    rng, side = np.random.default_rng(0), -(-size // _PATCHES)
    orders = []
    for pair in range(_PAIRS):
        patch = (np.arange(size) + pair * side // _PAIRS) // side
        across = patch[-1] + 1
        rank = rng.permutation(across**2)[patch[:, None] * across + patch]
        orders += [rank, rank.max() - rank]
    return orders


def _activation_map(predictor: Predictor, cell: Pixels, orders: list[Ints]) -> Floats:
    """Return the map of one cell, float `[S, S]`, smoothed across the edges of patches."""
    mean = np.mean([_attribute(predictor, cell, rank) for rank in orders], axis=0)
    sd = len(cell) / 32
    width = 2 * round(4 * sd) + 1  # beyond 4 standard deviations, weights are below .0004
    # Reflection at the border preserves the mean.
    return np.asarray(cv2.GaussianBlur(mean, (width, width), sd, borderType=cv2.BORDER_REFLECT))


def _attribute(predictor: Predictor, cell: Pixels, rank: Ints) -> Floats:
    """Return the difference that each patch makes, spread over its pixels: float `[S, S]`."""
    used = np.unique(rank[cell_mask(cell)])  # a patch of background only makes no difference
    steps = np.concatenate([[0], used + 1])
    shown = rank < steps[:, None, None]
    odds = _log_odds(predictor, np.where(shown[..., None], cell, _filled(cell)))
    difference = np.zeros(rank.max() + 1)
    difference[used] = np.diff(odds)
    per_pixel = difference / np.bincount(rank.ravel()) * rank.size
    attribution: Floats = odds[0] + per_pixel[rank]
    return attribution


def _filled(cell: Pixels) -> Pixels:
    """Return the cell with every pixel in its median colour, on the same background."""
    mask = cell_mask(cell)
    colour = np.median(cell[mask], axis=0) if mask.any() else 0
    return np.where(mask[..., None], colour, 0).astype(np.uint8)


def _log_odds(predictor: Predictor, pixels: Pixels) -> Floats:
    """Return the mean of the coarse class-activation map of each cell, `[N]`."""
    means = [
        predictor.output(batch).map.mean(axis=(1, 2), dtype=np.float64)
        for batch in batches(pixels, BATCH)
    ]
    return np.concatenate(means)
