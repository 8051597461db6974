"""Work shared out to all cores, its results in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

#: So many items a thread takes at a time: handing over single ones costs too much.
_BATCH = 32


def in_threads(
    work: Callable[[Item], Result], items: Iterable[Item], at_a_time: int = _BATCH
) -> Iterator[Result]:
    """Yield `work(item)` for each item, in order; a thread takes some `at_a_time`.

    Threads are enough: Pillow lets go of the interpreter while it decodes and resizes.
    A few batches for each core are held, however many items there are.
    """
    left, cores = iter(items), os.cpu_count() or 1
    waiting: deque[Future[list[Result]]] = deque()
    with ThreadPoolExecutor(cores) as pool:
        while batch := list(islice(left, at_a_time)):
            waiting.append(pool.submit(lambda taken: [work(item) for item in taken], batch))
            if len(waiting) > 2 * cores:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
