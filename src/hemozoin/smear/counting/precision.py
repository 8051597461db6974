"""How often a count like this one is within 25 % of the true parasitaemia.

WHO calls a parasite density right if it is within 25 % of the true one. Take a slide with the true
parasitaemia π, of which n red cells are looked at. The number counted, K, has the distribution of
`parasitaemia.py`: binomial, with the rates f and s of an unseen patient. The estimate
(K / n - f̄) / (s̄ - f̄), with the mean rates, is within 25 % of π for K from a to b:

    a = n (f̄ + .75 π (s̄ - f̄)),   b = n (f̄ + 1.25 π (s̄ - f̄)),   chance = P(a ≤ K ≤ b | π)

This covers which cells came into the fields, and how the patients differ for whom f and s were
measured. It does not cover another microscope or stain, or cells that were not found. The true
parasitaemia is unknown: the chance is given for slides whose parasitaemia is the estimate.
"""

from __future__ import annotations

import math

from hemozoin.decision.counting_point import CountingPoint
from hemozoin.metrics.beta import mean_at_least

#: A density within this share of the true one is right, for WHO.
TOLERANCE = 0.25

#: Counts closer than this to an end of the range are on it: the ends are rounded.
_ROUNDING = 1e-9


def chance_within_tolerance(parasitaemia: float, red_cells: int, point: CountingPoint) -> float:
    """Return the chance that the module describes, 0..1, for a parasitaemia above 0."""
    f = point.false_positives.rate
    s = point.sensitivity.rate if point.sensitivity else 1.0
    low, high = (
        red_cells * (f + side * parasitaemia * (s - f)) for side in (1 - TOLERANCE, 1 + TOLERANCE)
    )
    first = max(0, math.ceil(low - _ROUNDING))
    last = min(red_cells, math.floor(high + _ROUNDING))
    rates = point.counting_probability(parasitaemia)
    if last < first:
        return 0.0
    return mean_at_least(first, red_cells, rates) - mean_at_least(last + 1, red_cells, rates)
