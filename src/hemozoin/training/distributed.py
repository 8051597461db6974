"""One run on several processes or machines, started by `torchrun`; else rank 0 of 1."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import torch
import torch.distributed as dist
from torch import Tensor

from hemozoin.errors import TrainingError


@contextmanager
def process_group(device: torch.device) -> Iterator[None]:
    """Join the processes that torchrun started; NCCL for tensors on GPUs, gloo for the rest.

    A process can do this only once: a second group may find the addresses of the first and hang.
    For several runs enter it once before the first of them; each run then uses the existing group.
    """
    if "WORLD_SIZE" not in os.environ or dist.is_initialized():
        yield
        return
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        gc.collect()  # frees DistributedDataParallel (a reference cycle) before its group
        dist.destroy_process_group()


def rank() -> int:
    """Return the number of this process; process 0 is the one that writes."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """Return the number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


@contextmanager
def first_process_first() -> Iterator[bool]:
    """Run the block in process 0 before the others, which then find its files in place.

    Yields whether this is process 0. Raises TrainingError in the other processes if process 0
    failed.
    """
    if rank() != 0:
        if all_reduce_sum(torch.zeros(())):
            raise TrainingError("the first process has stopped; its message says why")
        yield False
        return
    try:
        yield True
    except BaseException:
        with suppress(TrainingError):  # the others may have stopped as well
            all_reduce_sum(torch.ones(()))
        raise
    all_reduce_sum(torch.zeros(()))


def barrier() -> None:
    """Wait for every process; raises TrainingError if one of them has stopped."""
    all_reduce_sum(torch.zeros(()))


def all_reduce_sum(values: Tensor) -> Tensor:
    """Return the sum over all processes, in place; raises TrainingError if one has stopped."""
    if dist.is_initialized():
        try:
            dist.all_reduce(values)
        except RuntimeError as error:  # gloo raises no more specific class
            raise TrainingError("another process of the run has stopped") from error
    return values
