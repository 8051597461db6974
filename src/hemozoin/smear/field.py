"""What was found in one field, as plain data that can be pickled and written as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal, Self

import numpy as np

from hemozoin.arrays import Ints
from hemozoin.classes import PARASITIZED
from hemozoin.decision.conformal import REVIEW

#: The kinds of objects in a field. Only red cells are counted: a cell cut by the picture's edge
#: might be counted in two fields, and a clump is several cells, or a part of one, that can't be
#: separated.
ObjectKind = Literal["red cell", "white cell", "platelet", "debris", "cut by the edge", "clump"]

#: Corners (x, y) in px of a closed polygon.
Outline = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class SmearObject:
    """An object in a field: its kind, and its box and outline in px from the top left corner."""

    kind: ObjectKind
    x: int
    y: int
    width: int
    height: int
    outline: Outline

    def corners(self) -> Ints:
        """Return the outline as an array, int32 `[n, 2]`."""
        # Half the time that numpy takes for pairs.
        values = np.fromiter(chain.from_iterable(self.outline), np.int32, 2 * len(self.outline))
        return values.reshape(-1, 2)

    @property
    def area(self) -> float:
        """Return the area inside the outline in px² (the shoelace formula)."""
        corners = zip(self.outline, (*self.outline[1:], *self.outline[:1]), strict=True)
        return abs(sum(x * next_y - next_x * y for (x, y), (next_x, next_y) in corners)) / 2


@dataclass(frozen=True)
class Cell(SmearObject):
    """A red cell and the network's decision on it.

    `cell` is its number in the field, from 1; `p_parasitized` is in 0..1; `decision` is
    "parasitized", "uninfected" or "review", and `reason` says why a cell is for review.
    """

    cell: int
    p_parasitized: float
    decision: str
    reason: str | None


@dataclass(frozen=True)
class Clump(SmearObject):
    """A clump, and the network's answer on all of it: a hint at an infected cell in it, no more.

    `p_parasitized` is in 0..1. A clump is neither counted nor called infected.
    """

    p_parasitized: float


@dataclass(frozen=True)
class Flaw:
    """A reason why a field is not reliable.

    `what` names the flaw ("out of focus"), `measure` says what was measured; `value` is beyond
    `limit`.
    """

    what: str
    measure: str
    value: float
    limit: float

    def __str__(self) -> str:
        """Return the flaw in one line, as in fields.csv and the report."""
        return f"{self.what}: {self.measure} {self.value:.3g}, limit {self.limit:.3g}"


#: The parts of a field that are lists.
_LISTS = ("cells", "others", "flaws")


@dataclass(frozen=True)
class Field:
    """One picture of a slide. Where it couldn't be read, `error` says why and the rest is empty.

    `field` is the picture's file name; `width`, `height` and the red cells' typical `diameter`
    are in px; `others` are the objects that are not counted as red cells. `measures` has the
    medians of the detector's measures of stain and texture over the cells not called infected,
    empty if there are none. `log_odds_shift` was taken from the log odds of its cells (see
    `recalibration`). `fingerprint` is for finding the same picture again; `same_as` is the
    earlier field of the slide that shows the same.
    """

    field: str
    width: int = 0
    height: int = 0
    diameter: float = 0
    cells: tuple[Cell, ...] = ()
    others: tuple[SmearObject, ...] = ()
    flaws: tuple[Flaw, ...] = ()
    error: str | None = None
    measures: tuple[float, ...] = ()
    log_odds_shift: float = 0.0
    fingerprint: str = ""
    same_as: str | None = None

    @property
    def usable(self) -> bool:
        """Return whether its cells are counted: it was read, has no flaw and is no repetition."""
        return self.error is None and not self.flaws and self.same_as is None

    @property
    def infected(self) -> int:
        """Return the number of cells decided to be parasitized."""
        return sum(cell.decision == PARASITIZED for cell in self.cells)

    @property
    def review(self) -> int:
        """Return the number of cells for review."""
        return sum(cell.decision == REVIEW for cell in self.cells)

    def clumps(self) -> Iterator[tuple[int, Clump]]:
        """Yield each clump with its number, which follows those of the cells."""
        clumps = (one for one in self.others if isinstance(one, Clump))
        return enumerate(clumps, len(self.cells) + 1)

    def red_cells_in(self, clump: Clump) -> float:
        """Return how many red cells of the field's diameter have the area of a clump."""
        return clump.area / (math.pi / 4 * self.diameter**2)

    def count(self, kind: ObjectKind) -> int:
        """Return the number of objects of a kind."""
        if kind == "red cell":
            return len(self.cells)
        return sum(one.kind == kind for one in self.others)

    def to_dict(self) -> dict[str, Any]:
        """Return the field as plain data for JSON."""
        lists = {name: [vars(one) for one in getattr(self, name)] for name in _LISTS}
        return {**vars(self), **lists}  # dataclasses.asdict takes 20 ms, copying each corner

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Return the field that `to_dict` was called on."""
        return cls(
            **{
                **data,
                "cells": tuple(Cell(**_with_outline(cell)) for cell in data["cells"]),
                "others": tuple(_other(one) for one in data["others"]),
                "measures": tuple(data.get("measures", ())),
                "flaws": tuple(Flaw(**flaw) for flaw in data["flaws"]),
            }
        )


def _other(data: dict[str, Any]) -> SmearObject:
    kind = Clump if "p_parasitized" in data else SmearObject
    return kind(**_with_outline(data))


def _with_outline(found: dict[str, Any]) -> dict[str, Any]:
    """Return an object's data with an outline of tuples, for which JSON has lists."""
    return {**found, "outline": tuple((x, y) for x, y in found["outline"])}
