"""The root of a monotone function of a share."""

from __future__ import annotations

from collections.abc import Callable

#: The exactness of a root.
_EXACTNESS = 1e-12


def find_root(function: Callable[[float], float]) -> float:
    """Return the share, 0..1, at which a monotone function is 0, to 1e-12.

    The function has different signs at 0 and 1, or is 0 at one of them. The method is that of
    Chandrupatla 1997 (Adv. Eng. Softw. 28, 145): inverse quadratic interpolation where three points
    lie so that it is safe, and bisection elsewhere. It needs about a third of the evaluations of
    bisection alone.
    """
    newest, other, part = 0.0, 1.0, 0.5
    at_newest, at_other = function(newest), function(other)
    if not (at_newest and at_other):
        return other if at_newest else newest
    while True:
        share = newest + part * (other - newest)
        at_share = function(share)
        previous, at_previous = newest, at_newest
        if (at_share > 0) != (at_newest > 0):
            previous, at_previous, other, at_other = other, at_other, newest, at_newest
        newest, at_newest = share, at_share
        smallest_part = _EXACTNESS / abs(other - newest)
        if not at_newest or smallest_part > 0.5:
            return newest if abs(at_newest) < abs(at_other) else other
        part = _next_part((newest, at_newest), (other, at_other), (previous, at_previous))
        part = min(max(part, smallest_part), 1 - smallest_part)


def _next_part(
    newest: tuple[float, float], other: tuple[float, float], previous: tuple[float, float]
) -> float:
    """Return where the next point is, from the newest (0) to the other end of the interval (1).

    Each point is a share and the function there; the root is between `newest` and `other`.
    """
    (a, at_a), (b, at_b), (c, at_c) = newest, other, previous
    x, y = (a - b) / (c - b), (at_a - at_b) / (at_c - at_b)
    if y * y >= x or (1 - y) ** 2 >= 1 - x:
        return 0.5
    from_b = at_a / (at_b - at_a) * at_c / (at_b - at_c)
    from_c = (c - a) / (b - a) * at_a / (at_c - at_a) * at_b / (at_c - at_b)
    part = from_b + from_c
    return part if 0 < part < 1 else 0.5  # 0.5 also where numbers underflow, and part is NaN
