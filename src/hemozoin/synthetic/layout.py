"""Where the cells of a smear lie: at random, side by side or on one another."""

from __future__ import annotations

import numpy as np

from hemozoin.arrays import Floats
from hemozoin.synthetic.canvas import Rng

#: Places that are tried for each; the first that is free is taken, else the one with most room.
_TRIES = 40

#: Least and greatest distance of two middles in sums of their radii. In a thin smear most that
#: meet only touch, so the greater distances are the more frequent ones.
_OVERLAPPING, _TOUCHING = 0.65, 1.0

#: What is put apart from others has a gap of this share of its radius around it.
_GAP = 0.08


class Layout:
    """Round things that have a place in a picture of `size` (width, height) in px."""

    def __init__(self, rng: Rng, size: tuple[int, int]) -> None:
        self._rng, self._size = rng, np.array(size, float)
        self._at: Floats = np.empty((0, 2))
        self._radius: Floats = np.empty(0)

    def apart(self, radius: float, whole: bool = False) -> Floats:
        """Place something away from all others, if there is room; return its middle (x, y).

        The middle is in the picture; `whole` things are, if they fit, all in it.
        """
        margin = np.minimum(radius + 2 if whole else 0, self._size / 2)
        spots = self._rng.uniform(margin, self._size - margin, (_TRIES, 2))
        return self._take(spots, radius, self._room(spots, radius))

    def beside(self, partner: int, radius: float, whole: bool = False) -> Floats:
        """Place something so that it touches or overlaps the thing of this number, from 0."""
        margin = np.minimum(radius + 2 if whole else 0, self._size / 2)
        turn = self._rng.uniform(0, 2 * np.pi, _TRIES)
        reach = _TOUCHING - (_TOUCHING - _OVERLAPPING) * self._rng.random((_TRIES, 1)) ** 2
        away = reach * (radius + self._radius[partner])
        spots = self._at[partner] + away * np.stack([np.cos(turn), np.sin(turn)], axis=1)
        inside = ((spots >= margin) & (spots <= self._size - margin)).all(axis=1)
        room = np.where(inside, self._room(spots, radius, partner), -np.inf)
        return self._take(spots.clip(margin, self._size - margin), radius, room)

    def _room(self, spots: Floats, radius: float, partner: int = -1) -> Floats:
        """Return the least distance of each spot's edge to another's, but for the partner's."""
        apart = np.linalg.norm(spots[:, None] - self._at, axis=2) - self._radius - radius
        if partner >= 0:
            apart[:, partner] = np.inf
        room: Floats = apart.min(axis=1, initial=np.inf)
        return room

    def _take(self, spots: Floats, radius: float, room: Floats) -> Floats:
        free = room >= _GAP * radius
        spot: Floats = spots[np.argmax(free if free.any() else room)]
        self._at = np.vstack([self._at, spot])
        self._radius = np.append(self._radius, radius)
        return spot
