"""Mean and spread of each metric over the folds of a cross-validation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass

import numpy as np


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
