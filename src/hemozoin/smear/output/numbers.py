"""Numbers as the terminal and the reports show them."""

from __future__ import annotations

import numpy as np

from hemozoin.metrics.bootstrap import Estimate


def percent(share: float) -> str:
    """Return a share as a percentage with two or three significant digits, without the sign."""
    return _significant(100 * share, 2 if share < 0.1 else 3)


def two_digits(value: float) -> str:
    """Return a number with two significant digits: 61,728 is 62,000."""
    whole = int(float(f"{value:.1e}")) if value >= 100 else value
    return f"{whole:,}" if value >= 100 else _significant(value, 2)


def _significant(value: float, digits: int) -> str:
    return np.format_float_positional(value, precision=digits, fractional=False, trim="-")


def with_noun(count: int, noun: str) -> str:
    """Return a number with its noun: 1 field, 2 fields."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def interval(estimate: Estimate) -> str:
    """Return both ends of an interval in %."""
    return f"{percent(estimate.low)} to {percent(estimate.high)}"
