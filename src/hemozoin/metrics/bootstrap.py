"""95 % intervals that resample patients.

Cells of one patient share stain, light and microscope, so 4,400 cells of 32 patients are nearer
to 32 observations than to 4,400. Whole patients are drawn with replacement (the cluster
bootstrap: Field & Welsh 2007, J. R. Stat. Soc. B 69, 369) and percentiles taken. With few
patients such intervals are still too narrow (Cameron, Gelbach & Miller 2008, Rev. Econ. Stat. 90,
414): for simulated patients that differ strongly, those of 15, 30 and 100 patients held the true
sensitivity in 84, 90 and 93 % of 300 studies.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hemozoin.arrays import Floats
from hemozoin.metrics.classification import (
    PREVALENCE,
    LabelledPredictions,
    ranked_counts,
    ratio,
    weighted_metrics,
)

RESAMPLES = 1000

#: Resamples computed together: 50 × 4,400 weights fit the cache, and bound the memory.
_BLOCK = 50

#: A figure that is undefined in more than 1 of 20 resamples gets no interval.
_DEFINED = 0.95

#: A mean of absolute values only grows by the noise that resampling adds: the percentiles of the
#: calibration error lie above the calibration error itself, so it is given without an interval.
_WITHOUT_INTERVAL = "calibration_error"

#: Where curves are evaluated: denser towards 0, where a good network's ROC curve rises.
_GRID = np.linspace(0, 1, 101) ** 2

#: The recalls of the precision-recall curve: denser towards 1, where it falls. Precision exists
#: only once something was called, so recall 0 stands for the first parasitized cell.
_RECALLS = np.maximum(1 - _GRID[::-1], 1e-9)


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval; NaN where it can't be told."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class ConfidenceBand:
    """A curve on a fixed grid with its pointwise 95 % interval, each float `[101]` in [0, 1]."""

    x: Floats
    y: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, eq=False)
class Intervals:
    """Every figure and both curves, with what was resampled."""

    #: By the names of `metrics.figures`.
    metrics: dict[str, Estimate]
    #: Sensitivity over 1 - specificity.
    roc: ConfidenceBand
    #: Precision over recall.
    pr: ConfidenceBand
    #: What was drawn: patients, or single cells where no patient is known.
    unit: Literal["patients", "cells"]
    units: int


def bootstrap(
    predictions: LabelledPredictions,
    threshold: float,
    prevalence: float = PREVALENCE,
    seed: int = 0,
) -> Intervals:
    """Measure `judged` with 95 % percentile intervals from 1,000 resamples.

    One patient alone gives no interval (NaN), and the calibration error never has one. Without
    patients single cells are drawn, and the intervals are too narrow. The same seed gives the
    same intervals.
    """
    unit: Literal["patients", "cells"] = "cells" if predictions.patient is None else "patients"
    owner = np.arange(len(predictions)) if predictions.patient is None else predictions.patient
    names, unit_of = np.unique(owner, return_inverse=True)
    once = _everything(predictions, threshold, prevalence, np.ones((1, len(predictions))))
    blocks = [
        _everything(predictions, threshold, prevalence, drawn[:, unit_of])
        for drawn in _resamples(len(names), seed)
    ]
    limits = {name: _limits(np.concatenate([b[name] for b in blocks])) for name in once}
    if len(names) < 2:
        limits = {name: (low * np.nan, high * np.nan) for name, (low, high) in limits.items()}
    limits[_WITHOUT_INTERVAL] = (np.array(np.nan), np.array(np.nan))
    roc = ConfidenceBand(_GRID, once.pop("roc")[0], *limits["roc"])
    pr = ConfidenceBand(_RECALLS, once.pop("pr")[0], *limits["pr"])
    estimates = {
        name: Estimate(float(row[0]), *map(float, limits[name])) for name, row in once.items()
    }
    return Intervals(estimates, roc, pr, unit, len(names))


def _everything(
    predictions: LabelledPredictions, threshold: float, prevalence: float, weight: Floats
) -> dict[str, Floats]:
    """Return the figures `[rows]` and the curves `roc` and `pr` `[rows, grid]`."""
    tp, fp = ranked_counts(predictions, weight)
    return {
        **weighted_metrics(predictions, threshold, prevalence, weight),
        "roc": _roc_on_grid(tp, fp),
        "pr": _pr_on_grid(tp, fp),
    }


def _resamples(units: int, seed: int) -> Iterator[Floats]:
    """Yield how often each unit was drawn: float `[block, units]`, each row adds up to `units`."""
    rng = np.random.default_rng(seed)
    first = np.arange(_BLOCK)[:, None] * units
    for _ in range(RESAMPLES // _BLOCK):
        drawn = rng.integers(units, size=(_BLOCK, units)) + first
        counts = np.bincount(drawn.ravel(), minlength=_BLOCK * units)
        yield counts.reshape(_BLOCK, units).astype(np.float64)


def _limits(rows: Floats) -> tuple[Floats, Floats]:
    """Return the 2.5th and 97.5th percentile over axis 0, of the rows that are defined."""
    defined = rows[~np.isnan(rows.reshape(len(rows), -1)).any(axis=1)]
    if len(defined) < _DEFINED * len(rows):
        return np.full(rows.shape[1:], np.nan), np.full(rows.shape[1:], np.nan)
    low, high = np.percentile(defined, (2.5, 97.5), axis=0)
    return low, high


def _roc_on_grid(tp: Floats, fp: Floats) -> Floats:
    """Return the sensitivity at each false positive rate, joined by straight lines."""
    tpr, fpr = ratio(tp, tp[:, -1:]), ratio(fp, fp[:, -1:])
    return np.stack([np.interp(_GRID, *row) for row in zip(fpr, tpr, strict=True)])


def _pr_on_grid(tp: Floats, fp: Floats) -> Floats:
    """Return the precision where each recall is first reached.

    Straight lines would flatter precision (Davis & Goadrich 2006, ICML).
    """
    recall, precision = ratio(tp, tp[:, -1:]), ratio(tp, tp + fp)
    first = np.stack([np.searchsorted(row, _RECALLS) for row in recall])
    return np.take_along_axis(precision, first, axis=1)
