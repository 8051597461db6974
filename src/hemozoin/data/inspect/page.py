"""The inspection as one HTML page that loads nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hemozoin.arrays import Floats, Ints
from hemozoin.data.inspect.findings import (
    LABELS,
    MEASURES,
    QUANTILES,
    MeasuredCells,
    measured_values,
    patient_facts,
)
from hemozoin.data.inspect.inspection import Inspection
from hemozoin.reports import page as pages

#: Number of patients, unreadable files and duplicates on the page; JSON has all of them.
_SHOWN = 300

_BINS = 40


def render_inspection(inspection: Inspection) -> str:
    """Return the page as HTML; every name in it is escaped."""
    return pages.render(
        "data/inspect/page.html",
        {"uri": pages.data_uri, "count": "{:,}".format},
        inspection=inspection,
        labels=LABELS,
        facts=patient_facts(inspection.patients),
        patients=inspection.patients[:_SHOWN],
        histograms={name: measure_histogram(inspection.cells, name) for name in MEASURES},
        quantiles=list(QUANTILES),
        shown=_SHOWN,
    )


@dataclass(frozen=True)
class ClassHistogram:
    """The histogram of a measure in one class, as the corners of its outline.

    `corners` are pairs of a value and the share of the class in its bin, from left to right.
    """

    label: str
    corners: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Histogram:
    """The histogram of a measure in both classes, from `low` to `high`.

    Each class is a share of its own cells, so that classes of different size can be compared;
    `top` is the largest share of a bin. `ticks` are the values that are written on the axis.
    """

    low: float
    high: float
    top: float
    ticks: tuple[int, ...]
    classes: tuple[ClassHistogram, ...]


def measure_histogram(cells: MeasuredCells, measure: str) -> Histogram:
    """Return the histogram of a measure in both classes.

    Bin edges are whole numbers because sizes are: otherwise some bins would hold more sizes than
    others.
    """
    values = {label: measured_values(cells, measure, label) for label in LABELS}
    known = np.concatenate([*values.values()])
    low, high = (int(known.min()), int(known.max())) if known.size else (0, 1)
    step = 1 + (high - low) // _BINS
    edges = np.arange(low, high + 1 + step, step)
    shares = {
        label: np.histogram(of_class, edges)[0] / max(1, len(of_class))
        for label, of_class in values.items()
    }
    return Histogram(
        low=float(edges[0]),
        high=float(edges[-1]),
        top=max(share.max() for share in shares.values()) or 1.0,
        ticks=_ticks(low, high),
        classes=tuple(
            ClassHistogram(label, _outline(edges, share)) for label, share in shares.items()
        ),
    )


def _outline(edges: Ints, share: Floats) -> tuple[tuple[float, float], ...]:
    """Return the corners of the steps; the first and the last are on the axis."""
    x, y = np.repeat(edges, 2).tolist(), np.repeat(share, 2).tolist()
    return tuple(zip(x, [0.0, *y, 0.0], strict=True))


def _ticks(low: int, high: int) -> tuple[int, ...]:
    """Return at most six round numbers from `low` to `high`."""
    steps = (step * 10**power for power in range(9) for step in (1, 2, 5))
    step = next(step for step in steps if (high - low) / step <= 5)
    return tuple(range(-(-low // step) * step, high + 1, step))
