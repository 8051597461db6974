"""The report on a cross-validation: all cells together, and each fold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics as sk

from hemozoin.evaluation.fold_report import FoldReport, write_fold_report
from hemozoin.evaluation.folds import FoldTest, pool_folds
from hemozoin.metrics.bootstrap import bootstrap
from hemozoin.metrics.classification import compute_metrics
from hemozoin.metrics.predictions import LabelledPredictions


def fold(seed: int, threshold: float, patients: int = 10) -> FoldTest:
    """Draw the test of a fold; its probabilities are as far off as its threshold."""
    rng = np.random.default_rng(seed)
    patient = np.repeat([f"C{seed}-{k}" for k in range(patients)], 30)
    truth = rng.random(len(patient)) < 0.5
    offset = np.log(threshold / (1 - threshold))
    p = 1 / (1 + np.exp(-rng.normal(np.where(truth, 2.0, -2.0) + offset)))
    predictions = LabelledPredictions(truth, p, patient)
    return FoldTest(predictions, threshold, compute_metrics(predictions, threshold))


FOLDS = (fold(0, 0.3), fold(1, 0.5), fold(2, 0.9))


def test_every_cell_is_called_by_the_threshold_of_its_fold() -> None:
    pooled = pool_folds(FOLDS, 0.01)
    truth = np.concatenate([one.predictions.truth for one in FOLDS])
    called = np.concatenate([one.predictions.p >= one.threshold for one in FOLDS])
    p = np.concatenate([one.predictions.p for one in FOLDS])
    found = pooled.intervals.metrics
    assert found["accuracy"].value == pytest.approx((called == truth).mean())
    assert found["sensitivity"].value == pytest.approx(called[truth].mean())
    assert found["specificity"].value == pytest.approx((~called[~truth]).mean())
    assert found["roc_auc"].value == pytest.approx(sk.roc_auc_score(truth, p))
    assert found["brier"].value == pytest.approx(sk.brier_score_loss(truth, p))


def test_the_interval_resamples_the_patients_of_all_folds() -> None:
    pooled = pool_folds(FOLDS, 0.01)
    assert (pooled.intervals.unit, pooled.intervals.units) == ("patients", 30)
    same = tuple(replace(one, threshold=0.5) for one in FOLDS)
    all_cells = pool_folds(same, 0.01)
    expected = bootstrap(all_cells.predictions, 0.5).metrics
    assert all_cells.intervals.metrics["accuracy"] == expected["accuracy"]
    assert all_cells.intervals.metrics["roc_auc"] == expected["roc_auc"]


def test_a_fold_without_patients_makes_all_of_them_unknown() -> None:
    predictions = LabelledPredictions(FOLDS[0].predictions.truth, FOLDS[0].predictions.p)
    pooled = pool_folds((replace(FOLDS[0], predictions=predictions), FOLDS[1]), 0.01)
    assert pooled.intervals.unit == "cells"


@pytest.mark.slow
def test_the_page_has_folds_spread_and_pooled_interval(tmp_path: Path) -> None:
    warning = "SEEN IN TRAINING: <b>all</b>"
    write_fold_report(tmp_path, FoldReport("Cross-validation", FOLDS, warnings=(warning,)))
    page = (tmp_path / "report.html").read_text()
    assert "3 folds: 900 cells of 30 patients were tested" in page
    accuracy = [one.metrics["accuracy"] for one in FOLDS]
    for value in accuracy:
        assert f"<td>{value:.3f}</td>" in page
    assert f"<td>{np.mean(accuracy):.3f} ± {np.std(accuracy, ddof=1):.3f}</td>" in page
    pooled = pool_folds(FOLDS, 0.01).intervals.metrics["accuracy"]
    assert f"{pooled.low:.3f}–{pooled.high:.3f}" in page
    assert "1,000 resamples of 30 patients" in page
    assert "SEEN IN TRAINING: &lt;b&gt;all" in page
    assert page.count("<svg") == 2
    assert len([*(tmp_path / "plots").iterdir()]) == 6
