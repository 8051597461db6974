"""The root of a monotone function of a share."""

from __future__ import annotations

import math
from collections.abc import Callable

#: The exactness of a root.
_SHORTEST_STEP = 1e-12


def find_root(function: Callable[[float], float]) -> float:
    """Return the share, 0..1, at which a monotone function is 0, to 1e-12.

    The function has different signs at 0 and 1. The method is that of Ridders 1979 (IEEE Trans.
    Circuits Syst. 26, 979); it needs about a third of the evaluations of bisection.
    """
    low, high, share, step = 0.0, 1.0, 0.0, 1.0
    at_low, at_high = function(low), function(high)
    while abs(step) > _SHORTEST_STEP and high - low > _SHORTEST_STEP:
        middle = (low + high) / 2
        if not (at_middle := function(middle)):
            return middle
        slope = math.copysign(math.sqrt(at_middle**2 - at_low * at_high), at_low - at_high)
        step = middle + (middle - low) * at_middle / slope - share
        share += step
        at_share = function(share)
        for end, value in ((middle, at_middle), (share, at_share)):
            if low < end < high and value * at_low > 0:
                low, at_low = end, value
            elif low < end < high:
                high, at_high = end, value
    return share
