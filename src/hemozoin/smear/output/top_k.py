"""The few things of very many that rank highest, held without the others."""

from __future__ import annotations

import heapq
from typing import Generic, TypeVar

Thing = TypeVar("Thing")


class TopK(Generic[Thing]):
    """Holds at most `limit` things; `count` is of all that came by."""

    def __init__(self, limit: int) -> None:
        self.limit, self.count = limit, 0
        self._heap: list[tuple[tuple[float, ...], int, Thing]] = []

    def add(self, rank: tuple[float, ...], thing: Thing) -> None:
        """Keep it where it is among the highest; of equal ones the first."""
        self.count += 1
        ranked = (rank, -self.count, thing)
        if len(self._heap) < self.limit:
            heapq.heappush(self._heap, ranked)
        else:
            heapq.heappushpop(self._heap, ranked)

    @property
    def left_out(self) -> int:
        """Return how many are not held."""
        return self.count - len(self._heap)

    def most(self) -> list[Thing]:
        """Return what is held, the highest first."""
        return [thing for _, _, thing in sorted(self._heap, reverse=True)]
