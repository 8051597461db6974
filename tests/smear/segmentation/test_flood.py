"""The watershed on OpenCV floods in the order of depth, as scikit-image's does."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from hemozoin.arrays import Levels
from hemozoin.smear.segmentation.distance import edge_distance, local_maxima
from hemozoin.smear.segmentation.splitting.watershed import _levels, flood


def discs(seed: int) -> Levels:
    """Return the mask of 60 discs, many of which overlap."""
    rng, sheet = np.random.default_rng(seed), np.zeros((200, 300), np.uint8)
    for x, y, radius in rng.integers((0, 0, 9), (300, 200, 16), (60, 3)).tolist():
        cv2.circle(sheet, (x, y), radius, 255, -1)
    return sheet


@pytest.mark.parametrize("seed", range(3))
def test_pieces_cover_the_mask_and_belong_to_the_nearest_peak_uphill(seed: int) -> None:
    segmentation = pytest.importorskip("skimage.segmentation")
    mask = discs(seed)
    distance = _levels(edge_distance(mask, 0.7))
    seeds = local_maxima(distance, 2, 27).labels
    pieces = flood(distance, seeds, mask)
    assert ((pieces > 0) == (mask > 0)).mean() > 0.99  # a sliver may have no seed
    same = segmentation.watershed(-distance.astype(int), seeds, mask=mask > 0) == pieces
    assert same[mask > 0].mean() > 0.95


def test_a_lower_part_is_reached_through_the_neck_only() -> None:
    """Two basins and a narrow bridge: the border is at the neck, not half-way."""
    mask = np.zeros((40, 100), np.uint8)
    cv2.circle(mask, (20, 20), 17, 255, -1)
    cv2.circle(mask, (60, 20), 9, 255, -1)
    mask[18:23, 20:60] = 255
    distance = _levels(edge_distance(mask, 0.7))
    seeds = np.zeros(mask.shape, np.int32)
    seeds[20, 20], seeds[20, 60] = 1, 2
    pieces = flood(distance, seeds, mask)
    assert (pieces[20, :36] < 2).all()
    assert (pieces[20, 53:69] == 2).all()


def test_a_part_without_a_seed_is_no_piece() -> None:
    mask = np.zeros((30, 60), np.uint8)
    mask[5:25, 5:25], mask[12:18, 27:55] = 255, 255
    seeds = np.zeros(mask.shape, np.int32)
    seeds[15, 15] = 1
    pieces = flood(_levels(edge_distance(mask, 0.7)), seeds, mask)
    assert (pieces[:, :26] == (mask[:, :26] > 0)).all()
    assert not pieces[:, 26:].any()
