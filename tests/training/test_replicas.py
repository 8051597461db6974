"""Replicas of a network: the same weights, summed gradients, averaged statistics."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from hemozoin.mobilenet.architecture import Architecture
from hemozoin.mobilenet.network import MobileNet
from hemozoin.training.replicas import Replicas


@pytest.fixture
def network() -> MobileNet:
    torch.manual_seed(0)
    return MobileNet(Architecture(alpha=0.25, classes=2)).double()


@pytest.fixture
def parts() -> Tensor:
    """Two parts of a batch, `[2, 4, 3, 32, 32]`."""
    return torch.randn(2, 4, 3, 32, 32, generator=torch.Generator().manual_seed(0)).double()


def loss_of(network: nn.Module, inputs: Tensor) -> Tensor:
    targets = torch.arange(len(inputs)) % 2
    return nn.functional.cross_entropy(network(inputs), targets, reduction="sum")


def test_gradients_and_loss_are_sums_over_the_parts(network: MobileNet, parts: Tensor) -> None:
    expected, losses = copy.deepcopy(network), []
    for part in parts:  # their gradients add up
        losses.append(loss_of(expected, part))
        losses[-1].backward()  # type: ignore[no-untyped-call]
    with Replicas(network, 2) as replicas:
        loss = replicas.backward(lambda k, own: loss_of(own, parts[k]))
    assert float(loss) == pytest.approx(sum(float(one.detach()) for one in losses))
    for found, parameter in zip(network.parameters(), expected.parameters(), strict=True):
        assert found.grad is not None
        assert parameter.grad is not None
        torch.testing.assert_close(found.grad, parameter.grad)


def test_a_step_changes_all_replicas(network: MobileNet, parts: Tensor) -> None:
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.1, fused=True)
    with Replicas(network, 2) as replicas:
        before = [parameter.clone() for parameter in replicas.networks[1].parameters()]
        for _ in range(2):
            optimizer.zero_grad()
            replicas.backward(lambda k, own: loss_of(own, parts[k]))
            optimizer.step()
        first, second = replicas.networks
    for old, one, other in zip(before, first.parameters(), second.parameters(), strict=True):
        assert not torch.equal(old, one)
        assert torch.equal(one, other)
        assert other.grad is None


def test_running_statistics_become_the_mean(network: MobileNet, parts: Tensor) -> None:
    alone = [copy.deepcopy(network) for _ in parts]
    for own, part in zip(alone, parts, strict=True):
        loss_of(own, part)
    with Replicas(network, 2) as replicas:
        replicas.backward(lambda k, own: loss_of(own, parts[k]))
    buffers = (each.buffers() for each in (network, *alone))
    for found, one, other in zip(*buffers, strict=True):
        torch.testing.assert_close(found, (one + other) / 2, check_dtype=False)


def test_an_error_in_a_part_is_raised_and_the_threads_are_given_back(network: MobileNet) -> None:
    def fails(k: int, _: nn.Module) -> Tensor:
        raise ValueError(f"part {k}")

    threads = torch.get_num_threads()
    with pytest.raises(ValueError, match="part 0"), Replicas(network, 2) as replicas:
        replicas.backward(fails)
    assert torch.get_num_threads() == threads


def test_a_single_one_is_the_network_itself(network: MobileNet, parts: Tensor) -> None:
    threads = torch.get_num_threads()
    with Replicas(network, 1) as replicas:
        assert torch.get_num_threads() == threads
        replicas.backward(lambda _, own: loss_of(own, parts[0]))
        assert replicas.networks == [network]
    assert network.head.weight.grad is not None
