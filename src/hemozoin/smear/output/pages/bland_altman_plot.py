"""The Bland-Altman figure: where its points, lines and ticks are on the page.

A template draws it, so it needs no library. Both axes are logarithmic: the mean of the two counts
of a slide (their geometric mean) from left to right, their ratio upwards.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from hemozoin.smear.counting.bland_altman import BlandAltman, CountPair
from hemozoin.smear.counting.precision import TOLERANCE

#: The size of the figure, and the space for its labels on the left and below, in SVG units.
WIDTH, HEIGHT = 720.0, 400.0
LEFT, BELOW, ABOVE, RIGHT = 62.0, 52.0, 12.0, 118.0

#: Ratios at the ticks.
_RATIOS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.75, 1, 1.25, 1.5, 2, 5, 10, 20, 50, 100)


@dataclass(frozen=True)
class Point:
    """A slide; `x` and `y` are in SVG units."""

    x: float
    y: float
    pair: CountPair


@dataclass(frozen=True)
class Tick:
    """A tick, with the text beside it, at a distance from the left or from the top."""

    at: float
    text: str


@dataclass(frozen=True)
class _Axis:
    """A logarithmic axis from `low` to `high`, drawn from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self, values: Iterable[float]) -> Iterator[Tick]:
        for value in values:
            if self.low <= value <= self.high:
                yield Tick(self(value), f"{value:,.0f}" if value >= 10 else f"{value:g}")


@dataclass(frozen=True)
class BlandAltmanPlot:
    """All that the template draws."""

    points: list[Point]
    densities: list[Tick]
    ratios: list[Tick]
    lines: list[Tick]
    within: tuple[float, float]


def bland_altman_plot(pairs: Sequence[CountPair], found: BlandAltman) -> BlandAltmanPlot:
    """Place the pairs with two counts above zero, the bias and the limits of agreement."""
    shown = [pair for pair in pairs if pair.ratio]
    means = [math.sqrt(pair.manual * (pair.automatic or 0)) for pair in shown]
    ratios = [pair.ratio or 1 for pair in shown]
    low, high = found.limits
    x = _Axis(min(means) / 1.5, max(means) * 1.5, LEFT, WIDTH - RIGHT)
    y = _Axis(
        min(*ratios, low.value, 0.7) / 1.2,
        max(*ratios, high.value, 1.4) * 1.2,
        HEIGHT - BELOW,
        ABOVE,
    )
    return BlandAltmanPlot(
        [
            Point(x(mean), y(ratio), pair)
            for mean, ratio, pair in zip(means, ratios, shown, strict=True)
        ],
        list(x.ticks(_decades(x.low, x.high))),
        list(y.ticks(_RATIOS)),
        [
            Tick(y(line.value), f"{name} {line.value:.2f}")
            for name, line in (("upper limit", high), ("bias", found.bias), ("lower limit", low))
        ],
        (y(1 + TOLERANCE), y(1 - TOLERANCE)),
    )


def _decades(low: float, high: float) -> list[float]:
    """Return powers of ten, or also twice and five times them where there would be few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1,) if len(powers) > 4 else (1, 2, 5)
    return [step * 10.0**power for power in powers for step in steps]
