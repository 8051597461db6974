from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn import metrics as sk

from hemozoin.metrics import bootstrap as bootstrap_module
from hemozoin.metrics.bootstrap import bootstrap
from hemozoin.metrics.classification import compute_metrics
from hemozoin.metrics.predictions import LabelledPredictions


def clustered(
    seed: int, patients: int = 30, cells: int = 20, between: float = 2.0
) -> LabelledPredictions:
    """Draw cells whose patients differ: each shifts the logits of all its cells."""
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), cells)
    truth = rng.random(len(patient)) < 0.5
    shift = rng.normal(0, between, patients)[patient]
    logit = rng.normal(np.where(truth, 2.0, -2.0)) + shift
    return LabelledPredictions(truth, 1 / (1 + np.exp(-logit)), patient.astype(str))


def width(predictions: LabelledPredictions, metric: str) -> float:
    estimate = bootstrap(predictions, 0.5).metrics[metric]
    return estimate.high - estimate.low


def test_the_value_is_the_metric_and_is_inside_the_interval() -> None:
    predictions = clustered(0)
    found, expected = bootstrap(predictions, 0.4, 0.05), compute_metrics(predictions, 0.4, 0.05)
    assert {name: e.value for name, e in found.metrics.items()} == expected
    for name, estimate in found.metrics.items():
        if name != "calibration_error":
            assert estimate.low < estimate.value < estimate.high, name
    assert (found.unit, found.units) == ("patients", 30)


def test_the_same_seed_gives_the_same_intervals() -> None:
    predictions = clustered(0)
    assert bootstrap(predictions, 0.5).metrics["mcc"] == bootstrap(predictions, 0.5).metrics["mcc"]
    assert (
        bootstrap(predictions, 0.5, seed=1).metrics["mcc"]
        != bootstrap(predictions, 0.5).metrics["mcc"]
    )


def test_patients_are_resampled_not_cells() -> None:
    alike, different = clustered(1, between=0.0), clustered(1, between=2.0)
    by_cell = LabelledPredictions(different.truth, different.p)
    assert width(different, "accuracy") > 1.5 * width(by_cell, "accuracy")
    # Where patients don't differ, drawing patients or cells makes no difference.
    cells_alike = LabelledPredictions(alike.truth, alike.p)
    assert width(alike, "accuracy") == pytest.approx(width(cells_alike, "accuracy"), rel=0.4)
    assert (bootstrap(by_cell, 0.5).unit, bootstrap(by_cell, 0.5).units) == ("cells", 600)


@pytest.mark.slow
def test_intervals_cover_the_truth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most of 80 studies with 30 patients cover the truth (fewer than 95 %, as is known for a
    bootstrap of few patients); resampling cells covers it far less often."""
    monkeypatch.setattr(bootstrap_module, "RESAMPLES", 200)
    truth = compute_metrics(clustered(0, patients=20_000), 0.5)["sensitivity"]
    studies = [clustered(seed, cells=10) for seed in range(1, 81)]

    def covered(predictions: LabelledPredictions) -> bool:
        estimate = bootstrap(predictions, 0.5).metrics["sensitivity"]
        return estimate.low <= truth <= estimate.high

    assert np.mean([covered(study) for study in studies]) >= 0.80
    assert (
        np.mean([covered(LabelledPredictions(study.truth, study.p)) for study in studies]) <= 0.65
    )


def test_intervals_do_not_depend_on_the_order_of_cells() -> None:
    predictions = clustered(2)
    mixed = np.random.default_rng(0).permutation(len(predictions))
    assert predictions.patient is not None
    shuffled = LabelledPredictions(
        predictions.truth[mixed], predictions.p[mixed], predictions.patient[mixed]
    )
    before, after = (bootstrap(some, 0.5).metrics["brier"] for some in (predictions, shuffled))
    assert (before.low, before.high) == pytest.approx((after.low, after.high))


@pytest.mark.parametrize(("patients", "has_interval"), [(1, False), (5, False), (6, True)])
def test_few_patients_give_no_interval(patients: int, has_interval: bool) -> None:
    found = bootstrap(clustered(0, patients=patients), 0.5)
    accuracy = found.metrics["accuracy"]
    assert not np.isnan(accuracy.value)
    assert np.isnan([accuracy.low, accuracy.high]).all() != has_interval
    assert np.isnan(found.roc.low).all() != has_interval
    assert not np.isnan(found.roc.y).any()


def test_few_patients_of_a_class_give_no_interval_for_its_metrics() -> None:
    """20 patients, 3 of them with parasitized cells: only the specificity is well known."""
    cells = clustered(0, patients=20)
    assert cells.patient is not None
    found = bootstrap(cells.subset(~cells.truth | (cells.patient.astype(int) < 3)), 0.5).metrics
    without = {name for name, estimate in found.items() if np.isnan(estimate.low)}
    assert without == {
        *("sensitivity", "f1", "ppv", "npv", "mcc"),
        *("roc_auc", "average_precision", "calibration_error"),
    }


def test_a_perfect_network_may_make_mistakes() -> None:
    """An interval from 1 to 1 would say that it can't. The exact one is that of 8 of 8 patients."""
    found = bootstrap(alike(right=True), 0.5).metrics
    exact = binomtest(8, 8).proportion_ci(0.95, "exact")
    for name in ("accuracy", "sensitivity", "specificity"):
        assert found[name].value == 1
        assert (found[name].low, found[name].high) == pytest.approx((exact.low, exact.high))
    assert np.isnan([found["roc_auc"].low, found["roc_auc"].high]).all()


def test_a_network_that_is_always_wrong_may_be_right_elsewhere() -> None:
    found = bootstrap(alike(right=False), 0.5).metrics["sensitivity"]
    exact = binomtest(0, 8).proportion_ci(0.95, "exact")
    assert (found.low, found.value, found.high) == pytest.approx((exact.low, 0, exact.high))


def test_a_share_that_is_equal_in_all_patients_has_no_interval() -> None:
    """Nine of ten cells right in each of them: resamples of patients say nothing about others."""
    truth, right = np.arange(160) % 2 == 0, np.arange(160) % 20 != 0
    patient = np.repeat(np.arange(8), 20).astype(str)
    found = bootstrap(LabelledPredictions(truth, (truth == right) * 1.0, patient), 0.5).metrics
    assert found["sensitivity"].value == pytest.approx(0.9)
    assert np.isnan([found["sensitivity"].low, found["sensitivity"].high]).all()


def alike(*, right: bool) -> LabelledPredictions:
    """Return cells of 8 patients, of both classes, all called right or all called wrong."""
    truth = np.arange(160) % 2 == 0
    patient = np.repeat(np.arange(8), 20).astype(str)
    return LabelledPredictions(truth, (truth == right) * 1.0, patient)


def test_a_metric_undefined_in_many_resamples_has_no_interval() -> None:
    """With uninfected cells in 6 of 40 patients, a part of the resamples of 6 has none."""
    cells = clustered(0, patients=40)
    assert cells.patient is not None
    found = bootstrap(cells.subset(cells.truth | (cells.patient.astype(int) < 1)), 0.5).metrics
    assert np.isnan(found["specificity"].low)
    assert not np.isnan(found["sensitivity"].low)


def test_one_class_alone_gives_no_warnings() -> None:
    predictions = clustered(0)
    found = bootstrap(predictions.subset(~predictions.truth), 0.5)
    assert np.isnan(found.metrics["roc_auc"].value)
    assert found.metrics["specificity"].low < found.metrics["specificity"].high
    assert np.isnan(found.pr.y).all()


def test_curves_equal_those_of_scikit_learn() -> None:
    predictions = clustered(3)
    found = bootstrap(predictions, 0.5)
    fpr, tpr, _ = sk.roc_curve(predictions.truth, predictions.p)
    assert np.allclose(found.roc.y, np.interp(found.roc.x, fpr, tpr), atol=0.01)
    precision, recall, _ = sk.precision_recall_curve(predictions.truth, predictions.p)
    for x, y in zip(found.pr.x, found.pr.y, strict=True):
        # The recalls of scikit-learn fall: take the last point that still reaches x.
        assert y == pytest.approx(precision[np.flatnonzero(recall >= x)[-1]])
    for band in (found.roc, found.pr):
        assert np.mean((band.low <= band.y) & (band.y <= band.high)) > 0.95
        assert np.max(band.high - band.low) > 0.02
