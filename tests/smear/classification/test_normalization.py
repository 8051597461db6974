"""Cells of other light and stain, as the slides of the training cells would show them."""

from __future__ import annotations

import numpy as np
import pytest

from hemozoin.arrays import Floats, Pixels
from hemozoin.optics import optical_density
from hemozoin.smear.classification.normalization import FieldStain
from hemozoin.smear.field import SmearObject

#: Optical density of glass and of healthy cells in NLM's pictures, in red, green and blue.
GLASS, HEALTHY = np.array([0.10, 0.16, 0.19]), np.array([0.309, 0.489, 0.464])

HERE = SmearObject("red cell", 40, 40, 20, 20, ((40, 40), (60, 40), (60, 60)))


def levels(density: Floats) -> Floats:
    return np.asarray(np.rint(256 * np.exp(-density) - 1).clip(1, 255))


def cell(background: Floats, stain: Floats) -> Pixels:
    """Return a prepared cell: cytoplasm, a parasite of twice its density, black around both."""
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[2:14, 2:14] = levels(background + stain)
    pixels[5:8, 5:8] = levels(background + 2 * stain)
    return pixels


def field_stain(background: Floats, stain: Floats) -> FieldStain:
    return FieldStain(np.broadcast_to(background, (16, 16, 3)), stain, 100, 100)


@pytest.mark.parametrize(
    ("background", "stain"),
    [
        ([0.05, 0.1, 0.9], [0.15, 0.2, 0.15]),  # yellow glass
        ([0.9, 1.1, 1.5], [0.25, 0.4, 0.2]),  # dark brown
        ([0.02, 0.02, 0.02], [0.6, 0.9, 0.4]),  # dark blue cells
    ],
)
def test_the_detector_sees_glass_and_cells_of_the_training_slides(
    background: list[float], stain: list[float]
) -> None:
    glass, own = np.array(background), np.array(stain)
    [seen] = optical_density(field_stain(glass, own).for_detector(cell(glass, own)[None], [HERE]))
    assert seen[3, 3] == pytest.approx(HEALTHY, abs=0.05)
    assert seen[6, 6] == pytest.approx(2 * HEALTHY - GLASS, abs=0.08)


def test_outside_of_the_cell_stays_black() -> None:
    stain = field_stain(GLASS, np.full(3, 0.9))
    pixels = cell(GLASS, np.full(3, 0.9))
    for change in (stain.for_detector, stain.for_network):
        [changed] = change(pixels[None], [HERE])
        assert ((changed == 0).all(axis=2) == (pixels == 0).all(axis=2)).all()


def test_a_weak_stain_is_not_amplified_without_limit() -> None:
    faint = np.full(3, 0.001)
    [seen] = field_stain(GLASS, faint).for_detector(cell(GLASS, np.full(3, 0.05))[None], [HERE])
    assert optical_density(seen)[3, 3] == pytest.approx(GLASS + 2.5 * 0.05, abs=0.02)


def seen_by_network(own: Floats) -> Floats:
    """Return the stain that the network sees in a cell whose field has the stain `own`."""
    [seen] = optical_density(field_stain(GLASS, own).for_network(cell(GLASS, own)[None], [HERE]))
    return np.asarray(seen[3, 3] - GLASS)


def test_the_network_sees_a_stain_like_nlms_as_it_is() -> None:
    own = 1.1 * (HEALTHY - GLASS)
    assert seen_by_network(own) == pytest.approx(own, abs=0.02)


def test_the_network_sees_a_tint_half_way_to_nlms() -> None:
    own = np.array([0.1, 0.4, 0.3])
    target = (HEALTHY - GLASS) / (HEALTHY - GLASS).mean()
    half_way = np.sqrt(own / own.mean() * target) * own.mean()
    assert seen_by_network(own) == pytest.approx(half_way, abs=0.02)


def test_the_network_sees_a_dark_stain_weaker() -> None:
    seen = seen_by_network(2 * (HEALTHY - GLASS))
    assert seen.mean() == pytest.approx(0.42, abs=0.02)
    assert seen / seen.mean() == pytest.approx(
        (HEALTHY - GLASS) / (HEALTHY - GLASS).mean(), abs=0.05
    )


@pytest.mark.parametrize("own", [[0.0, 0.3, 0.2], [-0.1, 0.4, 0.2], [0.0, 0.0, 0.0]])
def test_a_channel_without_stain_is_not_amplified_without_limit(own: list[float]) -> None:
    pixels = cell(GLASS, np.full(3, 0.05))
    [seen] = field_stain(GLASS, np.array(own)).for_network(pixels[None], [HERE])
    assert (optical_density(seen)[3, 3] - GLASS <= 2.5 * 0.05 + 0.02).all()


def test_each_cell_has_the_background_around_it() -> None:
    background = np.zeros((16, 16, 3))
    background[:, 8:] = 0.5  # the right half of the field is darker
    stain = FieldStain(background, HEALTHY - GLASS, 100, 100)
    left = SmearObject("red cell", 5, 40, 20, 20, ())
    right = SmearObject("red cell", 75, 40, 20, 20, ())
    own = HEALTHY - GLASS
    cells = np.stack([cell(np.full(3, glass), own) for glass in (0.0, 0.5)])
    seen = stain.for_detector(cells, [left, right])[:, 3, 3].astype(int)
    assert np.abs(seen[0] - seen[1]).max() <= 3
