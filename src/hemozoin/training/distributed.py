"""One run on several processes or machines, started by `torchrun`; a run alone is rank 0 of 1."""

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
    """Join the processes that torchrun started; NCCL for what is on GPUs, gloo for the rest.

    Once in the life of a process: a second time may find the first one's addresses, and wait.
    For several runs join before the first of them; each then takes the group that there is.
    """
    if "WORLD_SIZE" not in os.environ or dist.is_initialized():
        yield
        return
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        gc.collect()  # DistributedDataParallel lies in a circle, and must go before its group does
        dist.destroy_process_group()


def rank() -> int:
    """Return the number of this process; process 0 is the one that writes."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """Return the number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


@contextmanager
def first_process_first() -> Iterator[bool]:
    """Let process 0 go through the block before the others, who then find its work done.

    Yields whether this is process 0. Raises TrainingError in the others where it failed there.
    """
    if rank() != 0:
        if add_up(torch.zeros(())):
            raise TrainingError("the first process has stopped, and says why")
        yield False
        return
    try:
        yield True
    except BaseException:
        with suppress(TrainingError):  # the others may have stopped as well
            add_up(torch.ones(()))
        raise
    add_up(torch.zeros(()))


def barrier() -> None:
    """Wait until every process is here; raises TrainingError where one of them has stopped."""
    add_up(torch.zeros(()))


def add_up(values: Tensor) -> Tensor:
    """Return the sum over all processes; raises TrainingError where one of them has stopped."""
    if dist.is_initialized():
        try:
            dist.all_reduce(values)
        except RuntimeError as error:  # gloo has no class of its own for it
            raise TrainingError("another process of the run has stopped") from error
    return values
