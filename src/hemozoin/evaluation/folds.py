"""The folds of a cross-validation: mean and spread of each metric, and all folds pooled."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace

import numpy as np

from hemozoin.arrays import Floats
from hemozoin.decision.temperature import P_MARGIN, log_odds, sigmoid
from hemozoin.evaluation.evaluation import AS_GIVEN, LabelSet
from hemozoin.metrics.bootstrap import bootstrap
from hemozoin.metrics.predictions import LabelledPredictions

#: The metrics of a decision: those that depend on the threshold.
_OF_DECISIONS = ("accuracy", "sensitivity", "specificity", "ppv", "npv", "f1", "mcc")


@dataclass(frozen=True)
class FoldSpread:
    """A metric over the folds; its columns are those of folds.csv.

    `figure` is the name of the metric, `sd` the standard deviation between folds (n - 1), None for
    fewer than two folds. All are None where no fold has the metric.
    """

    figure: str
    mean: float | None = None
    sd: float | None = None
    min: float | None = None
    max: float | None = None


def spread_over_folds(folds: Sequence[Mapping[str, float]]) -> list[FoldSpread]:
    """Return the spread of each metric; folds in which it is NaN are left out.

    Each fold maps the name of a metric to its value.
    """
    names = dict.fromkeys(name for fold in folds for name in fold)
    return [_spread(name, [fold.get(name, math.nan) for fold in folds]) for name in names]


def _spread(name: str, values: Sequence[float]) -> FoldSpread:
    values = [value for value in values if not math.isnan(value)]
    if not values:
        return FoldSpread(name)
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return FoldSpread(name, float(np.mean(values)), sd, min(values), max(values))


def folds_text(folds: Sequence[Mapping[str, float]]) -> str:
    """Return a text table with a line per metric: mean ± sd and min..max over the folds."""
    lines = [f"{len(folds)} folds             mean ± sd           min..max"]
    for spread in spread_over_folds(folds):
        metric, *values = astuple(spread)
        mean, sd, low, high = ("-" if value is None else f"{value:.4f}" for value in values)
        lines.append(f"{metric.replace('_', ' '):<18} {mean:>7} ± {sd:<7}   {low:>7}..{high}")
    return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class FoldTest:
    """The test of one fold: its cells, the threshold of its network, and its metrics by name."""

    predictions: LabelledPredictions
    threshold: float
    metrics: Mapping[str, float]


def pool_folds(folds: Sequence[FoldTest], prevalence: float) -> LabelSet:
    """Return the metrics of all folds together, with intervals that resample all patients.

    Each cell is called by the threshold of its own fold. AUC, average precision and the curves
    compare probabilities of different networks, so they may differ from the mean of the folds
    (Forman & Scholz 2010, SIGKDD Explorations 12, 49).
    """
    tests = [fold.predictions for fold in folds]
    known = [test.patient for test in tests if test.patient is not None]
    truth, p = (np.concatenate([getattr(test, name) for test in tests]) for name in ("truth", "p"))
    patient = np.concatenate(known) if len(known) == len(tests) else None
    pooled = LabelledPredictions(truth, p, patient)
    # With the log odds of its threshold subtracted, each fold has the threshold 1/2.
    thresholds = np.repeat([fold.threshold for fold in folds], [len(test) for test in tests])
    shifted = sigmoid(_clipped_log_odds(p) - _clipped_log_odds(thresholds))
    of_decisions = bootstrap(LabelledPredictions(truth, shifted, patient), 0.5, prevalence)
    intervals = bootstrap(pooled, 0.5, prevalence)
    metrics = intervals.metrics | {name: of_decisions.metrics[name] for name in _OF_DECISIONS}
    return LabelSet(AS_GIVEN, pooled, replace(intervals, metrics=metrics))


def _clipped_log_odds(p: Floats) -> Floats:
    return log_odds(np.clip(p, P_MARGIN, 1 - P_MARGIN))
