"""The k highest-ranked items of a stream."""

from __future__ import annotations

import heapq
from typing import Generic, TypeVar

_Item = TypeVar("_Item")


class TopK(Generic[_Item]):
    """Holds at most `limit` items; `count` is the number of all items that were added."""

    def __init__(self, limit: int) -> None:
        self.limit, self.count = limit, 0
        self._heap: list[tuple[tuple[float, ...], int, _Item]] = []

    def add(self, rank: tuple[float, ...], item: _Item) -> None:
        """Keep the item if it is among the highest; the first of equal ranks comes first."""
        self.count += 1
        ranked = (rank, -self.count, item)
        if len(self._heap) < self.limit:
            heapq.heappush(self._heap, ranked)
        else:
            heapq.heappushpop(self._heap, ranked)

    @property
    def left_out(self) -> int:
        """Return the number of items that are not held."""
        return self.count - len(self._heap)

    def highest(self) -> list[_Item]:
        """Return the items that are held, the highest first."""
        return [item for _, _, item in sorted(self._heap, reverse=True)]
