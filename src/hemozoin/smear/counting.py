"""From the fields of a slide to its parasitaemia."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hemozoin.judging.false_positives import FalsePositives
from hemozoin.smear.field import Field


@dataclass(frozen=True)
class Blood:
    """The patient's red cells per µL, counted (`rbc_per_ul`) or from the hematocrit in %.

    5 million per µL where neither is known. Raises DataError where both are given, or one that
    no blood has.
    """

    rbc_per_ul: float | None = None
    hematocrit: float | None = None


@dataclass(frozen=True)
class Slide:
    """What was counted on a slide and what it comes to."""

    slide: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        raise NotImplementedError

    def text(self) -> str:
        """Return the lines that a terminal shows."""
        raise NotImplementedError


class Tally:
    """Counts a slide's fields one after another; its size doesn't grow with them."""

    def __init__(self, slide: str) -> None:
        self.name = slide

    def add(self, field: Field) -> None:
        """Count one more field."""
        raise NotImplementedError

    def slide(self, false_positives: FalsePositives | None, blood: Blood) -> Slide:
        """Return what was counted so far; without `false_positives` it is not compensated."""
        raise NotImplementedError
