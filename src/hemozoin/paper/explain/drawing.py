"""Helpers for the drawings of the page, in the colours of `hemozoin.reports.style`.

A drawing is about 300 px wide, so that its text has the intended size on a phone.
"""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from hemozoin.arrays import Floats, Pixels
from hemozoin.images import to_png
from hemozoin.reports import page as pages
from hemozoin.reports.style import INK, STYLE


def canvas(
    width: float, height: float, size: tuple[float, float] | None = None
) -> tuple[Figure, Axes]:
    """Return a figure of `width` × `height` inches, and axes that fill it and are not visible.

    With `size` the axes are `size` units wide and high, y points down, and units are square.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
    if size:
        axes.set(xlim=(0, size[0]), ylim=(size[1], 0), aspect="equal")
    return figure, axes


def write(axes: Axes, at: tuple[float, float], text: str, color: str = INK, **options: Any) -> None:
    """Write text at a point of the axes; `options` are matplotlib's ha, va, fontsize.

    The colour is always one of the page: matplotlib's own black is not readable in dark mode.
    """
    axes.text(*at, text, color=color, **options)


def picture(pixels: Pixels) -> str:
    """Return a picture, uint8 `[H, W]` or `[H, W, 3]`, as a data URI."""
    return pages.data_uri(to_png(Image.fromarray(pixels), optimize=True), "png")


def grey(response: Floats) -> Pixels:
    """Scale the responses of a filter, `[H, W]`, to black and white; the extreme 1 % is clipped."""
    low, high = np.percentile(response, (0.5, 99.5))
    scaled = (response - low) / (high - low or 1)
    return np.asarray((255 * scaled.clip(0, 1)).round(), np.uint8)
