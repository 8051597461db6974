"""What augmentation may change, and what it must not."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Generator, Tensor

from hemozoin.model.transform import OUTSIDE
from hemozoin.training.augmentation import (
    ASPECT,
    NEIGHBOURS,
    SCALE,
    SHIFT,
    _shift,
    augment,
    flip,
    random_affine,
)


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def cells(count: int = 64) -> Tensor:
    """A flat healthy cell (0) with one chromatin dot, on bare glass."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, 33), torch.linspace(-1, 1, 33), indexing="ij")
    cell = torch.where(x**2 + y**2 < 0.8, 0.0, OUTSIDE)
    cell[14:18, 20:24] = 4.0
    return cell.expand(count, 3, 33, 33).clone()


def test_same_seed_same_pictures_other_seed_others() -> None:
    first, again, other = (augment(cells(), seeded(s)) for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_nothing_but_glass_comes_in_from_beyond_the_edge() -> None:
    glass = torch.full((32, 3, 33, 33), OUTSIDE)
    assert torch.equal(augment(glass, seeded()), glass)


def test_what_is_outside_stays_outside_but_for_a_neighbour_in_some() -> None:
    corners = augment(cells(500), seeded())[:, :, [0, 0, -1, -1], [0, -1, 0, -1]]
    touched = (corners != OUTSIDE).any(dim=(1, 2))
    assert not touched[int(500 * NEIGHBOURS) :].any()
    assert touched[: int(500 * NEIGHBOURS)].any()


def test_a_neighbour_never_covers_the_cell() -> None:
    y, x = torch.meshgrid(torch.linspace(-1, 1, 33), torch.linspace(-1, 1, 33), indexing="ij")
    middle = (x**2 + y**2 < 0.25).expand(200, 3, 33, 33)
    marked = cells(200)
    marked[-40:] = 50.0  # who is a neighbour is unmistakable
    assert augment(marked, seeded())[:160][middle[:160]].max() < 49


def test_the_parasite_can_be_told_from_the_same_cell_without_it() -> None:
    healthy = cells(256).clamp(max=0)
    difference = augment(cells(256), seeded()) - augment(healthy, seeded())
    assert (difference.amax(dim=(1, 2, 3)) > 0.7).all()


def test_a_healthy_cell_gets_shading_and_a_rim_of_any_colour() -> None:
    seen = augment(cells(400).clamp(max=0), seeded())
    inside = seen[:, :, 12:21, 12:21]
    assert inside.std(dim=(2, 3)).amax() > 0.3
    apart = inside.mean(dim=(2, 3)).std(dim=1)  # the channels of one cell
    assert apart.max() > 0.5


def test_stain_is_as_often_stronger_as_weaker() -> None:
    flat = torch.full((1000, 3, 32, 32), 2.0)
    ratio = (augment(flat, seeded())[:, :, 16, 16] / 2).median()
    assert 0.85 < ratio < 1.2


@pytest.mark.parametrize(("down", "across"), [(0, 0), (3, -2), (-5, 4), (-8, 8), (40, 0)])
def test_shift_moves_pictures_and_lets_glass_in(down: int, across: int) -> None:
    picture = torch.randn(2, 3, 8, 8, generator=seeded())
    wide = torch.nn.functional.pad(picture, (50, 50, 50, 50), value=OUTSIDE)
    rows, columns = slice(50 - down, 58 - down), slice(50 - across, 58 - across)
    assert torch.equal(_shift(picture, down, across), wide[:, :, rows, columns])


def test_affine_maps_keep_within_their_bounds_and_cover_them() -> None:
    maps = random_affine(4000, seeded())
    across, down = maps[:, :, 0].norm(dim=1), maps[:, :, 1].norm(dim=1)
    limit = math.exp(SCALE + ASPECT)
    for length in (across, down):
        assert 1 / limit <= length.min() < 0.85
        assert 1.17 < length.max() <= limit
    assert torch.allclose((maps[:, :, 0] * maps[:, :, 1]).sum(1), torch.zeros(4000), atol=1e-5)
    determinant = torch.linalg.det(maps[:, :, :2])
    assert 0.45 < (determinant < 0).float().mean() < 0.55  # half of them mirrored
    angle = torch.atan2(-maps[:, 0, 1], maps[:, 1, 1])
    assert torch.histc(angle, 8, -math.pi, math.pi).min() > 350  # any rotation
    assert 0.95 * SHIFT < maps[:, :, 2].abs().max() <= SHIFT


def test_flip_mirrors_half_and_changes_nothing_else() -> None:
    picture = torch.randn(200, 3, 8, 8, generator=seeded())
    flipped = flip(picture, seeded())
    mirrored = (flipped == picture.flip(3)).all(dim=(1, 2, 3))
    same = (flipped == picture).all(dim=(1, 2, 3))
    assert (mirrored ^ same).all()
    assert 70 < mirrored.sum() < 130
