"""The probability from which a cell is labelled parasitized, chosen on validation cells.

Balanced: the probability at which a cell is equally likely to be parasitized or uninfected if both
classes are equally frequent. For calibrated probabilities that is the share of parasitized cells in
training. A logistic regression of the labels on the log odds, with equal weight on both classes,
says where it is on the validation cells; with 16 patients, and wrong labels in some of them, it is
within ± 0.8 log odds of the best. The threshold is therefore the share in training, unless this is
outside of the regression's 95 % interval, which takes patients as units: then the nearer end of it.

The log odds are clipped to ±3, so that a cell with a confident prediction and the opposite label
weighs no more than an uncertain cell: most of those NLM cells are mislabelled. The regression
alone, and the threshold with the best mean of sensitivity and specificity (Youden 1950, Cancer 3,
32), follow the uncertain cells and the wrong labels of the validation patients;
benchmarks/threshold.py compares the rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import numpy as np

from hemozoin.arrays import Bools, Floats, Ints
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


def choose_threshold(
    validation: LabelledPredictions,
    operating_point: OperatingPoint,
    trained_share: float | None = None,
) -> Threshold:
    """Return the threshold for an operating point, chosen on the validation cells.

    `trained_share` (0..1) of the training cells are parasitized; None: as many as of these cells.
    A least sensitivity gives the highest threshold that reaches it, a least specificity the
    lowest, halfway between two neighbouring p. Thresholds that give all cells the same label are
    not considered. An operating point that can't be reached gives the closest threshold, with
    `met` False. Raises DataError where a class is missing.
    """
    if not validation.has_both_classes:
        raise DataError("the validation cells are of one class: a threshold needs both")
    value = (
        _balanced_threshold(validation, trained_share)
        if operating_point.kind == "balanced"
        else _constrained_threshold(validation, operating_point)
    )
    metrics = compute_metrics(validation, value)
    met = (
        operating_point.at_least is None
        or metrics[operating_point.kind] >= operating_point.at_least
    )
    return Threshold(value, operating_point, met, metrics["sensitivity"], metrics["specificity"])


def _balanced_threshold(validation: LabelledPredictions, trained_share: float | None) -> float:
    """Return the share of parasitized cells, or what the cells allow that is nearest to it."""
    p = np.clip(validation.p, P_MARGIN, 1 - P_MARGIN)
    share = validation.truth.mean() if trained_share is None else trained_share
    value = sigmoid(np.clip(log_odds(np.asarray(share)), *_crossing_interval(validation)))
    distinct = np.unique(p)
    # Both labels must occur.
    return float(np.clip(value, distinct[1 % len(distinct)], distinct[-1]))


def _crossing_interval(validation: LabelledPredictions) -> tuple[float, float]:
    """Return the 95 % interval of the log odds at which a logistic regression is 1/2.

    Its variance is that of clusters (Liang & Zeger 1986, Biometrika 73, 13): the cells of a patient
    are no independent observations. All log odds are possible where there is one patient, and
    where p falls with the share of parasitized cells.
    """
    odds = np.clip(log_odds(validation.p), -_MAX_LOG_ODDS, _MAX_LOG_ODDS)
    units, unit = np.unique(validation.independent_unit, return_inverse=True)
    (slope, intercept), covariance = _logistic_regression(odds, validation.truth, unit)
    if len(units) < 2 or slope <= 0:
        return -_MAX_LOG_ODDS, _MAX_LOG_ODDS
    crossing = -intercept / slope
    gradient = np.array([crossing, 1]) / slope
    margin = 2 * np.sqrt(gradient @ covariance @ gradient * len(units) / (len(units) - 1))
    low, high = np.clip([crossing - margin, crossing + margin], -_MAX_LOG_ODDS, _MAX_LOG_ODDS)
    return float(low), float(high)


def _logistic_regression(x: Floats, truth: Bools, unit: Ints) -> tuple[Floats, Floats]:
    """Return slope and intercept, by Newton's method, and their covariance `[2, 2]`.

    `unit` numbers the unit of each cell. One added cell of each class at either end of x keeps the
    slope finite where the classes are perfectly separated.
    """
    cells = len(x)
    x = np.concatenate([x, [-_MAX_LOG_ODDS, -_MAX_LOG_ODDS, _MAX_LOG_ODDS, _MAX_LOG_ODDS]])
    target = np.concatenate([truth, [False, True, False, True]])
    weight = np.where(target, 0.5 / target.sum(), 0.5 / (~target).sum())
    design = np.stack([x, np.ones_like(x)], axis=1)
    coefficients = np.zeros(2)
    for _ in range(50):
        p = sigmoid(design @ coefficients)
        hessian = (design * (weight * p * (1 - p))[:, None]).T @ design + 1e-9 * np.eye(2)
        score = design * (weight * (p - target))[:, None]
        coefficients -= np.linalg.solve(hessian, score.sum(axis=0))
    by_unit = np.stack([np.bincount(unit, column[:cells]) for column in score.T]).astype(np.float64)
    inverse = np.linalg.inv(hessian)
    return coefficients, inverse @ by_unit @ by_unit.T @ inverse


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
