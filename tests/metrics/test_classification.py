from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn import metrics as sk

from hemozoin.metrics.classification import compute_metrics, metrics_by_patient, weighted_metrics
from hemozoin.metrics.predictions import LabelledPredictions
from tests.support.tables import labelled_cells, without_patients

#: Two true positives, one false negative, one false positive, four true negatives.
SMALL = LabelledPredictions(
    truth=np.array([1, 1, 1, 0, 0, 0, 0, 0], bool),
    p=np.array([0.9, 0.8, 0.2, 0.7, 0.3, 0.1, 0.1, 0.1]),
    patient=np.array(["a", "a", "b", "a", "b", "c", "c", "c"]),
)


def test_metrics_by_hand() -> None:
    found = compute_metrics(SMALL, threshold=0.5, prevalence=0.1)
    assert found["accuracy"] == pytest.approx(6 / 8)
    assert found["sensitivity"] == pytest.approx(2 / 3)
    assert found["specificity"] == pytest.approx(4 / 5)
    # Of 1,000 cells 100 are parasitized: 66.7 TP, 33.3 FN, 180 FP, 720 TN.
    assert found["ppv"] == pytest.approx(66.6667 / 246.6667, rel=1e-4)
    assert found["npv"] == pytest.approx(720 / 753.3333, rel=1e-4)
    assert found["f1"] == pytest.approx(4 / 6)
    assert found["mcc"] == pytest.approx((2 * 4 - 1 * 1) / np.sqrt(3 * 3 * 5 * 5))
    # 0.9 and 0.8 exceed the p of all five uninfected cells, 0.2 that of three.
    assert found["roc_auc"] == pytest.approx(13 / 15)
    # Precision is 1, 1 and 3/5 where the recall rises.
    assert found["average_precision"] == pytest.approx((1 + 1 + 3 / 5) / 3)
    assert found["brier"] == pytest.approx((0.01 + 0.04 + 0.64 + 0.49 + 0.09 + 3 * 0.01) / 8)


def test_calibration_error_by_hand() -> None:
    # Bins of width 1/15: 0.99 and 1.0 share the last one, 0.5 has one to itself.
    predictions = LabelledPredictions(np.array([True, False, True]), np.array([0.99, 1.0, 0.5]))
    expected = abs((0.99 + 1.0) - 1) / 3 + abs(0.5 - 1) / 3
    assert compute_metrics(predictions, 0.5)["calibration_error"] == pytest.approx(expected)


def test_a_cell_at_the_threshold_is_called_parasitized() -> None:
    predictions = LabelledPredictions(np.array([True, False]), np.array([0.5, 0.4]))
    assert compute_metrics(predictions, 0.5)["sensitivity"] == 1.0
    assert compute_metrics(predictions, 0.500001)["sensitivity"] == 0.0


@pytest.mark.slow
@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 8), st.integers(0, 3)), min_size=4, max_size=40
    ),
    st.sampled_from([0.2, 0.5, 0.6]),
)
def test_scikit_learn_agrees(cells: list[tuple[bool, int, int]], threshold: float) -> None:
    """Coarse p make ties; weights of 0 leave cells out."""
    truth, eighths, weight = (np.array(column) for column in zip(*cells, strict=True))
    p = eighths / 8
    assume(weight[truth].sum() > 0 and weight[~truth].sum() > 0)
    rows = weighted_metrics(
        LabelledPredictions(truth, p), threshold, 0.01, weight[None].astype(float)
    )
    found = {name: row[0] for name, row in rows.items()}
    called = p >= threshold
    of_labels, of_p = (
        {"y_true": truth, "y_pred": called, "sample_weight": weight},
        {"y_true": truth, "sample_weight": weight},
    )
    expected = {
        "accuracy": sk.accuracy_score(**of_labels),
        "sensitivity": sk.recall_score(**of_labels),
        "specificity": sk.recall_score(**of_labels, pos_label=False),
        "f1": sk.f1_score(**of_labels),
        "roc_auc": sk.roc_auc_score(y_score=p, **of_p),
        "average_precision": sk.average_precision_score(y_score=p, **of_p),
        "brier": sk.brier_score_loss(y_proba=p, **of_p),
    }
    if not np.isnan(found["mcc"]):
        expected["mcc"] = sk.matthews_corrcoef(**of_labels)
    assert {name: found[name] for name in expected} == pytest.approx(expected)


@given(st.lists(st.integers(0, 4), min_size=8, max_size=8).filter(any))
def test_a_weight_equals_copies_of_the_cell(weight: list[int]) -> None:
    weighted = weighted_metrics(SMALL, 0.5, 0.01, np.array([weight], float))
    copies = np.repeat(np.arange(8), weight)
    copied = compute_metrics(LabelledPredictions(SMALL.truth[copies], SMALL.p[copies]), 0.5, 0.01)
    assert {k: v[0] for k, v in weighted.items()} == pytest.approx(copied, nan_ok=True)


def test_an_undefined_metric_is_nan_and_not_zero() -> None:
    uninfected = LabelledPredictions(np.array([False, False]), np.array([0.1, 0.9]))
    found = compute_metrics(uninfected, 0.5)
    undefined = {name for name, value in found.items() if np.isnan(value)}
    assert undefined == {
        *("sensitivity", "ppv", "npv", "f1", "mcc", "roc_auc", "average_precision"),
    }
    assert found["specificity"] == 0.5
    never = compute_metrics(LabelledPredictions(np.array([True, False]), np.array([0.1, 0.2])), 0.5)
    assert np.isnan(never["ppv"])
    assert never["sensitivity"] == 0.0


def test_swapped_classes_mirror_the_metrics() -> None:
    right, flipped = (
        compute_metrics(SMALL, 0.5),
        compute_metrics(LabelledPredictions(~SMALL.truth, SMALL.p), 0.5),
    )
    assert flipped["roc_auc"] == pytest.approx(1 - right["roc_auc"])
    assert flipped["accuracy"] == pytest.approx(1 - right["accuracy"])
    other_order = compute_metrics(LabelledPredictions(SMALL.truth, 1 - SMALL.p), 0.5)
    assert other_order["mcc"] == pytest.approx(-right["mcc"])


def test_truth_and_patients_come_from_columns() -> None:
    cells = labelled_cells(["uninfected", "parasitized"], ["C1", "C2"])
    predictions = LabelledPredictions.from_cells(cells, np.array([0.25, 0.75]))
    assert predictions.truth.tolist() == [False, True]
    assert predictions.patient is not None
    assert predictions.patient.tolist() == ["C1", "C2"]
    unknown = without_patients(cells)
    assert LabelledPredictions.from_cells(unknown, np.array([0.25, 0.75])).patient is None


@pytest.mark.parametrize(
    ("truth", "p", "patient"),
    [
        (np.array([0, 1]), np.array([0.1, 0.2]), None),  # a class index is not a truth
        (np.array([True, False]), np.array([0.1, 1.2]), None),
        (np.array([True, False]), np.array([0.1, np.nan]), None),
        (np.array([True]), np.array([0.1, 0.2]), None),
        (np.array([True, False]), np.array([0.1, 0.2]), np.array(["C1"])),
        (np.array([[True, False]]), np.array([[0.1, 0.2]]), None),
    ],
)
def test_invalid_arrays_are_refused(
    truth: np.ndarray, p: np.ndarray, patient: np.ndarray | None
) -> None:
    with pytest.raises(ValueError, match=r"shapes|truth|p has"):
        LabelledPredictions(truth, p, patient)


def test_by_patient() -> None:
    table = metrics_by_patient(SMALL, 0.5)
    assert [one.patient for one in table] == ["a", "b", "c"]
    assert [one.cells for one in table] == [3, 2, 3]
    assert [one.parasitized for one in table] == [2, 1, 0]
    assert [one.accuracy for one in table] == pytest.approx([2 / 3, 1 / 2, 1])
    assert [one.sensitivity for one in table] == pytest.approx([1, 0, np.nan], nan_ok=True)
    assert [one.specificity for one in table] == [0.0, 1.0, 1.0]
    assert [one.roc_auc for one in table] == pytest.approx([1, 0, np.nan], nan_ok=True)
    with pytest.raises(ValueError, match="no patient"):
        metrics_by_patient(LabelledPredictions(SMALL.truth, SMALL.p), 0.5)
