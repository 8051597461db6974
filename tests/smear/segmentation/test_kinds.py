"""The kind of a region that touches others: a red cell, or part of a clump."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from hemozoin.smear.segmentation.kinds import Surroundings, kind_of
from hemozoin.smear.segmentation.regions import Region


def kind_of_cell(crowding: float, spot: float = 1.0, single_cell_score: float = 0.3) -> str:
    """Return the kind of a disc among others: a share `crowding` of its surroundings is covered.

    A twentieth of it is `spot` times as dense as the rest.
    """
    disc = cv2.circle(np.zeros((60, 60), np.uint8), (30, 30), 14, 255, cv2.FILLED)
    mask = np.asarray(disc, np.uint8)
    relative = np.where(mask[..., None] > 0, np.full(3, 0.3), 0).astype(np.float32)
    relative[25:31, 25:31] *= spot
    around = Surroundings(relative, mask, np.full_like(mask, round(255 * crowding)), 615)
    box = (16, 16, 29, 29)
    return kind_of(Region(mask[16:45, 16:45], box, single_cell_score), around)


def test_a_cell_with_much_background_around_it_is_a_red_cell() -> None:
    assert kind_of_cell(crowding=0.8) == "red cell"


@pytest.mark.parametrize(("spot", "kind"), [(1.0, "clump"), (1.5, "clump"), (1.7, "red cell")])
def test_a_crowded_cell_is_a_red_cell_if_it_has_a_dense_spot(spot: float, kind: str) -> None:
    assert kind_of_cell(crowding=0.87, spot=spot) == kind


def test_a_cell_with_a_spot_is_part_of_a_clump_where_it_is_more_crowded() -> None:
    assert kind_of_cell(crowding=0.92, spot=3.0) == "clump"


def test_a_region_like_a_single_cell_is_a_red_cell_however_crowded() -> None:
    assert kind_of_cell(crowding=1.0, single_cell_score=0.8) == "red cell"
