"""A plot as an inline SVG in the colours of the page."""

from __future__ import annotations

import io
import re

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure

from hemozoin.reports.style import CSS_VARIABLES, STYLE


def figure_svg(figure: Figure, name: str) -> Markup:
    """Return a figure that was drawn in `STYLE` as an `<svg>` element of a page: see `page_svg`.

    The same figure gives the same bytes.
    """
    buffer = io.StringIO()
    with mpl.rc_context({**STYLE, "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg")
    return page_svg(buffer.getvalue(), name)


def page_svg(svg: str, name: str) -> Markup:
    """Return matplotlib's SVG file as an `<svg>` element; `name` is what screen readers say.

    Colours of `hemozoin.reports.style` become the page's CSS variables.
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' id="[\w.]+_\d+"', "", svg)  # an id must be unique on the page
    svg = re.sub(r' (?:width|height)="[^"]*pt"', "", svg, count=2)  # the page sets the size
    for colour, variable in CSS_VARIABLES.items():
        svg = svg.replace(colour, variable)
    label = f'<svg role="img" aria-label="{Markup.escape(name)}" '
    return Markup(svg.replace("<svg ", label, 1))
