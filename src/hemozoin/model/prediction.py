"""What a network's answer to one picture of a cell holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from hemozoin.arrays import Floats, Pixels

#: Why a cell is for review.
OUT_OF_DISTRIBUTION, CLOSE = "not like the training cells", "too close to call"


@dataclass(frozen=True)
class Prediction:
    """The network's answer to one picture.

    `cell` is the picture's name without folder and ending (its number, from 0, where it has
    none), `file` the whole of it, behind the folder or zip that it was found in. `label` is
    "parasitized" or "uninfected", by the threshold; `decision` the same or "review", and
    `reason` why; `p_parasitized` is in 0..1. These are None where the picture could not be
    read, and `error` says why.
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
    """A prediction and what it rests on."""

    prediction: Prediction
    #: The cell as the network got it, uint8 `[S, S, 3]`, and its log odds at each place, float
    #: `[H, W]`. None where the picture could not be read.
    pixels: Pixels | None = None
    map: Floats | None = None


class CellDecision(NamedTuple):
    """The decision on one prepared cell; see `Prediction` and `DetailedPrediction`."""

    p_parasitized: float
    decision: str
    reason: str | None
    map: Floats
