"""Which networks are compared: those of the paper's Tables 4 to 7, around one network of yours.

The paper changes one thing at a time, and so does this. From the network in the middle, α and a
size in pixels, there are made

    Table 4   full convolutions in place of the depthwise separable ones
    Table 5   narrow, 0.75 α, against shallow, without the five 14 × 14 × 512 layers
    Table 6   other widths α
    Table 7   other input sizes (the paper's resolution ρ)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from hemozoin.errors import HemozoinError
from hemozoin.mobilenet.architecture import Architecture, Body, layers
from hemozoin.mobilenet.cost import Cost, cost

#: The paper's tables that can be repeated, and what each of them asks.
TABLES = {
    4: "Depthwise separable against full convolutions",
    5: "Narrow against shallow",
    6: "Width multiplier α",
    7: "Resolution ρ, as input size",
}

#: The width of Table 5's narrow network, as a share of the other's (paper, section 4.1).
_NARROW = 0.75

_NAMES: dict[Body, str] = {"separable": "", "full": "Conv ", "shallow": "Shallow "}

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class SweepNetwork:
    """One network; raises HemozoinError where α or the size can't be."""

    #: Width multiplier, above 0.
    alpha: float
    #: Input size in pixels, from 32.
    size: int
    body: Body = "separable"

    def __post_init__(self) -> None:
        """Refuse what no MobileNet can be."""
        self.cost()

    @property
    def name(self) -> str:
        """The name in the way of the paper: "0.25 MobileNet-64", "Conv 0.25 MobileNet-64"."""
        return f"{_NAMES[self.body]}{self.alpha} MobileNet-{self.size}"

    def cost(self) -> Cost:
        """Count mult-adds and parameters, with two classes."""
        return cost(layers(Architecture(self.alpha, classes=2, body=self.body), self.size))


@dataclass(frozen=True)
class Grid:
    """The network in the middle, and the widths and sizes that it is changed to."""

    alpha: float = 0.25
    size: int = 64
    alphas: tuple[float, ...] = (1.0, 0.75, 0.5, 0.25)
    sizes: tuple[int, ...] = (96, 64, 48, 32)

    def table(self, number: int) -> tuple[SweepNetwork, ...]:
        """Return the networks of one of TABLES; raises HemozoinError where one can't be."""
        middle, narrow = SweepNetwork(self.alpha, self.size), round(_NARROW * self.alpha, 6)
        return {
            4: (SweepNetwork(self.alpha, self.size, "full"), middle),
            5: (SweepNetwork(narrow, self.size), SweepNetwork(self.alpha, self.size, "shallow")),
            6: tuple(SweepNetwork(alpha, self.size) for alpha in self.alphas),
            7: tuple(SweepNetwork(self.alpha, size) for size in self.sizes),
        }[number]

    def tables_of(self, network: SweepNetwork) -> tuple[int, ...]:
        """Return the numbers of the tables that a network stands in."""
        return tuple(number for number in TABLES if network in self.table(number))

    def networks(self, tables: tuple[int, ...]) -> tuple[SweepNetwork, ...]:
        """Return the networks of some tables, each once."""
        every = [network for number in tables for network in self.table(number)]
        return tuple(dict.fromkeys(every))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, ready for JSON."""
        return {
            "alpha": self.alpha,
            "size": self.size,
            "alphas": list(self.alphas),
            "sizes": list(self.sizes),
        }


def read_tables(text: str) -> tuple[int, ...]:
    """Read "4,6"; raises HemozoinError for a table that can't be repeated."""
    numbers = read_numbers(text, "tables", int)
    if unknown := sorted(set(numbers) - set(TABLES)):
        raise HemozoinError(
            f"tables {unknown[0]}: can't be repeated on cells; give some of 4, 5, 6 and 7"
        )
    return numbers


def read_numbers(text: str, name: str, kind: Callable[[str], Number]) -> tuple[Number, ...]:
    """Read "1,0.5,0.25" as numbers of a kind; raises HemozoinError for anything else."""
    try:
        return tuple(dict.fromkeys(kind(part) for part in text.split(",")))
    except ValueError as error:
        example = "64,48" if kind is int else "0.5,0.25"
        raise HemozoinError(
            f"{name} {text!r}: not numbers with commas between them, as in {example}"
        ) from error
