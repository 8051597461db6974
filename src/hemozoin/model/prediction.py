"""The prediction for one picture of a cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from hemozoin.arrays import Floats, Pixels
from hemozoin.decision.conformal import REVIEW, ReviewBand

#: The reasons for a review: a picture that does not show a red cell, p in the review band, or a
#: cell of a field whose densest spot is too faint and grey to be chromatin.
OUT_OF_DISTRIBUTION, TOO_CLOSE = "not like the training cells", "too close to call"
NO_CHROMATIN = "no chromatin seen"


@dataclass(frozen=True)
class Prediction:
    """The prediction for one picture.

    `cell` is the picture's name without folder and suffix (its number, from 0, where it has no
    name), `file` its whole path, which starts with the folder or zip that was given. `label` is
    "parasitized" or "uninfected", by the threshold; `decision` is the same or "review", and
    `reason` gives the reason for a review; `p_parasitized` is in [0, 1]. These are None where
    the picture could not be read, and `error` says why.
    """

    cell: str
    label: str | None
    decision: str | None
    p_parasitized: float | None
    reason: str | None
    file: str | None
    error: str | None = None


@dataclass(frozen=True, eq=False)
class DetailedPrediction:
    """A prediction with the network's input and its class-activation map."""

    prediction: Prediction
    #: The prepared cell, uint8 `[S, S, 3]`, and its log odds at each position, float `[H, W]`.
    #: None where the picture could not be read.
    pixels: Pixels | None = None
    map: Floats | None = None


class CellDecision(NamedTuple):
    """The decision on one prepared cell; see `Prediction` and `DetailedPrediction`."""

    p_parasitized: float
    decision: str
    reason: str | None
    map: Floats


def decide(p: float, out_of_distribution: bool, band: ReviewBand) -> tuple[str, str | None]:
    """Return the decision on a cell, and the reason if it is `review`."""
    if out_of_distribution:
        return REVIEW, OUT_OF_DISTRIBUTION
    decision = band.decide(p)
    return decision, TOO_CLOSE if decision == REVIEW else None
