"""An estimate for a slide unlike the known ones, as near as can be until a person has looked.

Neither the false-positive rate nor the sensitivity was measured on such a slide. Two things are
known of it: k of its n red cells are counted, and what its healthy bulk looks like.

    π = (k / n - f') / (s' - f')        f' = f (0.1 / f)^r,  r = shift / (threshold - q)

`shift` is by how much the median log odds of the bulk are higher than those of the known patients.
A healthy cell then reaches the threshold as often as one at home reaches threshold - shift. That
share, f', is read off an exponential tail through two points that are known at home: a tenth of the
healthy cells is above q, the 90 % quantile, and a share f above the threshold. Calibrating a count
on the target's own data is unsupervised adjusted counting (Forman 2008, Data Min. Knowl. Discov.
17, 164, has the adjustment).

s' is the sensitivity that nine of ten known patients exceed: on another microscope the network sees
less of the infected cells, and how much less can't be read off the slide. The tenth was chosen on
the fields of BBBC041. benchmarks/quantification.py compares this estimate with others, also with
prior adaptation by expectation maximization (Saerens et al. 2002, Neural Comput. 14, 21), which
finds next to nothing on another microscope. It is often wrong by a third, so it has no interval.
"""

from __future__ import annotations

import numpy as np

from hemozoin.decision.counting_point import CountingPoint
from hemozoin.decision.reference_patients import Appearance, ReferencePatients
from hemozoin.decision.temperature import log_odds

#: The share of the known patients with a lower sensitivity than is assumed.
_LESS_SENSITIVE = 0.1

#: The share of healthy cells above the last quantile that the reference patients have.
_ABOVE_LAST_QUANTILE = 0.1


def unconfirmed_parasitaemia(
    counted_share: float,
    point: CountingPoint,
    reference: ReferencePatients,
    bulk: Appearance,
) -> float | None:
    """Return the estimate that the module describes, 0..1, from k / n.

    None without a threshold, and where no cell is left for the bulk.
    """
    if point.threshold is None or not bulk.cells:
        return None
    f = _false_positive_rate(point.false_positives.mean, point.threshold, reference, bulk)
    s = point.sensitivity.at(_LESS_SENSITIVE) if point.sensitivity else 1.0
    return min(1.0, max(0.0, counted_share - f) / (s - f)) if s > f else 0.0


def _false_positive_rate(
    rate: float, threshold: float, reference: ReferencePatients, bulk: Appearance
) -> float:
    """Return f', at most a tenth; the rate at home if that is not below a tenth itself."""
    above = float(log_odds(np.array([threshold]))[0]) - reference.last_quantile
    if rate >= _ABOVE_LAST_QUANTILE or above <= 0:
        return rate
    r = min(1.0, reference.shift(bulk) / above)
    return float(rate ** (1 - r) * _ABOVE_LAST_QUANTILE**r)
