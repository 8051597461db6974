"""Random places for the objects of a smear: apart from each other, touching or overlapping."""

from __future__ import annotations

import numpy as np

from hemozoin.arrays import Floats
from hemozoin.synthetic.canvas import Rng

#: Random places tried per object: the first free one is used, or else the one with most space.
_TRIES = 40

#: Least and greatest distance between the centres of two objects, relative to the sum of their
#: radii. In a thin smear most of these only touch, so larger distances are more frequent.
_OVERLAPPING, _TOUCHING = 0.65, 1.0

#: Gap around an object that is apart from others, as a share of its radius.
_GAP = 0.08


class Layout:
    """Places of round objects in a picture of `size` (width, height) in px."""

    def __init__(self, rng: Rng, size: tuple[int, int]) -> None:
        self._rng, self._size = rng, np.array(size, float)
        self._centres: Floats = np.empty((0, 2))
        self._radii: Floats = np.empty(0)

    def place_apart(self, radius: float, whole: bool = False) -> Floats:
        """Place an object away from all others, if there is space; return its centre (x, y).

        The centre is in the picture; a `whole` object is completely in it, if it fits.
        """
        margin = np.minimum(radius + 2 if whole else 0, self._size / 2)
        spots = self._rng.uniform(margin, self._size - margin, (_TRIES, 2))
        return self._place(spots, radius, self._space(spots, radius))

    def place_touching(self, partner: int, radius: float, whole: bool = False) -> Floats:
        """Place an object so that it touches or overlaps the one with the index `partner`."""
        margin = np.minimum(radius + 2 if whole else 0, self._size / 2)
        angle = self._rng.uniform(0, 2 * np.pi, _TRIES)
        distance = _TOUCHING - (_TOUCHING - _OVERLAPPING) * self._rng.random((_TRIES, 1)) ** 2
        offset = distance * (radius + self._radii[partner])
        spots = self._centres[partner] + offset * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        inside = ((spots >= margin) & (spots <= self._size - margin)).all(axis=1)
        space = np.where(inside, self._space(spots, radius, partner), -np.inf)
        return self._place(spots.clip(margin, self._size - margin), radius, space)

    def _space(self, spots: Floats, radius: float, partner: int = -1) -> Floats:
        """Return the least distance from an object at each spot to any other except the partner."""
        distance = np.linalg.norm(spots[:, None] - self._centres, axis=2) - self._radii - radius
        if partner >= 0:
            distance[:, partner] = np.inf
        space: Floats = distance.min(axis=1, initial=np.inf)
        return space

    def _place(self, spots: Floats, radius: float, space: Floats) -> Floats:
        free = space >= _GAP * radius
        spot: Floats = spots[np.argmax(free if free.any() else space)]
        self._centres = np.vstack([self._centres, spot])
        self._radii = np.append(self._radii, radius)
        return spot
