"""What augmentation may change, and what it must not."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from hemozoin.model.classifier import OUTSIDE
from hemozoin.training.augment import ASPECT, SCALE, SHIFT, augment, flip, random_affine


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
    stain = augment(glass, seeded()) / OUTSIDE
    # One factor per picture and channel, so the picture stays flat: no black corners.
    assert torch.allclose(stain, stain.mean(dim=(2, 3), keepdim=True).expand_as(stain), atol=1e-5)


def test_the_parasite_stays_in_the_picture() -> None:
    assert (augment(cells(256), seeded()).amax(dim=(1, 2, 3)) > 1.5).all()


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
