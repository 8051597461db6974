"""The estimate for a slide unlike the known ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hemozoin.decision.counting_point import CountingPoint
from hemozoin.decision.patient_rate import PatientRate
from hemozoin.decision.reference_patients import Appearance, ReferencePatients
from hemozoin.smear.counting.unconfirmed import unconfirmed_parasitaemia

RATE = PatientRate(0.01, 0.01, 100, 9000)
#: Log odds of 3 are the threshold; the known patients' 90 % quantile is -2, their median -3.
REFERENCE = ReferencePatients(
    np.array([-4.0, -3.0, -2.5, -2.0, *[-3.0] * 8]), np.eye(12), 4.0, RATE, RATE
)
POINT = CountingPoint(
    1 / (1 + np.exp(-3)), PatientRate(0.001, 0.001, 160, 10_000), PatientRate(0.8, 0.1, 100, 9000)
)


def bulk(median: float) -> Appearance:
    return Appearance(1000, (median - 1, median, median + 0.5, median + 1), (), 0, 0)


def estimate(share: float, median: float = -3.0, point: CountingPoint = POINT) -> float:
    found = unconfirmed_parasitaemia(share, point, REFERENCE, bulk(median))
    assert found is not None
    return found


def test_a_bulk_like_the_known_ones_has_their_false_positive_rate() -> None:
    f = (0.001 * 10_000 + 0.5) / 10_001
    s = POINT.sensitivity.quantiles[100] if POINT.sensitivity else 0.0
    assert 0.6 < s < 0.7
    assert estimate(0.02) == pytest.approx((0.02 - f) / (s - f))


def test_a_bulk_halfway_to_the_threshold_has_the_geometric_mean_with_a_tenth() -> None:
    """The threshold is 5 above the 90 % quantile, and the bulk is shifted by 2.5."""
    f = np.sqrt((0.001 * 10_000 + 0.5) / 10_001 * 0.1)
    assert estimate(f, median=-0.5) == pytest.approx(0)
    assert estimate(f + 0.001, median=-0.5) > 0


def test_a_higher_bulk_never_raises_the_estimate() -> None:
    shares = [estimate(0.02, median) for median in np.linspace(-5, 6, 40)]
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] == 0


def test_it_stays_in_range_for_every_share() -> None:
    assert [estimate(share) for share in (0.0, 0.001, 1.0)] == [0.0, 0.0, 1.0]


def test_a_rate_that_is_not_below_a_tenth_is_taken_as_it_is() -> None:
    poor = replace(POINT, false_positives=PatientRate(0.2, 0.1, 50, 5000))
    assert estimate(0.2, median=1.0, point=poor) == pytest.approx(0, abs=1e-3)


def test_without_a_threshold_or_a_bulk_there_is_none() -> None:
    by_decisions = replace(POINT, threshold=None)
    assert unconfirmed_parasitaemia(0.1, by_decisions, REFERENCE, bulk(-3)) is None
    empty = Appearance(0, (), (), 0, 0)
    assert unconfirmed_parasitaemia(0.1, POINT, REFERENCE, empty) is None
