from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hemozoin.decision.threshold import OperatingPoint, choose_threshold
from hemozoin.errors import DataError, HemozoinError
from hemozoin.metrics.classification import compute_metrics, ranked_counts
from hemozoin.metrics.predictions import LabelledPredictions

Cells = list[tuple[bool, int]]
cells = st.lists(st.tuples(st.booleans(), st.integers(0, 20)), min_size=5, max_size=60)


def predictions_of(cells: Cells) -> LabelledPredictions:
    truth, twentieths = (np.array(column) for column in zip(*cells, strict=True))
    assume(truth.any() and not truth.all())
    return LabelledPredictions(truth, twentieths / 20)


def normal(seed: int, centre: float = 0.0, n: int = 400) -> LabelledPredictions:
    """Draw cells whose logits are two normal distributions, best separated at `centre`."""
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.5
    logit = centre + rng.normal(np.where(truth, 3.0, -3.0), 2.0)
    return LabelledPredictions(truth, 1 / (1 + np.exp(-logit)))


def logit(p: float) -> float:
    return float(np.log(p / (1 - p)))


@given(cells, st.sampled_from(["sensitivity", "specificity"]), st.floats(0.01, 0.99))
def test_the_operating_point_is_met_at_the_least_cost(
    drawn: Cells, kind: Literal["sensitivity", "specificity"], least: float
) -> None:
    predictions = predictions_of(drawn)
    assume(len(set(predictions.p)) > 1)
    chosen = choose_threshold(predictions, OperatingPoint(kind, least))
    found = compute_metrics(predictions, chosen.value)
    assert (chosen.sensitivity, chosen.specificity) == (found["sensitivity"], found["specificity"])
    assert 0 < chosen.value < 1
    # Every threshold between two cells, as (sensitivity, specificity).
    tp, fp = (row[0, 1:-1] for row in ranked_counts(predictions, np.ones((1, len(predictions)))))
    attainable = {
        "sensitivity": tp / predictions.truth.sum(),
        "specificity": 1 - fp / (~predictions.truth).sum(),
    }
    other = "specificity" if kind == "sensitivity" else "sensitivity"
    enough = attainable[kind] >= least
    assert chosen.met == enough.any() == (found[kind] >= least)
    if chosen.met:
        assert found[other] == pytest.approx(attainable[other][enough].max())
    else:
        assert found[kind] == pytest.approx(attainable[kind].max())


def test_an_unreachable_operating_point_gives_the_closest() -> None:
    predictions = LabelledPredictions(
        np.array([True, True, False, False]), np.array([0.1, 0.9, 0.5, 0.3])
    )
    chosen = choose_threshold(predictions, OperatingPoint("sensitivity", 0.9))
    assert (chosen.met, chosen.sensitivity) == (False, 0.5)
    assert 0.1 < chosen.value < 0.3 or 0.5 < chosen.value < 0.9


def test_cells_with_equal_p_give_a_threshold() -> None:
    predictions = LabelledPredictions(np.array([True, False]), np.array([1.0, 1.0]))
    assert not choose_threshold(predictions, OperatingPoint("specificity", 0.9)).met
    assert 0 < choose_threshold(predictions, OperatingPoint()).value <= 1


@pytest.mark.parametrize("centre", [-2.0, 0.0, 1.5])
def test_balanced_separates_the_classes(centre: float) -> None:
    chosen = choose_threshold(normal(0, centre, n=20000), OperatingPoint())
    # Biased towards 0, more so for a larger distance.
    assert 0.8 * abs(centre) - 0.1 < abs(logit(chosen.value)) < abs(centre) + 0.15
    assert centre * logit(chosen.value) > -0.1
    assert chosen.sensitivity == pytest.approx(chosen.specificity, abs=0.05)


def test_balanced_does_not_depend_on_the_class_ratio() -> None:
    predictions = normal(0, n=8000)
    kept = predictions.truth | (np.arange(len(predictions)) % 10 == 0)
    few_uninfected = choose_threshold(predictions.subset(kept), OperatingPoint()).value
    assert logit(few_uninfected) == pytest.approx(0, abs=0.35)


def of_patients(seed: int, patients: int, centre: float, between: float) -> LabelledPredictions:
    """Draw 100 cells of each patient; the best threshold of a patient differs by `between`."""
    rng = np.random.default_rng(seed)
    own = centre + rng.normal(0, between, patients)
    cells = [normal(seed + k, middle, n=100) for k, middle in enumerate(own)]
    truth, p = (np.concatenate([getattr(one, name) for one in cells]) for name in ("truth", "p"))
    return LabelledPredictions(truth, p, np.repeat(np.arange(patients).astype(str), 100))


def test_balanced_is_the_share_in_training_unless_the_patients_contradict() -> None:
    def chosen(patients: int, centre: float, seed: int) -> float:
        cells = of_patients(1000 * seed, patients, centre, between=1.5)
        return choose_threshold(cells, OperatingPoint(), 0.5).value

    assert np.mean([chosen(16, 0.2, seed) == pytest.approx(0.5) for seed in range(20)]) >= 0.7
    assert 0.05 < logit(chosen(1000, 0.5, 0)) < 0.6


def test_balanced_of_one_patient_is_the_share_in_training() -> None:
    one = of_patients(0, patients=1, centre=2.0, between=0.0)
    assert choose_threshold(one, OperatingPoint(), 0.3).value == pytest.approx(0.3)


@pytest.mark.slow
def test_balanced_varies_less_than_the_best_cut() -> None:
    def best_cut(predictions: LabelledPredictions) -> float:
        p = np.unique(predictions.p)
        found = [compute_metrics(predictions, t) for t in p]
        return float(p[np.argmax([f["sensitivity"] + f["specificity"] for f in found])])

    samples = [normal(seed, n=200) for seed in range(25)]
    deviation = np.std(
        [logit(choose_threshold(sample, OperatingPoint()).value) for sample in samples]
    )
    assert deviation < 0.6 * np.std([logit(best_cut(sample)) for sample in samples])


def test_balanced_is_in_the_middle_of_a_gap() -> None:
    p = np.array([0.001, 0.002, 0.998, 0.999])
    chosen = choose_threshold(LabelledPredictions(p > 0.5, p), OperatingPoint())
    assert chosen.value == pytest.approx(0.5, abs=0.1)
    assert (chosen.sensitivity, chosen.specificity) == (1.0, 1.0)


def test_balanced_tolerates_wrong_labels() -> None:
    """Some clearly uninfected cells have the wrong label."""
    rng = np.random.default_rng(0)
    clean = normal(1, n=4000)
    wrong = ~clean.truth & (clean.p < 0.02) & (rng.random(len(clean)) < 0.2)
    assert wrong.sum() > 100
    noisy = LabelledPredictions(clean.truth | wrong, clean.p)
    moved = logit(choose_threshold(noisy, OperatingPoint()).value) - logit(
        choose_threshold(clean, OperatingPoint()).value
    )
    assert abs(moved) < 0.35


def test_a_reversed_network_still_gets_a_threshold() -> None:
    p = np.linspace(0.05, 0.95, 40)
    assert choose_threshold(LabelledPredictions(p < 0.5, p), OperatingPoint()).value == 0.5


def test_one_class_is_an_error() -> None:
    with pytest.raises(DataError, match="one class"):
        choose_threshold(
            LabelledPredictions(np.array([True, True]), np.array([0.1, 0.2])), OperatingPoint()
        )


@pytest.mark.parametrize(
    ("kind", "least"),
    [("sensitivity", None), ("sensitivity", 1.0), ("specificity", 97.0), ("balanced", 0.9)],
)
def test_an_invalid_operating_point_is_refused(
    kind: Literal["balanced", "sensitivity", "specificity"], least: float | None
) -> None:
    with pytest.raises(HemozoinError, match="between 0 and 1"):
        OperatingPoint(kind, least)


def test_an_operating_point_converts_to_text_and_back_from_a_dict() -> None:
    assert str(OperatingPoint()) == "balanced"
    operating_point = OperatingPoint("sensitivity", 0.97)
    assert str(operating_point) == "sensitivity at least 0.97"
    assert OperatingPoint(**operating_point.to_dict()) == operating_point  # type: ignore[arg-type]
