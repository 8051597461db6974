"""Augmentation: it changes what it should, within its limits, and nothing else."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Generator, Tensor

from hemozoin.model.transform import BACKGROUND
from hemozoin.training.augmentation import (
    ASPECT,
    NEIGHBOURS,
    SCALE,
    SHIFT,
    _shift,
    affine_grid,
    augment,
    blur,
    flip,
    move,
    random_affine,
    resize,
)


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def cells(count: int = 64) -> Tensor:
    """Return flat healthy cells (0), each with a dot of chromatin, on background."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, 33), torch.linspace(-1, 1, 33), indexing="ij")
    cell = torch.where(x**2 + y**2 < 0.8, 0.0, BACKGROUND)
    cell[14:18, 20:24] = 4.0
    return cell.expand(count, 3, 33, 33).clone()


def test_the_seed_decides_the_pictures() -> None:
    first, again, other = (augment(cells(), seeded(s)) for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_background_alone_stays_background() -> None:
    background = torch.full((32, 3, 33, 33), BACKGROUND)
    assert torch.equal(augment(background, seeded()), background)


def test_background_stays_background_except_for_neighbours_in_some() -> None:
    corners = augment(cells(500), seeded())[:, :, [0, 0, -1, -1], [0, -1, 0, -1]]
    with_neighbour = (corners != BACKGROUND).any(dim=(1, 2))
    assert not with_neighbour[int(500 * NEIGHBOURS) :].any()
    assert with_neighbour[: int(500 * NEIGHBOURS)].any()


def test_a_neighbour_never_covers_the_cell() -> None:
    y, x = torch.meshgrid(torch.linspace(-1, 1, 33), torch.linspace(-1, 1, 33), indexing="ij")
    middle = (x**2 + y**2 < 0.25).expand(200, 3, 33, 33)
    marked = cells(200)
    marked[-40:] = 50.0  # the neighbours are taken from these
    assert augment(marked, seeded())[:160][middle[:160]].max() < 49


def test_a_parasite_remains_visible() -> None:
    healthy = cells(256).clamp(max=0)
    difference = augment(cells(256), seeded()) - augment(healthy, seeded())
    assert (difference.amax(dim=(1, 2, 3)) > 0.7).all()


def test_a_healthy_cell_gets_shading_and_a_rim_of_any_colour() -> None:
    augmented = augment(cells(400).clamp(max=0), seeded())
    inside = augmented[:, :, 12:21, 12:21]
    assert inside.std(dim=(2, 3)).amax() > 0.3
    spread = inside.mean(dim=(2, 3)).std(dim=1)  # the channels of one cell
    assert spread.max() > 0.5


def test_stain_gets_stronger_as_often_as_weaker() -> None:
    flat = torch.full((1000, 3, 32, 32), 2.0)
    ratio = (augment(flat, seeded())[:, :, 16, 16] / 2).median()
    assert 0.85 < ratio < 1.2


@pytest.mark.parametrize(("down", "across"), [(0, 0), (3, -2), (-5, 4), (-8, 8), (40, 0)])
def test_shift_moves_pictures_and_fills_with_background(down: int, across: int) -> None:
    picture = torch.randn(2, 3, 8, 8, generator=seeded())
    wide = torch.nn.functional.pad(picture, (50, 50, 50, 50), value=BACKGROUND)
    rows, columns = slice(50 - down, 58 - down), slice(50 - across, 58 - across)
    assert torch.equal(_shift(picture, down, across), wide[:, :, rows, columns])


def test_affine_maps_stay_within_their_limits_and_reach_them() -> None:
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


def discs(count: int = 64) -> Tensor:
    """Return pictures of a disc of one colour on black, uint8 `[count, 33, 33, 3]`."""
    inside = cells(count).permute(0, 2, 3, 1) != BACKGROUND
    return (inside * torch.tensor([200, 90, 5])).to(torch.uint8)


@pytest.mark.parametrize("size", [8, 32, 33, 64])
def test_a_moved_cell_has_the_size_asked_for_and_no_new_colour(size: int) -> None:
    moved = move(discs(), size, seeded())
    assert moved.shape == (64, size, size, 3)
    inside = moved.amax(dim=3) > 0
    assert torch.allclose(moved[inside], torch.tensor([200.0, 90.0, 5.0]), atol=1e-3)
    assert (moved[~inside] == 0).all()
    area = inside.float().mean(dim=(1, 2)) / (discs(1).amax(dim=3) > 0).float().mean()
    assert 0.65 < area.min() < 0.9
    assert 1.0 < area.max() < 1.4


def test_only_black_enters_from_beyond_the_edge() -> None:
    black = torch.zeros(32, 33, 33, 3, dtype=torch.uint8)
    assert not move(black, 33, seeded()).any()


def test_a_moved_cell_is_rotated_mirrored_and_shifted() -> None:
    marked = discs(400)
    marked[:, 14:18, 20:24] = 255
    where = (move(marked, 33, seeded())[..., 2] > 100).float()
    y, x = torch.meshgrid(torch.arange(33.0), torch.arange(33.0), indexing="ij")
    total = where.sum(dim=(1, 2))
    angle = torch.atan2((where * (y - 16)).sum((1, 2)) / total, (where * (x - 16)).sum((1, 2)))
    assert torch.histc(angle, 4, -math.pi, math.pi).min() > 60


@pytest.mark.parametrize("size", [16, 24, 33])
def test_a_resized_cell_stays_where_it_is(size: int) -> None:
    marked = discs(3)
    marked[:, 14:18, 20:24] = 255
    resized = resize(marked, size)
    assert resized.shape == (3, size, size, 3)
    y, x = ((resized[0, ..., 2] > 100).nonzero().float().mean(dim=0) + 0.5).tolist()
    assert (y, x) == pytest.approx((16 / 33 * size, 22 / 33 * size), abs=0.7)
    assert torch.equal(resize(marked, 33), marked)


@pytest.mark.parametrize("size", [5, 32, 33])
def test_the_affine_grid_is_that_of_torch(size: int) -> None:
    affine = random_affine(20, seeded())
    expected = torch.nn.functional.affine_grid(affine, [20, 1, size, size], align_corners=False)
    assert torch.allclose(affine_grid(affine, size), expected, atol=1e-6)


def test_blur_is_the_mean_over_three_by_three_pixels() -> None:
    picture = torch.randn(3, 3, 17, 17, generator=seeded())
    expected = torch.nn.functional.avg_pool2d(picture, 3, 1, 1)
    assert torch.allclose(blur(picture), expected, atol=1e-6)


def test_flip_mirrors_half_of_the_pictures() -> None:
    picture = torch.randn(200, 3, 8, 8, generator=seeded())
    flipped = flip(picture, seeded())
    mirrored = (flipped == picture.flip(3)).all(dim=(1, 2, 3))
    same = (flipped == picture).all(dim=(1, 2, 3))
    assert (mirrored ^ same).all()
    assert 70 < mirrored.sum() < 130
