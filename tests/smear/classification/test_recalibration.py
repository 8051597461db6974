"""Recalibration: a field whose bulk looks infected is lowered, no other; nothing is ever raised."""

from __future__ import annotations

import numpy as np
import pytest

import hemozoin
from hemozoin.arrays import Floats
from hemozoin.decision.conformal import ReviewBand
from hemozoin.decision.temperature import log_odds, sigmoid
from hemozoin.model.prediction import OUT_OF_DISTRIBUTION, TOO_CLOSE, CellDecision
from hemozoin.smear.classification.recalibration import log_odds_shift, recalibrate, shifted

BAND = ReviewBand(0.2, 0.6, 0.01)


@pytest.fixture(scope="module")
def highest() -> float:
    found = hemozoin.load("nano").bundle.highest_healthy_median
    assert found is not None
    return found


def probabilities(odds: Floats) -> list[float]:
    return [float(p) for p in sigmoid(np.asarray(odds))]


def decision(odds: float) -> CellDecision:
    (p,) = probabilities(np.array([odds]))
    return CellDecision(p, BAND.decide(p), None, np.zeros((2, 2)))


def test_a_field_like_the_known_ones_stays(highest: float) -> None:
    assert log_odds_shift(probabilities(np.linspace(-6, -2, 51)), highest, BAND) == 0
    assert recalibrate(decision(3.0), 0.0, BAND).p_parasitized == decision(3.0).p_parasitized


def test_a_field_whose_median_is_too_high_is_lowered_to_the_highest_known(
    highest: float,
) -> None:
    field = probabilities(highest + 1.5 + np.linspace(-1, 1, 51))
    shift = log_odds_shift(field, highest, BAND)
    assert shift == pytest.approx(1.5, abs=1e-3)
    after = [shifted(p, shift) for p in field]
    assert float(np.median(log_odds(np.array(after)))) == pytest.approx(highest, abs=0.01)


def test_a_field_with_too_many_called_cells_stays(highest: float) -> None:
    field = probabilities(np.r_[np.full(31, 4.0), np.full(19, -4.0)])
    assert log_odds_shift(field, highest, BAND) == 0


def test_in_a_severe_malaria_the_healthy_cells_show_the_shift(highest: float) -> None:
    field = np.r_[np.full(28, 5.0), np.full(22, -1.0)]
    shift = log_odds_shift(probabilities(field), highest, BAND)
    assert shift == pytest.approx(-1 - highest, abs=1e-3)
    again = [recalibrate(decision(odds), shift, BAND).decision for odds in field]
    assert again == ["parasitized"] * 28 + ["uninfected"] * 22


@pytest.mark.parametrize(("infected", "is_severe"), [(12, False), (16, True), (24, True)])
def test_a_severe_malaria_among_cells_like_the_known_ones_has_no_shift(
    infected: int, is_severe: bool, highest: float
) -> None:
    healthy = highest + np.linspace(-1.5, 1, 50 - infected)
    field = probabilities(np.r_[np.full(infected, 3.0), healthy])
    shift = log_odds_shift(field, highest, BAND)
    median_of_all = float(np.median(log_odds(np.array(field)))) - highest
    assert median_of_all > 0.05
    assert shift == pytest.approx(0 if is_severe else median_of_all, abs=1e-3)


def test_few_cells_and_networks_of_few_patients_have_no_shift(highest: float) -> None:
    assert log_odds_shift(probabilities(np.full(9, -1.0)), highest, BAND) == 0
    assert log_odds_shift(probabilities(np.full(50, -1.0)), None, BAND) == 0
    assert log_odds_shift([], highest, BAND) == 0


@pytest.mark.parametrize(
    ("odds", "decided", "reason"),
    [(4.0, "parasitized", None), (1.5, "review", TOO_CLOSE), (0.5, "uninfected", None)],
)
def test_the_cell_is_decided_again(odds: float, decided: str, reason: str | None) -> None:
    again = recalibrate(decision(odds), 2.0, BAND)
    assert (again.decision, again.reason) == (decided, reason)


def test_a_strange_cell_stays_for_review() -> None:
    strange = decision(4.0)._replace(decision="review", reason=OUT_OF_DISTRIBUTION)
    again = recalibrate(strange, 2.4, BAND)
    assert (again.decision, again.reason) == ("review", OUT_OF_DISTRIBUTION)
    assert again.p_parasitized < strange.p_parasitized


@pytest.mark.parametrize("p", [0.0, 1e-6, 0.5, 0.999999, 1.0])
def test_a_shift_never_raises_p_and_keeps_it_a_probability(p: float) -> None:
    assert shifted(p, 0.0) == p
    assert 0 <= shifted(p, 2.5) <= max(p, 1e-6)
