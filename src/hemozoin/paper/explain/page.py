"""The chapters as one HTML page that loads nothing."""

from __future__ import annotations

from importlib import resources
from typing import Any

from markupsafe import Markup

from hemozoin.mobilenet.architecture import Architecture, layers
from hemozoin.mobilenet.cost import cost
from hemozoin.paper.explain import blocks, drawing, plots
from hemozoin.paper.explain.block import BATCH_NORM, CODE, RELU
from hemozoin.paper.explain.chapters import Chapters
from hemozoin.paper.explain.depthwise import (
    CORRECTION,
    EXAMPLE_SHAPES,
    DepthwiseExplanation,
    by,
    describe,
)
from hemozoin.paper.explain.network import LEGEND, NAMES, NetworkExplanation, memory
from hemozoin.paper.explain.spatial import KernelExplanation
from hemozoin.paper.explain.tables import SOURCE, counted_text
from hemozoin.reports import page as pages
from hemozoin.reports.style import CSS_VARIABLES

#: The heading of each kernel, with its purpose.
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
    """Return the chapters alone, for another page that has the style sheet `style()`."""
    return _render("chapters.html", chapters)


def style() -> str:
    """Return the style sheet of the page."""
    package = resources.files("hemozoin")
    sheets = ("reports/base.css", "paper/explain/page.css")
    return "".join(package.joinpath(sheet).read_text("utf-8") for sheet in sheets)


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
        colours={kind: CSS_VARIABLES[colour] for kind, colour in plots.COLOURS.items()},
        names=NAMES,
    )


def _kernel(kernel: KernelExplanation) -> dict[str, Any]:
    found, filtered = kernel.separation, kernel.filtered
    grid = None if found.separable else plots.kernel_grid(found.kernel, kernel.title)
    strip = {
        "the cell": filtered.cell,
        "the column": drawing.grey(filtered.by_column),
        "then the row": drawing.grey(filtered.by_factors),
        "the kernel": drawing.grey(filtered.by_kernel),
    }
    return {
        "heading": _HEADINGS[kernel.name],
        "wide": found.row.size > 5,
        "grid": grid,
        "table": plots.times_table(found, kernel.title),
        "facts": list(kernel.facts()),
        "comparison": kernel.comparison,
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
        "block": blocks.block_with_norm_and_relu(),
        "batch_norm": BATCH_NORM,
        "relu": RELU,
        "code": CODE,
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
