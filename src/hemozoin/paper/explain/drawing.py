"""Figures as SVG to stand inside the page, in colours that the page changes for dark mode.

A figure is drawn for a phone: some 300 px wide, text at its true size there.
"""

from __future__ import annotations

import io
from typing import Any

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from hemozoin.arrays import Floats, Pixels
from hemozoin.reports import page as pages

#: matplotlib wants colours, the page has variables. These stand for the variables while drawing.
INK, MUTED, LINE, PAPER = "#000001", "#000002", "#000003", "#000004"
BLUE, ORANGE, GREEN, VIOLET = "#000005", "#000006", "#000007", "#000008"
VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    PAPER: "var(--card)",
    BLUE: "var(--blue)",
    ORANGE: "var(--orange)",
    GREEN: "var(--green)",
    VIOLET: "var(--violet)",
}

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 8.5,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}


def canvas(
    width: float, height: float, size: tuple[float, float] | None = None
) -> tuple[Figure, Axes]:
    """Make a figure of `width` × `height` inches with bare axes that fill it.

    With `size` the axes are `size` units wide and high, y downwards, square units.
    """
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, height))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
    if size:
        axes.set(xlim=(0, size[0]), ylim=(size[1], 0), aspect="equal")
    return figure, axes


def write(axes: Axes, at: tuple[float, float], words: str, color: str = INK, **how: Any) -> None:
    """Write words at a place of the axes; `how` is matplotlib's ha, va, fontsize.

    Always with a colour of the page: matplotlib's own black can't be read in dark mode.
    """
    axes.text(*at, words, color=color, **how)


def page_svg(figure: Figure, name: str) -> Markup:
    """Return the figure as an `<svg>` element in the page's colours."""
    return pages.figure_svg(figure, name, _STYLE, VARIABLES)


def picture(pixels: Pixels) -> str:
    """Return a picture [H, W] or [H, W, 3], uint8, as a data URI."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return pages.data_uri(buffer.getvalue(), "png")


def grey(response: Floats) -> Pixels:
    """Spread the responses of a filter [H, W] from black to white, but for the utmost 1 %."""
    low, high = np.percentile(response, (0.5, 99.5))
    scaled = (response - low) / (high - low or 1)
    return np.asarray((255 * scaled.clip(0, 1)).round(), np.uint8)
