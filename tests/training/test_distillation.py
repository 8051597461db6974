"""Teachers: the mean of several networks as the targets of another."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from hemozoin.mobilenet.architecture import Architecture
from hemozoin.mobilenet.network import MobileNet
from hemozoin.training.distillation import Teachers
from hemozoin.training.recipe import PRESETS, Recipe


def trained(architecture: Architecture, seed: int) -> MobileNet:
    """Return a network with random weights, whose batch norms have seen something."""
    torch.manual_seed(seed)
    network = MobileNet(architecture)
    nn.init.normal_(network.head.weight)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.running_mean, module.running_var, module.weight, module.bias):
                assert values is not None
                nn.init.uniform_(values, 0.5, 1.5)
    return network


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize(
    "architecture",
    [
        Architecture(alpha=0.25, classes=2),
        Architecture(alpha=0.5, classes=2, padding="same", activation="relu6", bn_epsilon=1e-3),
        Architecture(alpha=0.25, classes=2, body="full"),
    ],
    ids=["default", "of Keras", "full convolutions"],
)
def test_targets_are_the_softmax_of_the_mean_logits(architecture: Architecture, count: int) -> None:
    networks = [trained(architecture, seed).eval() for seed in range(count)]
    cells = torch.randn(5, 3, 48, 48)
    with torch.no_grad():
        logits = [network(cells) for network in networks]
        found = Teachers(networks)(cells)
    assert torch.stack(logits).std() > 0.1
    assert torch.allclose(found, torch.softmax(sum(logits) / count, dim=1), atol=1e-6)


def test_batches_do_not_change_the_teachers() -> None:
    """Batch norm uses its running statistics, and keeps them."""
    network = trained(Architecture(alpha=0.25, classes=2), 0).train()
    teachers = Teachers([network])
    before = copy.deepcopy([teachers.state_dict(), network.state_dict()])
    cells = torch.randn(8, 3, 32, 32)
    together, alone = teachers(cells), teachers(cells[:1])
    assert torch.allclose(together[:1], alone)
    for old, new in zip(before, [teachers.state_dict(), network.state_dict()], strict=True):
        assert all(torch.equal(old[name], now) for name, now in new.items())


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
