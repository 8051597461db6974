"""The style of all plots: the colours of the pages in light mode, and matplotlib's settings.

On a page a colour has another value in dark mode, so `page_svg` puts the variable of base.css in
the place of each colour: one drawing is right on a page and in a file.
"""

from __future__ import annotations

from typing import Any

#: The values of base.css in light mode, by the names of its variables.
LIGHT_COLOURS = {
    "card": "#fffefd",
    "ink": "#241d29",
    "muted": "#6d6472",
    "line": "#e0d8dd",
    "violet": "#6b2fa0",
    "orange": "#b95f14",
    "blue": "#2f74ad",
    "green": "#2f8261",
}

CARD, INK, MUTED, LINE, VIOLET, ORANGE, BLUE, GREEN = LIGHT_COLOURS.values()

#: The colours of the two classes. Colour-blind people can distinguish violet and orange.
PARASITIZED_COLOUR, UNINFECTED_COLOUR = VIOLET, ORANGE

#: The variable of base.css for each of these colours.
CSS_VARIABLES = {colour: f"var(--{name})" for name, colour in LIGHT_COLOURS.items()}

#: The background of a plot in a file of its own; on a page it has none.
PAPER = "#ffffff"

#: matplotlib's rcParams.
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 8.5,
    "text.color": INK,
    "figure.facecolor": "none",
    "axes.edgecolor": LINE,
    "axes.facecolor": "none",
    "axes.labelcolor": MUTED,
    "axes.labelsize": "medium",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
}
