"""Depthwise separable convolution: its two steps, their cost, and a check with random numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from hemozoin.errors import HemozoinError
from hemozoin.paper.explain.block import block_text, block_to_dict
from hemozoin.paper.separable import Shapes, compare_outputs

#: The convolution that is explained by default.
EXAMPLE_SHAPES = Shapes(height=12, width=12, channels=3, filters=256, kernel=(5, 5))

#: Shown with the default example, because the text that it comes from has a mistake.
CORRECTION = (
    "The text that this example comes from leaves the first step out of its sum and gives 49,152. "
    "With the first step's 4,800 the sum is 53,952. The conclusion stays the same: about 23 times "
    "fewer multiplications."
)

#: The most multiplications, and numbers in a picture, for which the check runs on the given shapes.
_QUICK = 5_000_000


@dataclass(frozen=True)
class Step:
    """A convolution, or one of the two steps: its product, output shape and cost."""

    name: str
    formula: str
    output: str
    multiplications: int
    weights: int


@dataclass(frozen=True)
class NumericalCheck:
    """Both ways computed on random numbers of `shapes`: largest difference, largest output."""

    shapes: Shapes
    largest_difference: int
    largest_number: int


@dataclass(frozen=True)
class DepthwiseExplanation:
    """A full convolution and the two steps. With `groups` above 1, a grouped one is counted too."""

    shapes: Shapes
    groups: int
    check: NumericalCheck

    @property
    def full(self) -> Step:
        """The convolution that filters and mixes in one step."""
        s = self.shapes
        formula = f"{by(*s.kernel)}·{s.channels}·{s.filters}·{by(*s.output[:2])}"
        return Step("full convolution", formula, by(*s.output), s.full, s.full_weights)

    @property
    def in_groups(self) -> Step:
        """The grouped convolution, which mixes the channels only within each group."""
        s, g = self.shapes, self.groups
        formula = f"{by(*s.kernel)}·{s.channels // g}·{s.filters}·{by(*s.output[:2])}"
        return Step(f"in {g} groups", formula, by(*s.output), s.grouped(g), s.full_weights // g)

    @property
    def steps(self) -> tuple[Step, Step]:
        """Depthwise, which filters each channel; pointwise, which mixes the channels."""
        s = self.shapes
        positions = by(*s.output[:2])
        first = f"{by(*s.kernel)}·{s.channels}·{positions}"
        second = f"{s.channels}·{s.filters}·{positions}"
        filtered, mixed = by(*s.output[:2], s.channels), by(*s.output)
        weights = s.channels * s.filters
        return (
            Step("1  depthwise", first, filtered, s.depthwise, s.pair_weights - weights),
            Step("2  pointwise", second, mixed, s.pointwise, weights),
        )

    @property
    def ratio(self) -> str:
        """The paper's formula for the ratio, with these numbers."""
        s = self.shapes
        terms = f"1/{s.filters} + 1/{s.kernel[0] * s.kernel[1]}"
        return f"1/N + 1/D_K² = {terms} = {s.ratio} = {100 * float(s.ratio):.2f} %"

    @property
    def saving(self) -> str:
        """What the ratio means, in words."""
        times = float(1 / self.shapes.ratio)
        if times > 1:
            return f"{times:.3g} times fewer multiplications"
        return "nothing saved with these shapes"

    @property
    def check_result(self) -> str:
        """The result of the numerical check, in words."""
        check, shapes = self.check, self.check.shapes
        numbers = shapes.output[0] * shapes.output[1] * shapes.filters
        smaller = "" if shapes == self.shapes else f"; on smaller shapes: a {describe(shapes)}"
        return (
            f"largest difference {check.largest_difference} in {numbers:,} whole numbers of up to "
            f"{check.largest_number:,}{smaller}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation as plain values, ready for JSON."""
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
                "on": describe(self.check.shapes),
                "largest_difference": self.check.largest_difference,
                "largest_number": self.check.largest_number,
            },
            "note": CORRECTION if s == EXAMPLE_SHAPES else None,
            "block": block_to_dict(),
        }

    def text(self) -> RenderableType:
        """Return the explanation for a terminal."""
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
        facts.add_row("ratio", f"{self.ratio}: {self.saving}")
        facts.add_row(
            "check",
            "the two steps equal the full convolution with the combined kernels: "
            f"{self.check_result}",
        )
        if s == EXAMPLE_SHAPES:
            facts.add_row("note", CORRECTION)
        title = Text(f"A {describe(s)}", style="bold")
        return Group(title, "", sums, "", facts, "", block_text())


def explain_depthwise(shapes: Shapes = EXAMPLE_SHAPES, groups: int = 1) -> DepthwiseExplanation:
    """Count a full convolution and the two steps, and run both on random whole numbers.

    Large shapes run at a smaller size. Raises HemozoinError where `groups` doesn't divide both
    channels and filters.
    """
    shapes.grouped(groups)
    runnable = _runnable(shapes)
    check = NumericalCheck(runnable, *compare_outputs(runnable))
    return DepthwiseExplanation(shapes, groups, check)


def read_sizes(text: str, name: str, counts: tuple[int, ...]) -> tuple[int, ...]:
    """Read sizes such as "12x12x3" or "12×12×3". `counts` are the allowed numbers of sizes.

    Raises HemozoinError where the text is anything else; `name` stands for it in the message.
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
    """Write a number of things: "1 kernel", "256 kernels"."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def describe(shapes: Shapes) -> str:
    """Return the shapes in words."""
    picture = by(shapes.height, shapes.width, shapes.channels)
    kernels = f"{many(shapes.filters, 'kernel')} of {by(*shapes.kernel, shapes.channels)}"
    padding = f"padding {shapes.padding}" if shapes.padding else "no padding"
    return f"{picture} picture, {kernels}, stride {shapes.stride}, {padding}"


def _runnable(shapes: Shapes) -> Shapes:
    """Return the shapes themselves, or similar shapes that run in less than a second."""
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
