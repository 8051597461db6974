"""The networks that a sweep compares: those of the paper's Tables 4 to 7, for one base network.

Like the paper, a sweep changes one thing at a time. The base network has one α and one input size
in pixels. The tables compare it with

    Table 4   full convolutions instead of the depthwise separable ones
    Table 5   a narrow network (0.75 α) and a shallow one (without five 14 × 14 × 512 layers)
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

#: The paper's tables that can be repeated, and what each of them compares.
TABLES = {
    4: "Depthwise separable and full convolutions",
    5: "Narrow and shallow networks",
    6: "Width multiplier α",
    7: "Resolution ρ, as input size",
}

#: The width of Table 5's narrow network as a share of the base network's (paper, section 4.1).
_NARROW = 0.75

_NAMES: dict[Body, str] = {"separable": "", "full": "Conv ", "shallow": "Shallow "}

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class SweepNetwork:
    """One network of a sweep. Raises HemozoinError where α or the size isn't allowed."""

    #: Width multiplier, above 0, at most 4.
    alpha: float
    #: Input size in pixels, 32 to 1024.
    size: int
    body: Body = "separable"

    def __post_init__(self) -> None:
        """Raise HemozoinError where a value isn't allowed."""
        self.cost()

    @property
    def name(self) -> str:
        """The name in the paper's style: "0.25 MobileNet-64", "Conv 0.25 MobileNet-64"."""
        return f"{_NAMES[self.body]}{self.alpha} MobileNet-{self.size}"

    def cost(self) -> Cost:
        """Return the mult-adds and parameters, with two classes."""
        return cost(layers(Architecture(self.alpha, classes=2, body=self.body), self.size))


@dataclass(frozen=True)
class Grid:
    """The base network, α and size, and the other widths and sizes to compare it with."""

    alpha: float = 0.25
    size: int = 64
    alphas: tuple[float, ...] = (1.0, 0.75, 0.5, 0.25)
    sizes: tuple[int, ...] = (96, 64, 48, 32)

    def table(self, number: int) -> tuple[SweepNetwork, ...]:
        """Return the networks of one of TABLES; raises HemozoinError where one isn't allowed."""
        base, narrow = SweepNetwork(self.alpha, self.size), round(_NARROW * self.alpha, 6)
        return {
            4: (SweepNetwork(self.alpha, self.size, "full"), base),
            5: (SweepNetwork(narrow, self.size), SweepNetwork(self.alpha, self.size, "shallow")),
            6: tuple(SweepNetwork(alpha, self.size) for alpha in self.alphas),
            7: tuple(SweepNetwork(self.alpha, size) for size in self.sizes),
        }[number]

    def tables_of(self, network: SweepNetwork) -> tuple[int, ...]:
        """Return the numbers of the tables that a network is in."""
        return tuple(number for number in TABLES if network in self.table(number))

    def networks(self, tables: tuple[int, ...]) -> tuple[SweepNetwork, ...]:
        """Return the networks of these tables, each once."""
        networks = [network for number in tables for network in self.table(number)]
        return tuple(dict.fromkeys(networks))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, ready for JSON."""
        return {
            "alpha": self.alpha,
            "size": self.size,
            "alphas": list(self.alphas),
            "sizes": list(self.sizes),
        }


def read_tables(text: str) -> tuple[int, ...]:
    """Read table numbers such as "4,6"; raises HemozoinError for one that can't be repeated."""
    numbers = read_numbers(text, "tables", int)
    if unknown := sorted(set(numbers) - set(TABLES)):
        raise HemozoinError(
            f"tables {unknown[0]}: can't be repeated on cells; give some of 4, 5, 6 and 7"
        )
    return numbers


def read_numbers(text: str, name: str, kind: Callable[[str], Number]) -> tuple[Number, ...]:
    """Read numbers such as "1,0.5,0.25", as int or float; raises HemozoinError for anything else.

    Each number is returned once, in the order given. `name` stands for them in the message.
    """
    try:
        return tuple(dict.fromkeys(kind(part) for part in text.split(",")))
    except ValueError as error:
        example = "64,48" if kind is int else "0.5,0.25"
        raise HemozoinError(
            f"{name} {text!r}: not numbers with commas between them, as in {example}"
        ) from error
