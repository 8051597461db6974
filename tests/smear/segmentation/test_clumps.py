"""Clumps of many pieces: the same result as the plain algorithm, in bounded time and depth."""

from __future__ import annotations

import time

import numpy as np
import pytest

from hemozoin.arrays import Floats, Ints, Levels
from hemozoin.errors import DataError
from hemozoin.smear.segmentation.foreground import _fill_pallor
from hemozoin.smear.segmentation.regions import require_countable, within
from hemozoin.smear.segmentation.splitting.merge_tree import best_cut
from hemozoin.smear.segmentation.splitting.watershed import _neighbours, _Pieces


def plain_neighbours(pieces: Ints, distance: Levels, heights: Floats) -> list[tuple[int, int]]:
    necks: dict[tuple[int, int], float] = {}
    for one, other in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
        widths = np.minimum(distance[one], distance[other])
        for a, b, width in zip(pieces[one].flat, pieces[other].flat, widths.flat, strict=True):
            if a != b and a and b:
                pair = (int(min(a, b)), int(max(a, b)))
                necks[pair] = max(necks.get(pair, 0.0), float(width))
    return sorted(necks, key=lambda pair: -necks[pair] / min(heights[pair[0]], heights[pair[1]]))


@pytest.mark.parametrize("seed", range(20))
def test_neighbours_are_sorted_by_the_width_of_their_necks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pieces = np.kron(rng.integers(0, 9, (5, 6)), np.ones((3, 3), int)).astype(np.int32)
    distance = rng.choice([1, 2, 4], pieces.shape).astype(np.uint8)  # many are equally wide
    heights = np.r_[0, rng.choice([4.0, 8.0], 8)]
    found = _neighbours(_Pieces(pieces, distance, heights))
    assert found == plain_neighbours(pieces, distance, heights)


def test_a_piece_without_neighbours() -> None:
    one = _Pieces(np.ones((4, 4), np.int32), np.ones((4, 4), np.uint8), np.r_[0, 1.0])
    assert _neighbours(one) == []


@pytest.mark.slow
@pytest.mark.parametrize("count", [3, 3000])
def test_a_chain_of_pieces_is_cut_into_regions_that_cover_it(count: int) -> None:
    """Each merge adds one piece to a clump: the tree is as deep as the chain is long."""
    pieces = np.repeat(np.arange(1, count + 1, dtype=np.int32), 6)[None].repeat(6, 0)
    neighbours = [(k, k + 1) for k in range(1, count)]
    began = time.process_time()
    regions = best_cut(pieces, neighbours, np.full((*pieces.shape, 3), 0.3), area=36)
    assert time.process_time() - began < 10
    covered = np.zeros(pieces.shape, int)
    for region in regions:
        within(covered, region.box)[region.mask > 0] += 1
    assert (covered == 1).all()
    assert len(regions) == count
    assert all(region.single_cell_score > 0.9 for region in regions)


def test_a_clump_without_anything_like_a_cell_is_one_region() -> None:
    pieces = np.repeat(np.array([1, 2], np.int32), 300)[None].repeat(300, 0)
    (region,) = best_cut(pieces, [(1, 2)], np.full((*pieces.shape, 3), 0.3), area=36)
    assert region.mask.shape == (300, 600)
    assert region.mask.all()
    assert region.single_cell_score == 0


def test_the_number_of_objects_is_limited() -> None:
    large, small = np.full(2500, 600), np.full(2500, 20)
    require_countable(large, 600)
    require_countable(small[:2000], 600)
    require_countable(np.concatenate([large, small]), 600)
    require_countable(np.full(20_000, 600), 600)
    for areas in (small, np.full(20_001, 600)):
        with pytest.raises(DataError, match=f"^{len(areas):,} objects, of which .* not a field"):
            require_countable(areas, 600)


def test_holes_are_filled_that_are_noise_or_round() -> None:
    mask = np.full((200, 200), 255, np.uint8)
    y, x = np.mgrid[:200, :200]
    mask[(y - 50) ** 2 + (x - 50) ** 2 < 64] = 0  # pallor
    mask[100, 20:25] = 0  # noise: 5 px
    mask[120:150, 20:50][(y[:30, :30] <= 3) | (x[:30, :30] <= 3)] = 0  # not convex
    mask[190:, 100:110] = 0  # at the border
    filled = _fill_pallor(mask)
    assert filled[:101].all()
    assert (filled[110:] == mask[110:]).all()


def test_very_many_holes_are_refused_at_once() -> None:
    mask = np.full((1200, 1200), 255, np.uint8)
    mask.reshape(200, 6, 200, 6)[:, 1:5, :, 1:5] = 0
    began = time.process_time()
    with pytest.raises(DataError, match="40,000 holes in objects: not a field"):
        _fill_pallor(mask)
    assert time.process_time() - began < 2
