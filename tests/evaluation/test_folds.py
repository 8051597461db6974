from __future__ import annotations

import math

import pytest

from hemozoin.evaluation.folds import FoldSpread, folds_text, spread_over_folds

FOLDS = [
    {"accuracy": 0.90, "roc_auc": 0.98},
    {"accuracy": 0.94, "roc_auc": math.nan},
    {"accuracy": 0.98, "roc_auc": 0.96},
]


def test_spread() -> None:
    accuracy, auc = spread_over_folds(FOLDS)
    found = (accuracy.mean, accuracy.sd, accuracy.min, accuracy.max)
    assert found == pytest.approx((0.94, 0.04, 0.90, 0.98))
    # A fold in which the metric is NaN is left out; it doesn't count as 0.
    assert (auc.mean, auc.min) == pytest.approx((0.97, 0.96))
    assert (accuracy.figure, auc.figure) == ("accuracy", "roc_auc")


def test_a_metric_that_no_fold_has() -> None:
    assert spread_over_folds([{"mcc": math.nan}] * 2) == [FoldSpread("mcc")]


def test_text() -> None:
    lines = folds_text(FOLDS).splitlines()
    assert "3 folds" in lines[0]
    assert lines[1].split() == ["accuracy", "0.9400", "±", "0.0400", "0.9000..0.9800"]
    assert lines[2].startswith("roc auc")


def test_one_fold_has_no_spread() -> None:
    assert spread_over_folds(FOLDS[:1]) == [
        FoldSpread("accuracy", 0.9, None, 0.9, 0.9),
        FoldSpread("roc_auc", 0.98, None, 0.98, 0.98),
    ]
    assert "0.9000 ± -" in folds_text(FOLDS[:1])
