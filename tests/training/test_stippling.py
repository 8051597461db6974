"""Stippling: drawn on healthy cells alone, which then count as parasitized; background stays."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from hemozoin.classes import POSITIVE
from hemozoin.model.transform import BACKGROUND
from hemozoin.training.stippling import DOT, DOTS, SPECKLED, STIPPLED, dots, stipple

HEALTHY = 1 - POSITIVE


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def flat_cells(count: int) -> Tensor:
    """Return flat healthy cells (0) on background."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, 64), torch.linspace(-1, 1, 64), indexing="ij")
    return torch.where(x**2 + y**2 < 0.8, 0.0, BACKGROUND).expand(count, 3, 64, 64).clone()


def changed(before: Tensor, after: Tensor) -> Tensor:
    """Return which cells of a batch differ, bool `[N]`."""
    return (before != after).any(dim=3).any(dim=2).any(dim=1)


def test_stippled_cells_count_as_parasitized_and_speckled_ones_as_healthy() -> None:
    cells = flat_cells(2000)
    inputs, targets = stipple(cells, torch.full((2000,), HEALTHY), seeded())
    stippled, differs = targets == POSITIVE, changed(cells, inputs)
    assert differs[stippled].all()
    assert abs(stippled.float().mean() - STIPPLED) < 0.02
    # A speck can lie outside the cell, or a cell get none, so some of them stay as they were.
    assert 0.5 * SPECKLED < differs[~stippled].float().mean() < SPECKLED


def test_parasitized_cells_stay_as_they_are() -> None:
    cells = flat_cells(200)
    inputs, targets = stipple(cells, torch.full((200,), POSITIVE), seeded())
    assert torch.equal(inputs, cells)
    assert (targets == POSITIVE).all()


def test_the_background_stays_background() -> None:
    cells = flat_cells(400)
    inputs, _ = stipple(cells, torch.full((400,), HEALTHY), seeded())
    assert torch.equal(inputs == BACKGROUND, cells == BACKGROUND)


def test_what_is_given_is_not_changed() -> None:
    cells, targets = flat_cells(100), torch.full((100,), HEALTHY)
    stipple(cells, targets, seeded())
    assert torch.equal(cells, flat_cells(100))
    assert (targets == HEALTHY).all()


def test_the_seed_decides_the_cells() -> None:
    first, again, other = (
        stipple(flat_cells(100), torch.full((100,), HEALTHY), seeded(seed))[0] for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_dots_are_many_small_and_as_dark_as_said() -> None:
    drawn = dots(flat_cells(300), DOTS, DOT, seeded()).mean(dim=1)
    covered = (drawn > 0).float().mean()
    # Each dot covers 9 pixels; dots overlap, so that they cover slightly less.
    assert 8 * sum(DOTS) / 2 < covered < 9 * sum(DOTS) / 2
    assert drawn[drawn > 0].min() >= DOT[0] - 1e-4


def test_a_batch_without_healthy_cells_and_an_empty_one_pass() -> None:
    for count in (0, 3):
        inputs, targets = stipple(flat_cells(count), torch.full((count,), POSITIVE), seeded())
        assert inputs.shape == (count, 3, 64, 64)
        assert targets.shape == (count,)
