"""The inspection as one HTML page that needs nothing but itself."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
import polars as pl
from markupsafe import Markup
from matplotlib.figure import Figure

from hemozoin.classes import PARASITIZED, UNINFECTED
from hemozoin.data.inspect.findings import LABELS, MEASURES, QUANTILES, patient_facts
from hemozoin.data.inspect.inspection import Inspection
from hemozoin.reports import page as pages

#: Patients, bad files and doubled pictures on the page; JSON has them all.
_SHOWN = 300

_BINS = 40

#: Colours that matplotlib draws with, and what the page's style sheet calls them: so the
#: figures follow the page from light to dark.
_INK = "#000001"
_CLASS_INKS = {PARASITIZED: "#000002", UNINFECTED: "#000003"}
_STYLED = {
    _INK: "currentColor",
    **{ink: f"var(--{label})" for label, ink in _CLASS_INKS.items()},
}

_LOOK: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "hemozoin",  # same cells, same page
    "font.size": 8,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color"), _INK),
}


def render_inspection(inspection: Inspection) -> str:
    """Return the page as HTML; every name in it is escaped."""
    return pages.render(
        "data/inspect/page.html",
        {"uri": pages.data_uri},
        seen=inspection,
        classes=LABELS,
        facts=patient_facts(inspection.patients),
        patients=inspection.patients.head(_SHOWN).to_dicts(),
        figures={name: draw_histogram(inspection.cells, name) for name in MEASURES},
        quantiles=list(QUANTILES),
        shown=_SHOWN,
    )


def draw_histogram(cells: pl.DataFrame, measure: str) -> Markup:
    """Return the distribution of a measure in both classes as an inline SVG.

    Each class is drawn as a share of its own cells, so that unequal classes compare. Edges
    are whole numbers, or sizes, which are whole, would come out as a comb.
    """
    values = cells[measure].drop_nulls().to_numpy()
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 1)
    step = 1 + (high - low) // _BINS
    edges = np.arange(low, high + 1 + step, step)
    with mpl.rc_context(_LOOK):
        figure = Figure(figsize=(3.2, 1.25), layout="constrained")
        axes = figure.subplots()
        axes.yaxis.set_visible(False)
        for label, ink in _CLASS_INKS.items():
            of_class = cells.filter(pl.col("label") == label)[measure].drop_nulls()
            counts, _ = np.histogram(of_class.to_numpy(), edges)
            share = counts / max(1, len(of_class))
            axes.stairs(share, edges, fill=True, color=ink, alpha=0.25)
            axes.stairs(share, edges, color=ink, linewidth=1.2)
        return pages.figure_svg(figure, f"Distribution of {measure} by class", _LOOK, _STYLED)
