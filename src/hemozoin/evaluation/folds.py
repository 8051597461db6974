"""The spread of every figure over the folds of a cross-validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl


def spread_over_folds(folds: Sequence[Mapping[str, float]]) -> pl.DataFrame:
    """Return one row per figure: `figure`, `mean`, `sd`, `min`, `max`.

    Each fold gives every figure by name; folds where it is NaN are left out of it. `sd` is the
    standard deviation between folds (n - 1), null for fewer than two.
    """
    table = pl.DataFrame(list(folds)).cast(pl.Float64).fill_nan(None)
    measures = {"mean": pl.Expr.mean, "sd": pl.Expr.std, "min": pl.Expr.min, "max": pl.Expr.max}
    columns = [table.select(of(pl.all())).transpose() for of in measures.values()]
    return pl.DataFrame(
        {"figure": table.columns}
        | {name: column.to_series() for name, column in zip(measures, columns, strict=True)}
    )


def folds_text(folds: Sequence[Mapping[str, float]]) -> str:
    """Return the same as a text table: a line per figure, mean ± sd and min..max over folds."""
    lines = [f"{len(folds)} folds             mean ± sd           min..max"]
    for figure, *values in spread_over_folds(folds).iter_rows():
        mean, sd, low, high = ("-" if value is None else f"{value:.4f}" for value in values)
        lines.append(f"{figure.replace('_', ' '):<18} {mean:>7} ± {sd:<7}   {low:>7}..{high}")
    return "\n".join(lines)
