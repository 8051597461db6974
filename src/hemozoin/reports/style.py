"""The style of all plots: matplotlib's settings, and the colours of the pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

#: matplotlib needs colours, but a page has CSS variables, whose values differ in dark mode. These
#: colours stand for the variables while a plot is drawn; `figure_svg` replaces them.
INK, MUTED, LINE, CARD = "#000001", "#000002", "#000003", "#000004"
VIOLET, ORANGE, BLUE, GREEN = "#000005", "#000006", "#000007", "#000008"

#: The colours of the two classes. Colour-blind people can distinguish violet and orange.
PARASITIZED_COLOUR, UNINFECTED_COLOUR = "#000009", "#00000a"

#: The variable of base.css for each of these colours.
CSS_VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    CARD: "var(--card)",
    VIOLET: "var(--violet)",
    ORANGE: "var(--orange)",
    BLUE: "var(--blue)",
    GREEN: "var(--green)",
    PARASITIZED_COLOUR: "var(--parasitized)",
    UNINFECTED_COLOUR: "var(--uninfected)",
}

#: The values of the variables in light mode, for plots that are files of their own.
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


def plot_style(ink: str, muted: str, line: str) -> dict[Any, Any]:
    """Return matplotlib's rcParams for plots with these colours: text, its labels, lines."""
    return {
        "svg.fonttype": "none",
        "font.size": 8.5,
        "text.color": ink,
        "figure.facecolor": "none",
        "axes.edgecolor": line,
        "axes.facecolor": "none",
        "axes.labelcolor": muted,
        "axes.labelsize": "medium",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": line,
        "grid.linewidth": 0.6,
        "lines.linewidth": 1.6,
        "lines.solid_capstyle": "round",
        "xtick.color": line,
        "ytick.color": line,
        "xtick.labelcolor": muted,
        "ytick.labelcolor": muted,
    }


@dataclass(frozen=True)
class PlotColours:
    """The colours of a plot: of text, its labels, lines, the ground and the two classes."""

    ink: str
    muted: str
    line: str
    card: str
    parasitized: str
    uninfected: str

    def style(self) -> dict[Any, Any]:
        """Return matplotlib's rcParams."""
        return plot_style(self.ink, self.muted, self.line)


#: The colours of plots on a page, and of plots in files.
PAGE_COLOURS = PlotColours(INK, MUTED, LINE, CARD, PARASITIZED_COLOUR, UNINFECTED_COLOUR)
FILE_COLOURS = PlotColours(
    *(LIGHT_COLOURS[name] for name in ("ink", "muted", "line", "card", "violet", "orange"))
)

#: The style of plots on a page.
PAGE_STYLE = plot_style(INK, MUTED, LINE)
