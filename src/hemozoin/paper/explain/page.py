"""The chapters as one HTML page that needs nothing but itself."""

from __future__ import annotations

from importlib import resources
from typing import Any

from markupsafe import Markup

from hemozoin.mobilenet.architecture import Architecture, layers
from hemozoin.mobilenet.cost import cost
from hemozoin.paper.explain import blocks, drawing, plots
from hemozoin.paper.explain.chapters import Chapters
from hemozoin.paper.explain.depthwise import CORRECTION, EXAMPLE_SHAPES, DepthwiseExplanation, by, describe
from hemozoin.paper.explain.network import LEGEND, NAMES, NetworkExplanation, memory
from hemozoin.paper.explain.spatial import KernelExplanation
from hemozoin.paper.explain.tables import SOURCE, counted_text
from hemozoin.reports import page as pages

#: What the named kernels are for.
_HEADINGS = {
    "kernel": "A kernel",
    "sobel": "Sobel: finds edges",
    "gauss": "Gauss: blurs",
    "laplace": "Laplace: finds spots and outlines",
}


def render_explanation(chapters: Chapters) -> str:
    """Return the page as HTML."""
    return _render("page.html", chapters)


def render_chapters(chapters: Chapters) -> str:
    """Return the chapters alone, to stand in another page that has `style()`."""
    return _render("chapters.html", chapters)


def style() -> str:
    """Return the style sheet of the page, its colours for light and for dark first."""
    return resources.files("hemozoin.paper.explain").joinpath("page.css").read_text("utf-8")


def _render(template: str, chapters: Chapters) -> str:
    filters = {"count": "{:,}".format, "memory": memory, "counted": counted_text}
    return pages.render(
        f"paper/explain/{template}",
        filters,
        kernels=[_kernel(kernel) for kernel in chapters.kernels],
        depthwise=chapters.depthwise and _depthwise(chapters.depthwise),
        network=chapters.network and _network(chapters.network),
        tables=chapters.tables,
        source=SOURCE,
        colours={kind: drawing.VARIABLES[ink] for kind, ink in plots.COLOURS.items()},
        names=NAMES,
    )


def _kernel(kernel: KernelExplanation) -> dict[str, Any]:
    found, trial = kernel.separation, kernel.trial
    grid = None if found.separable else plots.kernel_grid(found.kernel, kernel.title)
    strip = {
        "the cell": trial.cell,
        "the column": drawing.grey(trial.after_column),
        "then the row": drawing.grey(trial.in_turn),
        "kernel at once": drawing.grey(trial.at_once),
    }
    return {
        "heading": _HEADINGS[kernel.name],
        "wide": found.row.size > 5,
        "grid": grid,
        "table": plots.times_table(found, kernel.title),
        "facts": list(kernel.facts()),
        "tried": kernel.tried,
        "strip": {name: drawing.picture(pixels) for name, pixels in strip.items()},
    }


def _depthwise(explained: DepthwiseExplanation) -> dict[str, Any]:
    shapes = explained.shapes
    return {
        "explained": explained,
        "title": describe(shapes),
        "output": by(*shapes.output),
        "ratio": Markup(explained.ratio.replace("D_K", "D<sub>K</sub>")),
        "full": blocks.full_convolution(shapes),
        "first": blocks.depthwise_step(shapes),
        "second": blocks.pointwise_step(shapes),
        "bars": plots.cost_bars(shapes),
        "correction": CORRECTION if shapes == EXAMPLE_SHAPES else "",
    }


def _network(explained: NetworkExplanation) -> dict[str, Any]:
    architecture, size = explained.architecture, explained.size
    alphas = {f"α {alpha:g}": _mult_adds(224, alpha) for alpha in (1, 0.75, 0.5, 0.25)}
    sizes = {f"{size} px": _mult_adds(size, 1) for size in (224, 192, 160, 128)}
    return {
        "explained": explained,
        "input": by(size, size, 3),
        "body": architecture.body,
        "wide": plots.network_row(explained, 9.6),
        "narrow": plots.network_row(explained, 3.2),
        "shares": explained.cost.shares(),
        "share_bars": plots.share_bars(explained.cost),
        "shrinking": plots.shrinking_bars(alphas, sizes),
        "legend": LEGEND,
    }


def _mult_adds(size: int, alpha: float) -> int:
    return cost(layers(Architecture(alpha=alpha), size)).mult_adds
