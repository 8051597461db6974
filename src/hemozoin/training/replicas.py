"""Replicas of a network that learn from a batch together, each on a thread of its own.

    batch ── half ── network ── gradients ┐
          └─ half ── replica ── gradients ┴ sum ── one step of the optimizer

A training step is hundreds of small operations. Where torch spreads each of them over the cores,
the cores wait for each other after every one; replicas wait once per step. This is what the
processes of torchrun do, and the result is the same: all have the same weights, and each normalizes
with its own part of the batch.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType

import torch
from torch import Tensor, nn


class Replicas:
    """A network and `count` - 1 copies that share its weights; they have buffers of their own.

    A context manager: at its end, the network's buffers (the running statistics of batch norm) are
    the mean of all. In between, torch uses 1 / `count` of its threads for each operation.
    """

    def __init__(self, network: nn.Module, count: int) -> None:
        self.networks = [network, *(_replica(network) for _ in range(count - 1))]
        self._threads = torch.get_num_threads()
        self._pool = ThreadPoolExecutor(min(count, self._threads))

    def __enter__(self) -> Replicas:
        """Divide the threads."""
        torch.set_num_threads(max(1, self._threads // len(self.networks)))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the threads and average the buffers."""
        self._pool.shutdown()
        torch.set_num_threads(self._threads)
        for own, *others in zip(*(network.buffers() for network in self.networks), strict=True):
            if own.is_floating_point():
                own.copy_(torch.stack([own, *others]).mean(dim=0))

    def backward(self, loss: Callable[[int, nn.Module], Tensor]) -> Tensor:
        """Return the sum of `loss(k, network k)`, a scalar; the network gets its gradients."""

        def backward(k: int) -> Tensor:
            part = loss(k, self.networks[k])
            part.backward()  # type: ignore[no-untyped-call]
            return part.detach()

        indices = range(len(self.networks))
        # A single one stays on the caller's thread, whose GPU it uses.
        parts = list((map if len(indices) == 1 else self._pool.map)(backward, indices))
        self._sum_gradients()
        return torch.stack(parts).sum()

    def _sum_gradients(self) -> None:
        """Add the replicas' gradients to those of the network, always in the same order."""
        for own, *others in zip(*(network.parameters() for network in self.networks), strict=True):
            for other in others:
                if own.grad is not None and other.grad is not None:
                    own.grad.add_(other.grad)
                other.grad = None


def _replica(network: nn.Module) -> nn.Module:
    """Return a copy whose parameters are in the same memory: a step changes both."""
    replica = copy.deepcopy(network)
    for own, shared in zip(replica.parameters(), network.parameters(), strict=True):
        own.data = shared.data
    return replica
