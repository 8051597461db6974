"""The parasitaemia, which is the share of infected red cells, corrected for the network's mistakes.

Of n red cells k are counted as infected. An uninfected cell is counted with a probability f, the
patient's false-positive rate, and an infected cell with a probability s, the sensitivity. If t
cells are truly infected, k is expected to be

    k = s t + f (n - t),    t = (k - f n) / (s - f),    parasitaemia π = t / n

This is the estimator of Rogan & Gladen 1978 (Am. J. Epidemiol. 107, 71). If k is at most f n, π is
0. For a model that does not know its sensitivity, s is 1: the estimate is then not corrected for
missed cells. The Remoscope group subtracts the expected false positives in the same way
(czbiohub-sf/remo-stats-utils, CountCompensator).

The f and the s of this patient are unknown. They are taken as drawn from the rates of unseen
patients, two independent beta distributions. For a parasitaemia π, k then has the distribution

    P(K = k | π) = E_f,s [ Binomial(k; n, π s + (1 - π) f) ]

The 95 % interval holds every π that is consistent with k, as that of Clopper & Pearson 1934
(Biometrika 26, 404) does for f = 0 and s = 1: at the lower end P(K ≥ k | π) = 2.5 %, at the upper
end P(K ≤ k | π) = 2.5 %. The lower end is 0 if P(K ≥ k | 0) > 2.5 %, which means that more than 1
of 40 uninfected patients have as many cells counted. The smallest k with a lower end above 0 is
the reportable count.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hemozoin.arrays import Floats
from hemozoin.decision.counting_point import TAIL, CountingPoint
from hemozoin.metrics.beta import mean_at_least, mean_at_most
from hemozoin.metrics.bootstrap import Estimate
from hemozoin.metrics.root import find_root

#: The probability that a cell is counted, for each patient, given the share of infected cells.
_Probability = Callable[[float], Floats]


@dataclass(frozen=True)
class Parasitaemia:
    """Infected cells as a share of red cells, corrected for the network's mistakes.

    `estimate` is in 0..1, with its 95 % interval, from `counted` of `red_cells`.
    `reportable_count` is the smallest count that is reported for this number of red cells, and
    `limit_of_detection` the share of infected cells at which 95 % of slides reach it; both are
    None if no number is large enough. `fewer_than_expected` is true if at most 2.5 % of uninfected
    patients have as few cells counted.
    """

    counted: int
    red_cells: int
    estimate: Estimate
    reportable_count: int | None
    limit_of_detection: float | None
    fewer_than_expected: bool


def estimate_parasitaemia(counted: int, red_cells: int, point: CountingPoint) -> Parasitaemia:
    """Return the estimate that the module describes, for 0 ≤ counted ≤ red_cells, red_cells ≥ 1."""
    share = point.infected_share(counted / red_cells)
    low, high = _lower_end(counted, red_cells, point), _upper_end(counted, red_cells, point)
    return Parasitaemia(
        counted,
        red_cells,
        Estimate(share, min(low, share), max(high, share)),
        point.reportable_count(red_cells),
        point.limit_of_detection(red_cells),
        mean_at_most(counted, red_cells, point.counting_probability(0)) <= TAIL,
    )


def clopper_pearson(count: int, cells: int) -> Estimate:
    """Return a share of cells with the interval of Clopper and Pearson, of sampling error only."""
    low = _solve_lower_end(count, cells, _no_mistakes)
    return Estimate(count / cells, low, _solve_upper_end(count, cells, _no_mistakes))


def _no_mistakes(share: float) -> Floats:
    return np.array([share])


def _lower_end(k: int, n: int, point: CountingPoint) -> float:
    """Return the lower end of the interval, which is below 1 for every count.

    If at most 2.5 % of patients have so many cells counted with all of them infected, the
    sensitivity does not fit the slide and is not used: the end is that for s = 1. For a smaller k
    the end is at most the one for s = 1 at the smallest such number, so that it does not decrease
    with k.
    """
    sensitivities, rates = point.counting_probability(1), point.counting_probability(0)
    unlikely = bisect_left(
        range(n + 1), True, key=lambda j: mean_at_least(j, n, sensitivities) <= TAIL
    )
    without = 1.0
    if unlikely <= n:
        without = _solve_lower_end(max(k, unlikely), n, lambda share: share + (1 - share) * rates)
    if k >= unlikely:
        return without
    return min(without, _solve_lower_end(k, n, point.counting_probability))


def _upper_end(k: int, n: int, point: CountingPoint) -> float:
    """Return the upper end of the interval, which is above 0 for every count.

    If at most 2.5 % of uninfected patients have so few cells counted, the false-positive rate does
    not fit the slide and is not used: the end is that for f = 0. For a larger k the end is at least
    the one for f = 0 at the largest such number, so that it does not decrease with k.
    """
    rates = point.counting_probability(0)
    unlikely = bisect_left(range(n + 1), True, key=lambda j: mean_at_most(j, n, rates) > TAIL) - 1
    without = 0.0
    if unlikely >= 0:
        sensitivities = point.counting_probability(1)
        without = _solve_upper_end(min(k, unlikely), n, lambda share: share * sensitivities)
    if k <= unlikely:
        return without
    return max(without, _solve_upper_end(k, n, point.counting_probability))


def _solve_lower_end(k: int, n: int, probability: _Probability) -> float:
    if mean_at_least(k, n, probability(0)) > TAIL:
        return 0.0
    return find_root(lambda share: mean_at_least(k, n, probability(share)) - TAIL)


def _solve_upper_end(k: int, n: int, probability: _Probability) -> float:
    """Return the share with a lower tail of 2.5 %, or 1 if none has: the patient may have s < 1."""
    if k == n or mean_at_most(k, n, probability(1)) > TAIL:
        return 1.0
    return find_root(lambda share: mean_at_most(k, n, probability(share)) - TAIL)
