"""Mean and spread of each metric over the folds of a cross-validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl


def spread_over_folds(folds: Sequence[Mapping[str, float]]) -> pl.DataFrame:
    """Return a row per metric with the columns `figure` (its name), `mean`, `sd`, `min`, `max`.

    Each fold maps the name of a metric to its value. Folds with NaN are left out of the row. `sd`
    is the standard deviation between folds (n - 1), null for fewer than two folds.
    """
    table = pl.DataFrame(list(folds)).cast(pl.Float64).fill_nan(None)
    statistics = {"mean": pl.Expr.mean, "sd": pl.Expr.std, "min": pl.Expr.min, "max": pl.Expr.max}
    columns = [table.select(of(pl.all())).transpose() for of in statistics.values()]
    return pl.DataFrame(
        {"figure": table.columns}
        | {name: column.to_series() for name, column in zip(statistics, columns, strict=True)}
    )


def folds_text(folds: Sequence[Mapping[str, float]]) -> str:
    """Return a text table with a line per metric: mean ± sd and min..max over the folds."""
    lines = [f"{len(folds)} folds             mean ± sd           min..max"]
    for metric, *values in spread_over_folds(folds).iter_rows():
        mean, sd, low, high = ("-" if value is None else f"{value:.4f}" for value in values)
        lines.append(f"{metric.replace('_', ' '):<18} {mean:>7} ± {sd:<7}   {low:>7}..{high}")
    return "\n".join(lines)
