"""The count of a slide by machine and person together, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from hemozoin.metrics.bootstrap import Estimate

#: Where the estimate comes from: a random draw, or cells that a person chose.
Basis = Literal["drawn", "chosen"]


@dataclass(frozen=True)
class Agreement:
    """How two readers agree on the `cells` that both answered.

    `kappa` is Cohen's κ over all answers (Cohen 1960, Educ. Psychol. Meas. 20, 37); None if both
    gave the same answer to every cell, where it is not defined.
    """

    readers: tuple[str, str]
    cells: int
    same: int
    kappa: float | None


@dataclass(frozen=True)
class UndecidedCell:
    """A cell on which readers differ, with no answer of most: its field, its middle in px, answers.

    `cell` is its number in the field, None for one that was not found; `answers` are by reader.
    """

    field: str
    cell: int | None
    x: float
    y: float
    answers: Mapping[str, str]

    def __str__(self) -> str:
        """Return the cell and the answers in one line, as in the report."""
        place = f"cell {self.cell}" if self.cell else f"missed cell at {self.x:g}, {self.y:g}"
        told = ", ".join(f"{reader}: {answer}" for reader, answer in self.answers.items())
        return f"{self.field}, {place} ({told})"


@dataclass(frozen=True)
class ReviewedCount:
    """The count of a slide by machine and person together.

    `parasitaemia` is the share of infected red cells, 0..1; `infected` and `red_cells` are its
    estimated numerator and denominator. `basis` is "drawn" if it follows from cells drawn at
    random, "chosen" if readers chose all cells. `called` and `close` are the numbers of cells that
    the network called infected and left for review, and `called_answered`, `close_answered` those
    with an answer. `answered` counts all cells with an answer, of which `parasitized`,
    `uninfected`, `not_red_cells` and `cannot_tell` are the answers, and `disputed` has those on
    which readers differ; where no answer has the most votes, the cell counts as "can't tell" and is
    one of `undecided`. `missed` counts the cells that were not found but drawn by a reader, of
    which `missed_parasitized` are infected; `elsewhere` counts reviews in fields that are not
    counted.
    `limit_of_detection` is the parasitaemia, 0..1, at which 95 % of slides with so many cells show
    an infected one to the person; None unless the count is confirmed.
    """

    parasitaemia: Estimate
    infected: float
    red_cells: float
    basis: Basis
    answered: int
    parasitized: int
    uninfected: int
    not_red_cells: int
    cannot_tell: int
    disputed: int
    undecided: tuple[UndecidedCell, ...]
    missed: int
    missed_parasitized: int
    elsewhere: int
    called: int
    called_answered: int
    close: int
    close_answered: int
    readers: tuple[str, ...]
    agreements: tuple[Agreement, ...]
    limit_of_detection: float | None

    @property
    def is_confirmed(self) -> bool:
        """Return whether a person has answered for every called and every close cell."""
        return (self.called, self.close) == (self.called_answered, self.close_answered)

    @property
    def is_settled(self) -> bool:
        """Return whether the count holds without the network's error rates: drawn, or confirmed."""
        return self.basis == "drawn" or self.is_confirmed

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        values = asdict(self)
        return {
            **{name: value for name, value in values.items() if name != "parasitaemia"},
            "confirmed": self.is_confirmed,
        }


@dataclass(frozen=True)
class SlideReviews:
    """What people said about a slide: the count with it, and the answer on each reviewed cell.

    `answers` has the field and the number of the cell as key.
    """

    count: ReviewedCount | None = None
    answers: Mapping[tuple[str, int], str] = field(default_factory=dict)
