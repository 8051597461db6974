"""Teachers: the mean of several networks as the targets of another."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from hemozoin.training.distillation import Teachers
from hemozoin.training.recipe import PRESETS, Recipe


class Constant(nn.Module):
    """A network whose logits are the same for every input."""

    def __init__(self, *logits: float) -> None:
        super().__init__()
        self.logits = torch.tensor(logits, dtype=torch.float32)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(len(inputs), 2)


def test_targets_are_the_softmax_of_the_mean_logits() -> None:
    teachers = Teachers([Constant(0, 1), Constant(0, 5), Constant(3, 0)])
    expected = torch.softmax(torch.tensor([1.0, 2.0]), dim=0)
    assert torch.allclose(teachers(torch.zeros(4, 3, 8, 8)), expected.expand(4, 2))


def test_batches_do_not_change_the_teachers() -> None:
    """Batch norm uses its running statistics, and keeps them."""
    network = nn.Sequential(
        nn.BatchNorm2d(3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2)
    )
    teachers = Teachers([network.train()])
    before = copy.deepcopy(teachers.state_dict())
    cells = torch.randn(8, 3, 4, 4)
    together, alone = teachers(cells), teachers(cells[:1])
    assert torch.allclose(together[:1], alone)
    assert all(torch.equal(before[name], now) for name, now in teachers.state_dict().items())


def test_a_teacher_has_the_schedule_of_the_default_recipe() -> None:
    default = PRESETS["default"]
    recipe = Recipe(0.5, size=96, epochs=20, seed=2**32 - 2, progressive=False, teachers=3)
    found = [recipe.of_teacher(number) for number in (1, 2, 3)]
    assert [teacher.seed for teacher in found] == [2**32 - 1, 0, 1]
    for teacher in found:
        assert (teacher.epochs, teacher.learning_rate) == (default.epochs, default.learning_rate)
        assert (teacher.alpha, teacher.size, teacher.teachers) == (0.5, 96, 0)
        assert teacher.progressive


def test_teachers_of_a_short_run_are_as_short() -> None:
    assert Recipe(epochs=2, teachers=1).of_teacher(1).epochs == 2


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_the_network_of_a_teacher_is_that_of_its_student(preset: Recipe) -> None:
    teacher = preset.of_teacher(1)
    assert teacher.architecture() == preset.architecture()
    assert teacher.input_transform == preset.input_transform
