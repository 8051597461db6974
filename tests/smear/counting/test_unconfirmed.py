"""The estimate for a slide unlike the known ones."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hemozoin.decision.counting_point import CountingPoint
from hemozoin.decision.patient_rate import PatientRate
from hemozoin.smear.counting.unconfirmed import unconfirmed_parasitaemia

POINT = CountingPoint(
    0.95, PatientRate(0.001, 0.001, 160, 10_000), PatientRate(0.8, 0.1, 100, 9000)
)


def test_it_is_rogan_and_gladens_with_the_sensitivity_of_a_hard_patient() -> None:
    assert POINT.sensitivity
    f, s = (0.001 * 10_000 + 0.5) / 10_001, POINT.sensitivity.quantiles[250]
    assert 0.7 < s < 0.78
    assert unconfirmed_parasitaemia(0.02, POINT) == pytest.approx((0.02 - f) / (s - f))


def test_it_stays_in_range_for_every_share() -> None:
    assert [unconfirmed_parasitaemia(share, POINT) for share in (0.0, 0.001, 1.0)] == [0, 0, 1]


def test_a_point_that_tells_nothing_apart_finds_nothing() -> None:
    poor = CountingPoint(
        0.95, PatientRate(0.79, 0.01, 160, 10_000), PatientRate(0.8, 0.3, 100, 9000)
    )
    assert unconfirmed_parasitaemia(0.9, poor) == 0


def test_without_a_sensitivity_no_infected_cell_is_missed() -> None:
    found = unconfirmed_parasitaemia(0.5, replace(POINT, sensitivity=None))
    assert found == pytest.approx(0.5, abs=0.001)


def test_without_a_threshold_there_is_none() -> None:
    assert unconfirmed_parasitaemia(0.1, replace(POINT, threshold=None)) is None
