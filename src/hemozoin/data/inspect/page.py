"""The inspection as one HTML page that loads nothing."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import polars as pl
from markupsafe import Markup
from matplotlib.figure import Figure

from hemozoin.classes import PARASITIZED, UNINFECTED
from hemozoin.data.inspect.findings import LABELS, MEASURES, QUANTILES, patient_facts
from hemozoin.data.inspect.inspection import Inspection
from hemozoin.reports import page as pages
from hemozoin.reports.style import PAGE_STYLE, PARASITIZED_COLOUR, UNINFECTED_COLOUR
from hemozoin.reports.svg import figure_svg

#: Number of patients, unreadable files and duplicates on the page; JSON has all of them.
_SHOWN = 300

_BINS = 40

_CLASS_COLOURS = {PARASITIZED: PARASITIZED_COLOUR, UNINFECTED: UNINFECTED_COLOUR}


def render_inspection(inspection: Inspection) -> str:
    """Return the page as HTML; every name in it is escaped."""
    return pages.render(
        "data/inspect/page.html",
        {"uri": pages.data_uri, "count": "{:,}".format},
        inspection=inspection,
        labels=LABELS,
        facts=patient_facts(inspection.patients),
        patients=inspection.patients.head(_SHOWN).to_dicts(),
        histograms={name: measure_histogram(inspection.cells, name) for name in MEASURES},
        quantiles=list(QUANTILES),
        shown=_SHOWN,
    )


def measure_histogram(cells: pl.DataFrame, measure: str) -> Markup:
    """Return the histogram of a measure in both classes as an inline SVG.

    The histogram of each class is normalized, so that classes of different size can be compared.
    Bin edges are whole numbers because sizes are: otherwise some bins would hold more sizes than
    others.
    """
    values = cells[measure].drop_nulls().to_numpy()
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 1)
    step = 1 + (high - low) // _BINS
    edges = np.arange(low, high + 1 + step, step)
    with mpl.rc_context(PAGE_STYLE):
        figure = Figure(figsize=(3.2, 1.25), layout="constrained")
        axes = figure.subplots()
        axes.grid(visible=False)
        axes.spines["left"].set_visible(False)
        axes.yaxis.set_visible(False)
        for label, colour in _CLASS_COLOURS.items():
            of_class = cells.filter(pl.col("label") == label)[measure].drop_nulls()
            counts, _ = np.histogram(of_class.to_numpy(), edges)
            share = counts / max(1, len(of_class))
            axes.stairs(share, edges, fill=True, color=colour, alpha=0.25)
            axes.stairs(share, edges, color=colour, linewidth=1.2)
    return figure_svg(figure, f"Distribution of {measure} by class")
