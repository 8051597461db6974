"""Depthwise separability: the two steps, their cost on any shapes, and a proof by running."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from hemozoin.errors import HemozoinError
from hemozoin.paper.separable import Shapes, run_both

#: The example that the project started from.
EXAMPLE_SHAPES = Shapes(height=12, width=12, channels=3, filters=256, kernel=(5, 5))

#: Said beside the example: its first telling left a term out.
CORRECTION = (
    "The text that this project grew from leaves the first step out of its sum and arrives at "
    "49,152. With its 4,800 it is 53,952, and what the text wants to show stands: about 23 times "
    "less work."
)

#: Multiplications, and numbers in a picture, up to which the proof runs on the shapes given.
_QUICK = 5_000_000


@dataclass(frozen=True)
class Step:
    """One way, or one step of a way: what is multiplied, what comes out, what it costs."""

    name: str
    formula: str
    output: str
    multiplications: int
    weights: int


@dataclass(frozen=True)
class Proof:
    """Both ways were run on `shapes`: how far they differ at most, and their largest number."""

    shapes: Shapes
    difference: int
    largest: int


@dataclass(frozen=True)
class DepthwiseExplanation:
    """A convolution whole and in two steps; `groups` is 1, or a third way to be counted."""

    shapes: Shapes
    groups: int
    proof: Proof

    @property
    def full(self) -> Step:
        """The convolution that filters and mixes at once."""
        s = self.shapes
        formula = f"{by(*s.kernel)}·{s.channels}·{s.filters}·{by(*s.output[:2])}"
        return Step("full convolution", formula, by(*s.output), s.full, s.full_weights)

    @property
    def in_groups(self) -> Step:
        """The same with the channels dealt out to groups, each mixed by itself."""
        s, g = self.shapes, self.groups
        formula = f"{by(*s.kernel)}·{s.channels // g}·{s.filters}·{by(*s.output[:2])}"
        return Step(f"in {g} groups", formula, by(*s.output), s.grouped(g), s.full_weights // g)

    @property
    def steps(self) -> tuple[Step, Step]:
        """Depthwise, which filters each channel; pointwise, which mixes the channels."""
        s = self.shapes
        places = by(*s.output[:2])
        first = f"{by(*s.kernel)}·{s.channels}·{places}"
        filtered, mixed = by(*s.output[:2], s.channels), by(*s.output)
        weights = s.channels * s.filters
        return (
            Step("1  depthwise", first, filtered, s.depthwise, s.pair_weights - weights),
            Step(
                "2  pointwise",
                f"{s.channels}·{s.filters}·{places}",
                mixed,
                s.pointwise,
                weights,
            ),
        )

    @property
    def ratio(self) -> str:
        """The paper's formula with the numbers put in."""
        s = self.shapes
        terms = f"1/{s.filters} + 1/{s.kernel[0] * s.kernel[1]}"
        return f"1/N + 1/D_K² = {terms} = {s.ratio} = {100 * float(s.ratio):.2f} %"

    @property
    def verdict(self) -> str:
        """What the ratio means."""
        times = float(1 / self.shapes.ratio)
        return f"{times:.3g} times less work" if times > 1 else "nothing saved on these shapes"

    @property
    def proven(self) -> str:
        """What running both ways showed."""
        ran, shapes = self.proof, self.proof.shapes
        numbers = shapes.output[0] * shapes.output[1] * shapes.filters
        smaller = "" if shapes == self.shapes else f"; run smaller, on a {describe(shapes)}"
        return (
            f"largest difference {ran.difference} in {numbers:,} whole numbers of up to "
            f"{ran.largest:,}{smaller}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, ready for JSON."""
        s = self.shapes
        grouped = {"groups": self.groups, "multiplications": self.in_groups.multiplications}
        return {
            "input": [s.height, s.width, s.channels],
            "kernel": [*s.kernel, s.channels],
            "filters": s.filters,
            "stride": s.stride,
            "padding": s.padding,
            "output": list(s.output),
            "multiplications": {
                "full": s.full,
                "depthwise": s.depthwise,
                "pointwise": s.pointwise,
                "pair": s.pair,
            },
            "weights": {"full": s.full_weights, "pair": s.pair_weights},
            "ratio": float(s.ratio),
            "ratio_exact": str(s.ratio),
            "grouped": grouped if self.groups > 1 else None,
            "proof": {
                "on": describe(self.proof.shapes),
                "largest_difference": self.proof.difference,
                "largest_number": self.proof.largest,
            },
            "note": CORRECTION if s == EXAMPLE_SHAPES else None,
        }

    def text(self) -> RenderableType:
        """Return it for a terminal."""
        sums = Grid(box=None, padding=(0, 2, 0, 0), header_style="dim")
        sums.add_column("")
        sums.add_column("")
        for name in ("out", "multiplications", "weights"):
            sums.add_column(name, justify="right", no_wrap=True)
        ways = [self.full, *([self.in_groups] if self.groups > 1 else []), *self.steps]
        for way in ways:
            costs = (f"{way.multiplications:,}", f"{way.weights:,}")
            sums.add_row(way.name, way.formula, way.output, *costs)
        s = self.shapes
        sums.add_row(
            "both steps", "", by(*s.output), f"{s.pair:,}", f"{s.pair_weights:,}", style="bold"
        )
        facts = Grid.grid(padding=(0, 2))
        facts.add_column(style="bold", no_wrap=True)
        facts.add_row("ratio", f"{self.ratio}: {self.verdict}")
        facts.add_row(
            "proof", f"the pair equals the full convolution by its product: {self.proven}"
        )
        if s == EXAMPLE_SHAPES:
            facts.add_row("note", CORRECTION)
        return Group(Text(f"A {describe(s)}", style="bold"), "", sums, "", facts)


def explain_depthwise(shapes: Shapes = EXAMPLE_SHAPES, groups: int = 1) -> DepthwiseExplanation:
    """Count a convolution whole and in two steps, and run both on random whole numbers.

    Large shapes are run at a smaller size. Raises HemozoinError where `groups` doesn't divide
    both channels and filters.
    """
    shapes.grouped(groups)
    runnable = _runnable(shapes)
    return DepthwiseExplanation(shapes, groups, Proof(runnable, *run_both(runnable)))


def read_sizes(text: str, name: str, counts: tuple[int, ...]) -> tuple[int, ...]:
    """Read "12x12x3" or "12×12×3": as many whole numbers as one of `counts` says.

    Raises HemozoinError, calling the text `name`, where it is anything else.
    """
    parts = re.split("[x×]", text)
    if len(parts) not in counts or not all(re.fullmatch("[0-9]{1,9}", part) for part in parts):
        allowed = " or ".join("x".join(["12", "12", "3"][:count]) for count in counts)
        raise HemozoinError(f"{name} is {text[:40]!r}; give whole numbers such as {allowed}")
    return tuple(map(int, parts))


def by(*sizes: int) -> str:
    """Write sizes as 12×12×3."""
    return "×".join(map(str, sizes))


def many(count: int, what: str) -> str:
    """Write a number of things, one of them or more."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def describe(shapes: Shapes) -> str:
    """Write shapes in words."""
    picture = by(shapes.height, shapes.width, shapes.channels)
    kernels = f"{many(shapes.filters, 'kernel')} of {by(*shapes.kernel, shapes.channels)}"
    padding = f"padding {shapes.padding}" if shapes.padding else "no padding"
    return f"{picture} picture, {kernels}, stride {shapes.stride}, {padding}"


def _runnable(shapes: Shapes) -> Shapes:
    """Return the shapes themselves, or ones of the same kind that run in a moment."""
    pad = 2 * shapes.padding
    numbers = (shapes.height + pad) * (shapes.width + pad) * shapes.channels
    if max(shapes.full, numbers) <= _QUICK:
        return shapes
    kernel = (min(shapes.kernel[0], 7), min(shapes.kernel[1], 7))
    return Shapes(
        height=max(kernel[0], min(shapes.height, 16)),
        width=max(kernel[1], min(shapes.width, 16)),
        channels=min(shapes.channels, 8),
        filters=min(shapes.filters, 8),
        kernel=kernel,
        stride=min(shapes.stride, 4),
        padding=min(shapes.padding, 3),
    )
