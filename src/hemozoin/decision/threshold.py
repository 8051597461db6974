"""From which p a cell is called parasitized: chosen on validation cells, never on test cells.

Balanced: where a cell is as likely parasitized as not if both classes were equally many, by a
logistic regression of the labels on the log odds. These are clipped to ±3, so that a cell
that the network is sure of and the label contradicts weighs no more than a doubtful one: on NLM's
cells most of those are wrong labels. The cut with the best mean of sensitivity and specificity
(Youden 1950, Cancer 3, 32) hangs on the few doubtful cells of 16 validation patients, and follows
their wrong labels; benchmarks/README.md compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import numpy as np

from hemozoin.arrays import Bools, Floats
from hemozoin.decision.temperature import EDGE, log_odds, sigmoid
from hemozoin.errors import DataError, HemozoinError
from hemozoin.metrics.classification import LabelledPredictions, compute_metrics, ranked_counts

#: Log odds beyond this count as this: p below .047 or above .953.
_SURE = 3.0


@dataclass(frozen=True)
class OperatingPoint:
    """What the threshold is chosen for.

    Raises HemozoinError where `at_least` is missing or not inside (0, 1).
    """

    kind: Literal["balanced", "sensitivity", "specificity"] = "balanced"
    #: The least sensitivity or specificity wanted; None when balanced.
    at_least: float | None = None

    def __post_init__(self) -> None:
        """Check that kind and value belong together."""
        if self.kind == "balanced":
            fits = self.at_least is None
        else:
            known = self.kind in ("sensitivity", "specificity")
            fits = known and self.at_least is not None and 0 < self.at_least < 1
        if not fits:
            raise HemozoinError(
                f"{self.kind} {self.at_least}: aim at a sensitivity or a specificity between"
                " 0 and 1, such as --sensitivity 0.97, or give neither"
            )

    def __str__(self) -> str:
        """Return "balanced" or "sensitivity at least 0.97"."""
        return self.kind if self.at_least is None else f"{self.kind} at least {self.at_least:g}"

    def to_dict(self) -> dict[str, str | float | None]:
        """Return plain values that `OperatingPoint(**values)` takes back."""
        return asdict(self)


@dataclass(frozen=True)
class Threshold:
    """A threshold and what it gave on the validation cells it was chosen on."""

    #: A cell is called parasitized where p is at least this, in (0, 1).
    value: float
    operating_point: OperatingPoint
    #: False where no threshold between two cells reaches the aim: this is the closest.
    met: bool
    #: On the validation cells.
    sensitivity: float
    #: On the validation cells.
    specificity: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; the operating point stands there as "aim"."""
        values = asdict(self)
        return {"value": values.pop("value"), "aim": values.pop("operating_point"), **values}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote; raises KeyError or TypeError for anything else."""
        rest = {name: value for name, value in values.items() if name != "aim"}
        return cls(**rest, operating_point=OperatingPoint(**values["aim"]))


def choose_threshold(validation: LabelledPredictions, operating_point: OperatingPoint) -> Threshold:
    """Choose the threshold on the validation cells.

    For a least sensitivity it is the highest threshold that has it, for a least specificity the
    lowest, halfway between two neighbouring p. Thresholds that call all cells alike are not
    considered. An aim that can't be met gives the closest threshold, with `met` False.
    Raises DataError where a class is missing.
    """
    if validation.truth.all() or not validation.truth.any():
        raise DataError("the validation cells are of one class: a threshold needs both")
    value = (
        _balanced(validation)
        if operating_point.kind == "balanced"
        else _at_least(validation, operating_point)
    )
    figures = compute_metrics(validation, value)
    met = (
        operating_point.at_least is None
        or figures[operating_point.kind] >= operating_point.at_least
    )
    return Threshold(value, operating_point, met, figures["sensitivity"], figures["specificity"])


def _balanced(validation: LabelledPredictions) -> float:
    """Return where a logistic regression, with equal weight on both classes, crosses 1/2.

    It leans towards 1/2, where calibrated probabilities have their threshold: clipping keeps
    few validation patients from moving it far.
    """
    p = np.clip(validation.p, EDGE, 1 - EDGE)
    odds = np.clip(log_odds(p), -_SURE, _SURE)
    slope, shift = _logistic_regression(odds, validation.truth)
    crossing = np.clip(-shift / slope, -_SURE, _SURE) if slope > 0 else 0.0
    seen = np.unique(p)
    value = sigmoid(np.asarray(crossing))
    return float(np.clip(value, seen[1 % len(seen)], seen[-1]))  # some of each call


def _logistic_regression(x: Floats, truth: Bools) -> tuple[float, float]:
    """Return slope and shift, by Newton's method.

    A cell of each class at either end keeps the slope finite where the classes are told apart
    without a mistake.
    """
    x = np.concatenate([x, [-_SURE, -_SURE, _SURE, _SURE]])
    target = np.concatenate([truth, [False, True, False, True]])
    weight = np.where(target, 0.5 / target.sum(), 0.5 / (~target).sum())
    columns = np.stack([x, np.ones_like(x)], axis=1)
    found = np.zeros(2)
    for _ in range(50):
        p = sigmoid(columns @ found)
        curvature = (columns * (weight * p * (1 - p))[:, None]).T @ columns
        found -= np.linalg.solve(curvature + 1e-9 * np.eye(2), columns.T @ (weight * (p - target)))
    return float(found[0]), float(found[1])


def _at_least(validation: LabelledPredictions, operating_point: OperatingPoint) -> float:
    """Return the threshold with the least sensitivity or specificity that the aim allows."""
    p = np.unique(validation.p)[::-1]
    if len(p) == 1:
        return float(np.clip(p[0], EDGE, 1 - EDGE))
    true, false = (row[0] for row in ranked_counts(validation, np.ones((1, len(validation)))))
    reached = true / true[-1] if operating_point.kind == "sensitivity" else 1 - false / false[-1]
    # Cut k calls the k + 1 highest values of p parasitized; neither none nor all of them.
    reached = reached[1:-1]
    enough = np.flatnonzero(reached >= (operating_point.at_least or 0))
    if not len(enough):
        cut = int(reached.argmax())
    else:
        cut = int(enough[0] if operating_point.kind == "sensitivity" else enough[-1])
    return float((p[cut] + p[cut + 1]) / 2)
