"""The probability from which a cell is labelled parasitized, chosen on validation cells.

Balanced: the probability at which a cell is equally likely to be parasitized or uninfected if both
classes are equally frequent, by a logistic regression of the labels on the log odds. The log odds
are clipped to ±3, so that a cell with a confident prediction and the opposite label weighs no
more than an uncertain cell: most of those NLM cells are mislabelled. The threshold with the best
mean of sensitivity and specificity (Youden 1950, Cancer 3, 32) depends on the few uncertain cells
of 16 validation patients, and on their wrong labels; benchmarks/README.md compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import numpy as np

from hemozoin.arrays import Bools, Floats
from hemozoin.decision.temperature import P_MARGIN, log_odds, sigmoid
from hemozoin.errors import DataError, HemozoinError
from hemozoin.metrics.classification import compute_metrics, ranked_counts
from hemozoin.metrics.predictions import LabelledPredictions

#: Log odds are clipped to ± this, which is p = .047 and .953.
_MAX_LOG_ODDS = 3.0


@dataclass(frozen=True)
class OperatingPoint:
    """The sensitivity or specificity that the threshold is chosen for.

    Raises HemozoinError where `at_least` is missing or not inside (0, 1).
    """

    kind: Literal["balanced", "sensitivity", "specificity"] = "balanced"
    #: The least sensitivity or specificity wanted; None when balanced.
    at_least: float | None = None

    def __post_init__(self) -> None:
        """Check that kind and value belong together."""
        if self.kind == "balanced":
            valid = self.at_least is None
        else:
            known = self.kind in ("sensitivity", "specificity")
            valid = known and self.at_least is not None and 0 < self.at_least < 1
        if not valid:
            raise HemozoinError(
                f"{self.kind} {self.at_least}: give a sensitivity or a specificity between"
                " 0 and 1, such as --sensitivity 0.97, or neither"
            )

    def __str__(self) -> str:
        """Return "balanced" or "sensitivity at least 0.97"."""
        return self.kind if self.at_least is None else f"{self.kind} at least {self.at_least:g}"

    def to_dict(self) -> dict[str, str | float | None]:
        """Return plain values that `OperatingPoint(**values)` accepts."""
        return asdict(self)


@dataclass(frozen=True)
class Threshold:
    """A threshold, and its sensitivity and specificity on the validation cells."""

    #: A cell is called parasitized where p is at least this, in (0, 1).
    value: float
    operating_point: OperatingPoint
    #: False where no threshold reaches the operating point: this is the closest.
    met: bool
    #: On the validation cells.
    sensitivity: float
    #: On the validation cells.
    specificity: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, where the key of the operating point is "aim"."""
        values = asdict(self)
        return {"value": values.pop("value"), "aim": values.pop("operating_point"), **values}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read the values of `to_dict`; raises KeyError or TypeError for anything else."""
        rest = {name: value for name, value in values.items() if name != "aim"}
        return cls(**rest, operating_point=OperatingPoint(**values["aim"]))


def choose_threshold(validation: LabelledPredictions, operating_point: OperatingPoint) -> Threshold:
    """Return the threshold for an operating point, chosen on the validation cells.

    A least sensitivity gives the highest threshold that reaches it, a least specificity the
    lowest, halfway between two neighbouring p. Thresholds that give all cells the same label are
    not considered. An operating point that can't be reached gives the closest threshold, with
    `met` False. Raises DataError where a class is missing.
    """
    if not validation.has_both_classes:
        raise DataError("the validation cells are of one class: a threshold needs both")
    value = (
        _balanced_threshold(validation)
        if operating_point.kind == "balanced"
        else _constrained_threshold(validation, operating_point)
    )
    metrics = compute_metrics(validation, value)
    met = (
        operating_point.at_least is None
        or metrics[operating_point.kind] >= operating_point.at_least
    )
    return Threshold(value, operating_point, met, metrics["sensitivity"], metrics["specificity"])


def _balanced_threshold(validation: LabelledPredictions) -> float:
    """Return the p where a logistic regression, with equal weight on both classes, is 1/2.

    It is biased towards 1/2, the threshold of calibrated probabilities: with the log odds
    clipped, a few validation patients can't move it far.
    """
    p = np.clip(validation.p, P_MARGIN, 1 - P_MARGIN)
    odds = np.clip(log_odds(p), -_MAX_LOG_ODDS, _MAX_LOG_ODDS)
    slope, intercept = _logistic_regression(odds, validation.truth)
    crossing = np.clip(-intercept / slope, -_MAX_LOG_ODDS, _MAX_LOG_ODDS) if slope > 0 else 0.0
    distinct = np.unique(p)
    value = sigmoid(np.asarray(crossing))
    # Both labels must occur.
    return float(np.clip(value, distinct[1 % len(distinct)], distinct[-1]))


def _logistic_regression(x: Floats, truth: Bools) -> tuple[float, float]:
    """Return slope and intercept, by Newton's method.

    One added cell of each class at either end of x keeps the slope finite where the classes are
    perfectly separated.
    """
    x = np.concatenate([x, [-_MAX_LOG_ODDS, -_MAX_LOG_ODDS, _MAX_LOG_ODDS, _MAX_LOG_ODDS]])
    target = np.concatenate([truth, [False, True, False, True]])
    weight = np.where(target, 0.5 / target.sum(), 0.5 / (~target).sum())
    design = np.stack([x, np.ones_like(x)], axis=1)
    coefficients = np.zeros(2)
    for _ in range(50):
        p = sigmoid(design @ coefficients)
        hessian = (design * (weight * p * (1 - p))[:, None]).T @ design
        gradient = design.T @ (weight * (p - target))
        coefficients -= np.linalg.solve(hessian + 1e-9 * np.eye(2), gradient)
    return float(coefficients[0]), float(coefficients[1])


def _constrained_threshold(
    validation: LabelledPredictions, operating_point: OperatingPoint
) -> float:
    """Return the threshold that just reaches the least sensitivity or specificity."""
    p = np.unique(validation.p)[::-1]
    if len(p) == 1:
        return float(np.clip(p[0], P_MARGIN, 1 - P_MARGIN))
    true, false = (row[0] for row in ranked_counts(validation, np.ones((1, len(validation)))))
    reached = true / true[-1] if operating_point.kind == "sensitivity" else 1 - false / false[-1]
    # Cut k calls the k + 1 highest values of p parasitized; neither none nor all of them.
    reached = reached[1:-1]
    sufficient = np.flatnonzero(reached >= (operating_point.at_least or 0))
    if not len(sufficient):
        cut = int(reached.argmax())
    else:
        cut = int(sufficient[0] if operating_point.kind == "sensitivity" else sufficient[-1])
    return float((p[cut] + p[cut + 1]) / 2)
