"""Run work on all cores, with the results in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

#: Items that a thread takes at a time: handing over single items costs too much.
_BATCH = 32


def in_threads(
    work: Callable[[_Item], _Result], items: Iterable[_Item], at_a_time: int = _BATCH
) -> Iterator[_Result]:
    """Yield `work(item)` for each item, in order; a thread takes `at_a_time` items at once."""
    return batches_in_threads(lambda batch: [work(item) for item in batch], items, at_a_time)


def batches_in_threads(
    work: Callable[[list[_Item]], list[_Result]], items: Iterable[_Item], size: int = _BATCH
) -> Iterator[_Result]:
    """Yield the results of `work` for batches of `size` items, one per item, in order.

    Threads are enough: OpenCV and Pillow release Python's lock while they work, except where Pillow
    decodes WebP. At most a few batches per core are in memory, for any number of items.
    """
    remaining, cores = iter(items), os.cpu_count() or 1
    waiting: deque[Future[list[_Result]]] = deque()
    with ThreadPoolExecutor(cores) as pool:
        while batch := list(islice(remaining, size)):
            waiting.append(pool.submit(work, batch))
            if len(waiting) > 2 * cores:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
