"""95 % confidence intervals from a bootstrap that resamples patients.

Cells of one patient share stain, light and microscope, so the effective sample size of 4,400 cells
of 32 patients is closer to 32 than to 4,400. The bootstrap therefore draws whole patients with
replacement (cluster bootstrap: Field & Welsh 2007, J. R. Stat. Soc. B 69, 369) and takes
percentiles. With few patients the intervals are still too narrow (Cameron, Gelbach & Miller 2008,
Rev. Econ. Stat. 90, 414): in simulations with strongly differing patients, the intervals from
15, 30 and 100 patients contained the true sensitivity in 84, 90 and 93 % of 300 studies.
With fewer than 6 patients there is no interval (`MIN_UNITS`).

Where every cell is right, every resample is, too. The interval of such a proportion is the exact
one of Clopper & Pearson (1934, Biometrika 26, 404), with a patient as one observation: as if all
cells of a patient were right or wrong together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hemozoin.arrays import Floats, Ints
from hemozoin.classes import PREVALENCE
from hemozoin.metrics.classification import ranked_counts, ratio, weighted_metrics
from hemozoin.metrics.predictions import LabelledPredictions

RESAMPLES = 1000

#: Fewest patients with cells of each class that a metric needs for an interval. Percentiles of
#: resampled means lie between the lowest and the highest of the patients. Even this whole range is
#: a 95 % interval of the median only from 6 values on: it misses with probability 2 (1/2)^n
#: (Conover 1999, Practical Nonparametric Statistics, section 3.2).
MIN_UNITS = 6

#: Resamples per block: 50 × 4,400 weights fit the cache and limit the memory.
_BLOCK = 50

#: A metric that is undefined in more than 1 of 20 resamples gets no interval.
_MIN_DEFINED = 0.95

#: The metrics that are shares of cells, and so are exactly 0 or 1 where all cells are alike.
_PROPORTIONS = {"accuracy", "sensitivity", "specificity"}

#: Probability of each end of a 95 % interval.
_TAIL = 0.025

#: The calibration error gets no interval: it is a mean of absolute values, which the noise of
#: resampling can only increase, so its percentiles are above the calibration error itself.
_WITHOUT_INTERVAL = "calibration_error"

#: False positive rates at which the ROC curve is evaluated: denser towards 0, where the curve of
#: a good network rises.
_FALSE_POSITIVE_RATES = np.linspace(0, 1, 101) ** 2

#: Recalls at which the precision-recall curve is evaluated: denser towards 1, where it falls.
#: Precision is undefined before the first call, so the first recall is just above 0.
_RECALLS = np.maximum(1 - _FALSE_POSITIVE_RATES[::-1], 1e-9)


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % confidence interval; NaN where it is not defined."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class ConfidenceBand:
    """A curve on a fixed grid with pointwise 95 % intervals, each float `[101]` in [0, 1]."""

    x: Floats
    y: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, eq=False)
class Intervals:
    """Confidence intervals of every metric and both curves, and the resampled units."""

    #: By the names of `classification.weighted_metrics`.
    metrics: dict[str, Estimate]
    #: Sensitivity over 1 - specificity.
    roc: ConfidenceBand
    #: Precision over recall.
    pr: ConfidenceBand
    #: The resampled unit: patients, or single cells where no patient is known.
    unit: Literal["patients", "cells"]
    #: The number of these units.
    units: int


def bootstrap(
    predictions: LabelledPredictions,
    threshold: float,
    prevalence: float = PREVALENCE,
    seed: int = 0,
) -> Intervals:
    """Return every metric and curve with 95 % percentile intervals from 1,000 resamples.

    There is no interval (NaN) for fewer than `MIN_UNITS` patients with cells of the metric's
    classes, for a metric that is equal in all resamples, unless it is a proportion of 0 or 1, and
    for the calibration error. Without patients single cells are drawn, and the intervals are too
    narrow. The same seed gives the same intervals.
    """
    unit: Literal["patients", "cells"] = "cells" if predictions.patient is None else "patients"
    names, unit_of_cell = np.unique(predictions.independent_unit, return_inverse=True)
    observed = _metrics_and_curves(
        predictions, threshold, prevalence, np.ones((1, len(predictions)))
    )
    blocks = [
        _metrics_and_curves(predictions, threshold, prevalence, counts[:, unit_of_cell])
        for counts in _resamples(len(names), seed)
    ]
    limits = {name: _percentiles(np.concatenate([b[name] for b in blocks])) for name in observed}
    units = _units_of_metrics(predictions, unit_of_cell)
    for name, (low, high) in limits.items():
        if units.get(name, MIN_UNITS) < MIN_UNITS or name == _WITHOUT_INTERVAL:
            limits[name] = (low * np.nan, high * np.nan)
        elif np.all(low == high):
            limits[name] = _exact_limits(name, low, units)
    roc = ConfidenceBand(_FALSE_POSITIVE_RATES, observed.pop("roc")[0], *limits["roc"])
    pr = ConfidenceBand(_RECALLS, observed.pop("pr")[0], *limits["pr"])
    estimates = {
        name: Estimate(float(row[0]), *map(float, limits[name])) for name, row in observed.items()
    }
    return Intervals(estimates, roc, pr, unit, len(names))


def curves(predictions: LabelledPredictions) -> tuple[ConfidenceBand, ConfidenceBand]:
    """Return the ROC and the precision-recall curve without intervals (NaN)."""
    counts = ranked_counts(predictions, np.ones((1, len(predictions))))
    roc, pr = _roc_curve(*counts)[0], _precision_recall_curve(*counts)[0]
    unknown = np.full(len(roc), np.nan)
    return (
        ConfidenceBand(_FALSE_POSITIVE_RATES, roc, unknown, unknown),
        ConfidenceBand(_RECALLS, pr, unknown, unknown),
    )


def _exact_limits(name: str, value: Floats, units: dict[str, int]) -> tuple[Floats, Floats]:
    """Return the exact interval of a proportion that is 0 or 1 in all resamples, else NaN."""
    if name in _PROPORTIONS and value in (0, 1):
        width = 1 - _TAIL ** (1 / units[name])  # from P(all of them alike) = _TAIL
        return (value - width).clip(0), (value + width).clip(max=1)
    return value * np.nan, value * np.nan


def _units_of_metrics(predictions: LabelledPredictions, unit_of_cell: Ints) -> dict[str, int]:
    """Return the number of patients that each metric or curve rests on.

    Sensitivity and F1 rest on those with parasitized cells, specificity on those with uninfected
    cells, accuracy and Brier score on all of them, the other metrics on both classes.
    """
    truth = predictions.truth
    of_class = [len(np.unique(unit_of_cell[truth == infected])) for infected in (False, True)]
    of_all = len(np.unique(unit_of_cell))
    units = dict.fromkeys(("ppv", "npv", "mcc", "roc_auc", "average_precision"), min(of_class))
    units |= dict.fromkeys(("roc", "pr"), min(of_class))
    units |= dict.fromkeys(("accuracy", "brier"), of_all)
    return units | {"specificity": of_class[0], "sensitivity": of_class[1], "f1": of_class[1]}


def _metrics_and_curves(
    predictions: LabelledPredictions, threshold: float, prevalence: float, weight: Floats
) -> dict[str, Floats]:
    """Return the metrics `[rows]` and the curves `roc` and `pr` `[rows, grid]`."""
    tp, fp = ranked_counts(predictions, weight)
    return {
        **weighted_metrics(predictions, threshold, prevalence, weight),
        "roc": _roc_curve(tp, fp),
        "pr": _precision_recall_curve(tp, fp),
    }


def _resamples(units: int, seed: int) -> Iterator[Floats]:
    """Yield how often each unit was drawn: float `[block, units]`, the sum of a row is `units`."""
    rng = np.random.default_rng(seed)
    first = np.arange(_BLOCK)[:, None] * units
    for _ in range(RESAMPLES // _BLOCK):
        drawn = rng.integers(units, size=(_BLOCK, units)) + first
        counts = np.bincount(drawn.ravel(), minlength=_BLOCK * units)
        yield counts.reshape(_BLOCK, units).astype(np.float64)


def _percentiles(rows: Floats) -> tuple[Floats, Floats]:
    """Return the 2.5th and 97.5th percentile over axis 0, ignoring undefined rows."""
    defined = rows[~np.isnan(rows.reshape(len(rows), -1)).any(axis=1)]
    if len(defined) < _MIN_DEFINED * len(rows):
        return np.full(rows.shape[1:], np.nan), np.full(rows.shape[1:], np.nan)
    low, high = np.percentile(defined, (2.5, 97.5), axis=0)
    return low, high


def _roc_curve(tp: Floats, fp: Floats) -> Floats:
    """Return the sensitivity at each false positive rate, interpolated linearly."""
    tpr, fpr = ratio(tp, tp[:, -1:]), ratio(fp, fp[:, -1:])
    return np.stack([np.interp(_FALSE_POSITIVE_RATES, *row) for row in zip(fpr, tpr, strict=True)])


def _precision_recall_curve(tp: Floats, fp: Floats) -> Floats:
    """Return the precision where each recall is first reached.

    Linear interpolation would overestimate precision (Davis & Goadrich 2006, ICML).
    """
    recall, precision = ratio(tp, tp[:, -1:]), ratio(tp, tp + fp)
    first = np.stack([np.searchsorted(row, _RECALLS) for row in recall])
    return np.take_along_axis(precision, first, axis=1)
