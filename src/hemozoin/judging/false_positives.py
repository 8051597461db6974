"""How often a patient's healthy cells are called parasitized, and how patients differ in it.

A count of infected cells is no better than this: at a rate of 1 % healthy blood alone looks like
50,000 parasites/µL. A rate of all cells together won't do, since a stain or a microscope that
misleads the network does so in every cell of its patient.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True)
class FalsePositives:
    """The share of a patient's uninfected cells that is decided to be parasitized.

    `rate` is its mean over patients, `sd` its standard deviation between patients beyond what
    counting so few cells adds, both in 0..1; `patients` and `cells` say how many uninfected
    cells of how many patients it was fitted on.
    """

    rate: float
    sd: float
    patients: int
    cells: int

    def to_dict(self) -> dict[str, float]:
        """Return plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Read what `to_dict` wrote; raises KeyError, TypeError or ValueError otherwise."""
        return cls(
            float(values["rate"]),
            float(values["sd"]),
            int(values["patients"]),
            int(values["cells"]),
        )
