"""95 % intervals that resample patients.

Cells of one patient share stain, light and microscope, so 4,400 cells of 32 patients are nearer
to 32 observations than to 4,400. Whole patients are drawn with replacement (the cluster
bootstrap: Field & Welsh 2007, J. R. Stat. Soc. B 69, 369) and percentiles taken. With few
patients such intervals are still somewhat too narrow (Cameron, Gelbach & Miller 2008).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from hemozoin.judging.metrics import PREVALENCE, Floats, Judged, figures, ranked, ratio

RESAMPLES = 1000

#: Resamples computed together: 50 × 4,400 weights fit the cache, and bound the memory.
_BLOCK = 50

#: A figure that is undefined in more than 1 of 20 resamples gets no interval.
_DEFINED = 0.95

#: Where curves are evaluated: denser towards 0, where a good network's ROC curve rises.
_GRID = np.linspace(0, 1, 101) ** 2


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval; NaN where it can't be told."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Band:
    """A curve on a fixed grid with its pointwise 95 % interval, each float `[101]` in [0, 1]."""

    x: Floats
    y: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, eq=False)
class Intervals:
    """Every figure and both curves, with what was resampled."""

    #: By the names of `metrics.figures`.
    figures: dict[str, Estimate]
    #: Sensitivity over 1 - specificity.
    roc: Band
    #: Precision over recall.
    pr: Band
    #: What was drawn: patients, or single cells where no patient is known.
    unit: Literal["patients", "cells"]
    units: int


def bootstrap(
    judged: Judged, threshold: float, prevalence: float = PREVALENCE, seed: int = 0
) -> Intervals:
    """Measure `judged` with 95 % percentile intervals from 1,000 resamples.

    One patient alone gives no interval (NaN). Without patients single cells are drawn, and
    the intervals are too narrow. The same seed gives the same intervals.
    """
    unit: Literal["patients", "cells"] = "cells" if judged.patient is None else "patients"
    owner = np.arange(len(judged)) if judged.patient is None else judged.patient
    names, unit_of = np.unique(owner, return_inverse=True)
    once = _everything(judged, threshold, prevalence, np.ones((1, len(judged))))
    blocks = [
        _everything(judged, threshold, prevalence, drawn[:, unit_of])
        for drawn in _resamples(len(names), seed)
    ]
    rows = {name: np.concatenate([block[name] for block in blocks]) for name in once}
    limits = {name: _limits(row if len(names) > 1 else row * np.nan) for name, row in rows.items()}
    roc, pr = (Band(x, once[c][0], *limits[c]) for c, x in (("roc", _GRID), ("pr", _recalls())))
    estimates = {
        name: Estimate(float(once[name][0]), *map(float, limits[name]))
        for name in once
        if name not in ("roc", "pr")
    }
    return Intervals(estimates, roc, pr, unit, len(names))


def _everything(
    judged: Judged, threshold: float, prevalence: float, weight: Floats
) -> dict[str, Floats]:
    """Return the figures `[rows]` and the curves `roc` and `pr` `[rows, grid]`."""
    tp, fp = ranked(judged, weight)
    return {
        **figures(judged, threshold, prevalence, weight),
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


def _recalls() -> Floats:
    """Return the recalls of the precision-recall grid: denser towards 1, where it falls."""
    grid: npt.NDArray[np.float64] = 1 - _GRID[::-1]
    return grid


def _roc_on_grid(tp: Floats, fp: Floats) -> Floats:
    """Return the sensitivity at each false positive rate, joined by straight lines."""
    tpr, fpr = ratio(tp, tp[:, -1:]), ratio(fp, fp[:, -1:])
    return np.stack([np.interp(_GRID, *row) for row in zip(fpr, tpr, strict=True)])


def _pr_on_grid(tp: Floats, fp: Floats) -> Floats:
    """Return the precision where each recall is first reached.

    Straight lines would flatter precision (Davis & Goadrich 2006, ICML).
    """
    recall, precision = ratio(tp, tp[:, -1:]), ratio(tp, tp + fp)
    first = np.stack([np.searchsorted(row, _recalls()) for row in recall])
    # Recall 0 is reached before any cell is called; its precision is that of the first call.
    reached = np.take_along_axis(precision, np.maximum(first, 1), axis=1)
    return np.where(tp[:, -1:] > 0, reached, np.nan)
