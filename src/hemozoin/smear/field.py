"""What was found in one field: plain data, which any process can make and any file can hold."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from hemozoin.classes import PARASITIZED
from hemozoin.decision.conformal import REVIEW

#: What a body in a field can be. Only red cells are counted and shown to the network: a cell cut
#: by the picture's edge would count in two fields, and a clump is cells that can't be told apart.
ObjectKind = Literal["red cell", "white cell", "platelet", "debris", "cut by the edge", "clump"]

#: Corners (x, y) in px of a closed polygon.
Outline = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class SmearObject:
    """Something on the glass: its box in px of the picture, from the top left, and its outline."""

    kind: ObjectKind
    x: int
    y: int
    width: int
    height: int
    outline: Outline


@dataclass(frozen=True)
class Cell(SmearObject):
    """A red cell and what the network says of it.

    `cell` is its number in the field, from 1; `decision` "parasitized", "uninfected" or
    "review", with the `reason` for the latter; `p_parasitized` is in 0..1.
    """

    cell: int
    p_parasitized: float
    decision: str
    reason: str | None


@dataclass(frozen=True)
class Flaw:
    """Why a field isn't to be relied on: what was measured, and the limit that it is beyond.

    `what` is for people ("out of focus"), `measure` says what `value` and `limit` are.
    """

    what: str
    measure: str
    value: float
    limit: float

    def __str__(self) -> str:
        """Return one line, as reports show it."""
        return f"{self.what}: {self.measure} {self.value:.3g}, limit {self.limit:.3g}"


@dataclass(frozen=True)
class Field:
    """One picture of a slide. With an `error` it couldn't be read, and all else is empty.

    `field` is the picture's file name; `width`, `height` and `diameter`, the median breadth of
    its red cells, are in px.
    """

    field: str
    width: int = 0
    height: int = 0
    diameter: float = 0
    cells: tuple[Cell, ...] = ()
    others: tuple[SmearObject, ...] = ()
    flaws: tuple[Flaw, ...] = ()
    error: str | None = None

    @property
    def usable(self) -> bool:
        """Tell whether its cells count: it could be read and has no flaw."""
        return self.error is None and not self.flaws

    @property
    def infected(self) -> int:
        """Return the number of cells decided to be parasitized."""
        return sum(cell.decision == PARASITIZED for cell in self.cells)

    @property
    def review(self) -> int:
        """Return the number of cells that a person should look at."""
        return sum(cell.decision == REVIEW for cell in self.cells)

    def count(self, kind: ObjectKind) -> int:
        """Return the number of bodies of a kind."""
        return len(self.cells) if kind == "red cell" else Counter(b.kind for b in self.others)[kind]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; `from_dict` reads it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Read what `to_dict` wrote."""
        return cls(
            **{
                **data,
                "cells": tuple(Cell(**_outlined(cell)) for cell in data["cells"]),
                "others": tuple(SmearObject(**_outlined(body)) for body in data["others"]),
                "flaws": tuple(Flaw(**flaw) for flaw in data["flaws"]),
            }
        )


def _outlined(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "outline": tuple((x, y) for x, y in body["outline"])}
