"""From which p a cell is called parasitized: chosen on validation cells, never on test cells.

Balanced: where the mean of sensitivity and specificity (Youden 1950, Cancer 3, 32) is highest,
smoothed over the threshold by a logistic kernel one logit wide. Unsmoothed, the best threshold
hangs on the few cells next to it: over 120 draws of 16 validation patients of the NIH cells its
standard deviation was 0.13, smoothed 0.05, and accuracy on the other patients .9631 against .9619
(where sensitivity equals specificity: .9592).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np

from hemozoin.errors import DataError, HemozoinError
from hemozoin.judging.calibration import sigmoid
from hemozoin.judging.metrics import Judged, measure, ranked

#: p is kept this far from 0 and 1 where its logit is taken.
_EDGE = 1e-6


@dataclass(frozen=True)
class Aim:
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
        """Return plain values that `Aim(**values)` takes back."""
        return asdict(self)


@dataclass(frozen=True)
class Threshold:
    """A threshold and what it gave on the validation cells it was chosen on."""

    #: A cell is called parasitized where p is at least this, in (0, 1).
    value: float
    aim: Aim
    #: False where no threshold between two cells reaches the aim: this is the closest.
    met: bool
    #: On the validation cells.
    sensitivity: float
    #: On the validation cells.
    specificity: float


def choose_threshold(validation: Judged, aim: Aim) -> Threshold:
    """Choose the threshold on the validation cells.

    For a least sensitivity it is the highest threshold that has it, for a least specificity the
    lowest, halfway between two neighbouring p. Thresholds that call all cells alike are not
    considered. An aim that can't be met gives the closest threshold, with `met` False.
    Raises DataError where a class is missing.
    """
    if validation.truth.all() or not validation.truth.any():
        raise DataError("the validation cells are of one class: a threshold needs both")
    value = _balanced(validation) if aim.kind == "balanced" else _at_least(validation, aim)
    figures = measure(validation, value)
    met = aim.at_least is None or figures[aim.kind] >= aim.at_least
    return Threshold(value, aim, met, figures["sensitivity"], figures["specificity"])


def _balanced(validation: Judged) -> float:
    """Return where the smoothed mean of sensitivity and specificity is highest."""
    p = np.clip(validation.p, _EDGE, 1 - _EDGE)
    logit = np.log(p / (1 - p))
    thresholds = np.linspace(logit.min(), logit.max(), 401)
    above = sigmoid(logit - thresholds[:, None])
    youden = above[:, validation.truth].mean(axis=1) - above[:, ~validation.truth].mean(axis=1)
    return float(sigmoid(thresholds[youden.argmax()]))


def _at_least(validation: Judged, aim: Aim) -> float:
    """Return the threshold with the least sensitivity or specificity that the aim allows."""
    p = np.unique(validation.p)[::-1]
    if len(p) == 1:
        return float(np.clip(p[0], _EDGE, 1 - _EDGE))
    true, false = (row[0] for row in ranked(validation, np.ones((1, len(validation)))))
    reached = true / true[-1] if aim.kind == "sensitivity" else 1 - false / false[-1]
    # Cut k calls the k + 1 highest values of p parasitized; neither none nor all of them.
    reached = reached[1:-1]
    enough = np.flatnonzero(reached >= (aim.at_least or 0))
    if not len(enough):
        cut = int(reached.argmax())
    else:
        cut = int(enough[0] if aim.kind == "sensitivity" else enough[-1])
    return float((p[cut] + p[cut + 1]) / 2)
