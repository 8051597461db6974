"""Dataset shift: single cells that all look more infected than those of known patients."""

from __future__ import annotations

import numpy as np
import pytest

from hemozoin.decision.dataset_shift import ShiftDetector
from hemozoin.decision.temperature import sigmoid

THRESHOLD, HIGHEST = 0.6, -3.0

#: Log odds of infected cells, which are called, and of a slide's 200 healthy cells.
INFECTED = np.full(20, 4.0)
HEALTHY = np.linspace(-5.5, -2.5, 200)


def is_shifted(log_odds: np.ndarray, highest: float | None = HIGHEST) -> bool:
    detector = ShiftDetector(THRESHOLD, highest)
    for p in sigmoid(log_odds).tolist():
        detector.add(p)
    assert detector.cells == len(log_odds)
    return detector.is_shifted


@pytest.mark.parametrize(("shift", "expected"), [(0.0, False), (1.0, False), (2.0, True)])
def test_healthy_cells_that_look_more_infected_than_any_patients(
    shift: float, expected: bool
) -> None:
    assert is_shifted(HEALTHY + shift) == expected
    assert is_shifted(np.r_[HEALTHY + shift, INFECTED]) == expected


def test_a_folder_of_infected_cells_is_not_shifted() -> None:
    weakly_infected = np.full(30, -1.0)
    assert not is_shifted(np.r_[np.repeat(INFECTED, 10), weakly_infected])
    assert is_shifted(np.r_[INFECTED, weakly_infected])


def test_few_cells_and_a_network_without_known_patients_say_nothing() -> None:
    assert is_shifted(HEALTHY[:50] + 9 / 2)
    assert not is_shifted(HEALTHY[:49] + 9 / 2)
    assert not is_shifted(HEALTHY + 2, highest=None)
    assert not ShiftDetector(THRESHOLD, HIGHEST).is_shifted
