"""Why: what each part of a cell adds to its log odds, from the network's answers alone.

MobileNet ends in a mean over places and a linear classifier, so its class-activation map (Zhou
et al. 2016, arXiv 1512.04150) is exact: the log odds of a cell are the mean over its places. But
at 64 px it has 2 x 2 of them, and each sees the whole cell: of 40 synthetic cells, its highest
place lay on the parasite in none. Stitched together from shifted copies (Sermanet et al. 2014,
arXiv 1312.6229) it was 10, with the map below all 40.

So what the places say is traced back to where in the cell it comes from:

    plain cell ── one part after the other as it is in the picture ── whole cell
    log odds      what each part adds                                log odds

A part's share is what it adds, a mean over random orders: its Shapley value, by sampling
(Štrumbelj & Kononenko 2014, doi:10.1007/s10115-013-0679-x). The shares of every order add up to
the difference between the whole and the plain cell, so the fine map, as the coarse one, has the
log odds for its mean.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from hemozoin.arrays import Bools, Floats, Ints, Pixels, batches
from hemozoin.model.predictor import Predictor
from hemozoin.model.session import BATCH

#: Ints across a cell: of 64 px a part has 8, a little less than a ring form.
_ACROSS = 8

#: Pairs of orders, each pair on a grid of its own.
_PAIRS = 2


def activation_maps(predictor: Predictor, pixels: Pixels) -> Floats:
    """Return the log odds of parasitized at each pixel, float32 `[N, S, S]`.

    `pixels` are prepared cells, uint8 `[N, S, S, 3]`. The mean of each map is the log odds of
    its cell, before calibration: the mean of what `predictor.output(pixels).map` says. About 250
    passes of the network for each cell.
    """
    orders = _orders(pixels.shape[1])
    maps = [_trace(predictor, cell, orders) for cell in pixels]
    return np.array(maps, np.float32).reshape(pixels.shape[:3])


def _orders(size: int) -> list[Ints]:
    """Return ways to uncover a cell: each pixel's turn, from 0, int `[S, S]`.

    They come in pairs, one order and its reverse, and the grids lie half a part apart.
    """
    rng, side = np.random.default_rng(0), -(-size // _ACROSS)
    turns = []
    for pair in range(_PAIRS):
        at = (np.arange(size) + pair * side // _PAIRS) // side
        order = rng.permutation((at[-1] + 1) ** 2)
        turn = order[at[:, None] * (at[-1] + 1) + at]
        turns += [turn, turn.max() - turn]
    return turns


def _trace(predictor: Predictor, cell: Pixels, orders: list[Ints]) -> Floats:
    """Return the map of one cell, float `[S, S]`: smooth, for parts have no edges in the cell."""
    traced = np.mean([_uncover(predictor, cell, turns) for turns in orders], axis=0)
    # Reflection at the border keeps the mean as it is.
    smooth: Floats = gaussian_filter(traced, len(cell) / 32, mode="reflect")
    return smooth


def _uncover(predictor: Predictor, cell: Pixels, turns: Ints) -> Floats:
    """Uncover a plain cell part by part; return what each adds, spread over it: `[S, S]`."""
    inside = _inside(cell)
    used = np.unique(turns[inside])  # covering what lies outside the cell changes nothing
    steps = np.concatenate([[0], used + 1])
    shown = turns < steps[:, None, None]
    odds = _log_odds(predictor, np.where(shown[..., None], cell, _plain(cell)))
    added = np.zeros(turns.max() + 1)
    added[used] = np.diff(odds)
    share = added / np.bincount(turns.ravel()) * turns.size
    traced: Floats = odds[0] + share[turns]
    return traced


def _inside(cell: Pixels) -> Bools:
    """Tell what is cell and what its black surroundings: bool `[S, S]`."""
    inside: Bools = cell.max(axis=2) > 0
    return inside


def _plain(cell: Pixels) -> Pixels:
    """Return the cell in its own plain colour, without anything in it."""
    inside = _inside(cell)
    colour = np.median(cell[inside], axis=0) if inside.any() else 0
    return np.where(inside[..., None], colour, 0).astype(np.uint8)


def _log_odds(predictor: Predictor, pixels: Pixels) -> Floats:
    """Return the mean of the class-activation map of each of N cells."""
    means = [
        predictor.output(batch).map.mean(axis=(1, 2), dtype=np.float64)
        for batch in batches(pixels, BATCH)
    ]
    return np.concatenate(means)
