from __future__ import annotations

import math

import pytest

from hemozoin.evaluation.folds import folds_text, spread_over_folds

FOLDS = [
    {"accuracy": 0.90, "roc_auc": 0.98},
    {"accuracy": 0.94, "roc_auc": math.nan},
    {"accuracy": 0.98, "roc_auc": 0.96},
]


def test_spread() -> None:
    rows = {row["figure"]: row for row in spread_over_folds(FOLDS).iter_rows(named=True)}
    expected = {"mean": 0.94, "sd": 0.04, "min": 0.90, "max": 0.98}
    assert {name: rows["accuracy"][name] for name in expected} == pytest.approx(expected)
    # A fold in which the metric is NaN is left out; it doesn't count as 0.
    assert (rows["roc_auc"]["mean"], rows["roc_auc"]["min"]) == pytest.approx((0.97, 0.96))


def test_text() -> None:
    lines = folds_text(FOLDS).splitlines()
    assert "3 folds" in lines[0]
    assert lines[1].split() == ["accuracy", "0.9400", "±", "0.0400", "0.9000..0.9800"]
    assert lines[2].startswith("roc auc")


def test_one_fold_has_no_spread() -> None:
    assert spread_over_folds(FOLDS[:1])["sd"].to_list() == [None, None]
    assert "0.9000 ± -" in folds_text(FOLDS[:1])
