"""An estimate for a slide unlike the known ones, as near as can be until a person has looked.

Neither the false-positive rate nor the sensitivity was measured on such a slide. Where k of its n
red cells are counted, the estimate is that of Rogan & Gladen 1978,

    π = (k / n - f) / (s - f)

with the false-positive rate f of the known patients, since each field's log odds have been brought
to those of their healthy cells (`smear.recalibration`), and with s the sensitivity that three of
four known patients exceed: on another microscope the network sees less of the infected cells, and
how much less can't be read off the slide.

The quarter was chosen on the fields of IML and BBBC041. benchmarks/quantification.py compares this
estimate with others, also with prior adaptation by expectation maximization (Saerens et al. 2002,
Neural Comput. 14, 21), which finds next to nothing on IML. It is often wrong by a third, so it has
no interval.
"""

from __future__ import annotations

from hemozoin.decision.counting_point import CountingPoint, rogan_gladen

#: The share of the known patients with a lower sensitivity than is assumed.
_LESS_SENSITIVE = 0.25


def unconfirmed_parasitaemia(counted_share: float, point: CountingPoint) -> float | None:
    """Return the estimate that the module describes, 0..1, from k / n; None without a threshold."""
    if point.threshold is None:
        return None
    s = point.sensitivity.at(_LESS_SENSITIVE) if point.sensitivity else 1.0
    return rogan_gladen(counted_share, point.false_positives.mean, s)
