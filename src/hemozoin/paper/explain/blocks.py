"""Diagrams: a full convolution, the two steps that MobileNet takes instead, the paper's block.

A map is drawn as sheets one behind the other, one sheet per channel. The drawings are not to
scale; the labels are exact.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, Polygon, Rectangle

from hemozoin.paper.explain.block import FULL_BLOCK, SEPARABLE_BLOCK
from hemozoin.paper.explain.depthwise import by, many
from hemozoin.paper.explain.drawing import canvas, write
from hemozoin.paper.separable import Shapes
from hemozoin.reports.style import BLUE, CARD, GREEN, MUTED, ORANGE, VIOLET
from hemozoin.reports.svg import figure_svg

#: The colours of the input channels; more than three are drawn as three.
_CHANNELS = (BLUE, ORANGE, GREEN)

#: The colours of the convolutions in the paper's block; batch norm and ReLU are grey.
_LAYERS = {"3×3 Conv": BLUE, "3×3 Depthwise Conv": ORANGE, "1×1 Conv": VIOLET}

#: The offset of a sheet from the one in front of it.
_STEP = 0.22


def full_convolution(shapes: Shapes) -> Markup:
    """Draw kernels that cover all channels; each gives one output channel."""
    figure, axes = canvas(3.2, 2.5, (9.6, 7.5))
    colours = _channels(shapes)
    _sheets(axes, (0.2, 2.2), 2.6, colours)
    _sheets(axes, (0.5, 2.7), 0.95, colours, solid=True)
    _sheets(axes, (4.3, 3.05), 0.95, colours, solid=True)
    _arrow(axes, (3.55, 3.45), (4.05, 3.45))
    _arrow(axes, (5.95, 3.45), (6.45, 3.45))
    _box(axes, (6.7, 2.6), 1.75, 1.0, VIOLET)
    height, width, _ = shapes.output
    _label(axes, 1.7, by(shapes.height, shapes.width, shapes.channels), "input")
    _label(axes, 4.9, by(*shapes.kernel, shapes.channels), many(shapes.filters, "kernel"))
    _label(axes, 8.0, by(height, width, shapes.filters), "output")
    return figure_svg(figure, "Full convolution: filter and mix at once")


def depthwise_step(shapes: Shapes) -> Markup:
    """Draw one kernel for each channel; channels are not mixed."""
    figure, axes = canvas(3.2, 2.5, (9.6, 7.5))
    colours = _channels(shapes)
    for line, colour in enumerate(colours):
        y = 0.35 + 1.75 * line
        _sheets(axes, (0.9, y), 1.5, [colour])
        _sheets(axes, (4.5, y + 0.48), 0.55, [colour], solid=True)
        _sheets(axes, (7.5, y + 0.25), 1.0, [colour], solid=True)
        _arrow(axes, (2.9, y + 0.75), (4.0, y + 0.75))
        _arrow(axes, (5.55, y + 0.75), (6.95, y + 0.75))
    bottom = 0.3 + 1.75 * len(colours)
    if shapes.channels > len(colours):
        for x in (1.65, 4.77, 8.0):
            write(axes, (x, bottom + 0.1), "⋮", MUTED, ha="center", va="center")
    height, width, _ = shapes.output
    _label(axes, 1.65, by(shapes.height, shapes.width), many(shapes.channels, "channel"))
    _label(axes, 4.77, by(*shapes.kernel), "a kernel each")
    _label(axes, 8.0, by(height, width), many(shapes.channels, "channel"))
    return figure_svg(figure, "Step 1, depthwise: each channel is filtered by itself")


def pointwise_step(shapes: Shapes) -> Markup:
    """Draw kernels of one pixel that mix the channels."""
    figure, axes = canvas(3.2, 2.5, (9.6, 7.5))
    colours = _channels(shapes)
    _sheets(axes, (0.6, 2.65), 1.75, colours)
    _sheets(axes, (1.1, 3.3), 0.28, colours, solid=True)
    _sheets(axes, (4.6, 3.3), 0.28, colours, solid=True)
    _arrow(axes, (3.3, 3.45), (4.2, 3.45))
    _arrow(axes, (5.6, 3.45), (6.45, 3.45))
    _box(axes, (6.7, 2.6), 1.75, 1.0, VIOLET)
    height, width, _ = shapes.output
    _label(axes, 1.7, by(height, width, shapes.channels), "from step 1")
    _label(axes, 4.9, by(1, 1, shapes.channels), many(shapes.filters, "kernel"))
    _label(axes, 8.0, by(height, width, shapes.filters), "output")
    return figure_svg(figure, "Step 2, pointwise: the channels of each pixel are mixed")


def block_with_norm_and_relu() -> Markup:
    """Draw Figure 3 of the paper: a full convolution and a separable one, each with BN and ReLU."""
    figure, axes = canvas(3.2, 3.1, (9.6, 9.3))
    columns = {"full convolution": FULL_BLOCK, "depthwise separable": SEPARABLE_BLOCK}
    for (title, block), x in zip(columns.items(), (0.1, 5.0), strict=True):
        write(axes, (x + 2.25, 0.45), title, MUTED, ha="center", va="center")
        for line, layer in enumerate(block):
            y = 0.95 + 1.43 * line
            _layer(axes, (x, y), layer)
            if line:
                _arrow(axes, (x + 2.25, y - 0.43), (x + 2.25, y))
    return figure_svg(figure, "Figure 3 of the paper: where batch norm and ReLU are")


def _layer(axes: Axes, corner: tuple[float, float], name: str) -> None:
    """Draw a layer as a box with its name."""
    colour = _LAYERS.get(name, MUTED)
    axes.add_patch(Rectangle(corner, 4.5, 1.0, facecolor=colour, alpha=0.2, edgecolor="none"))
    axes.add_patch(Rectangle(corner, 4.5, 1.0, facecolor="none", edgecolor=colour))
    write(axes, (corner[0] + 2.25, corner[1] + 0.52), name, ha="center", va="center", fontsize=8)


def _channels(shapes: Shapes) -> tuple[str, ...]:
    return _CHANNELS[: shapes.channels]


def _sheets(
    axes: Axes,
    corner: tuple[float, float],
    side: float,
    colours: Sequence[str],
    *,
    solid: bool = False,
) -> None:
    """Draw squares one behind the other; the upper left corner of the first is at `corner`."""
    for depth in reversed(range(len(colours))):
        x, y = corner[0] + depth * _STEP, corner[1] - depth * _STEP
        colour = colours[depth]
        axes.add_patch(Rectangle((x, y), side, side, facecolor=CARD, edgecolor="none"))
        shade = 0.85 if solid else 0.3
        axes.add_patch(Rectangle((x, y), side, side, facecolor=colour, alpha=shade))
        axes.add_patch(Rectangle((x, y), side, side, facecolor="none", edgecolor=colour))


def _box(axes: Axes, corner: tuple[float, float], side: float, depth: float, colour: str) -> None:
    """Draw a block of many channels: its front, top and right faces."""
    x, y = corner
    front = [(x, y), (x + side, y), (x + side, y + side), (x, y + side)]
    top = [(x, y), (x + depth, y - depth), (x + side + depth, y - depth), (x + side, y)]
    right = [
        (x + side, y),
        (x + side + depth, y - depth),
        (x + side + depth, y - depth + side),
        (x + side, y + side),
    ]
    for face, shade in ((front, 0.75), (top, 0.3), (right, 0.5)):
        axes.add_patch(Polygon(face, facecolor=colour, alpha=shade))
        axes.add_patch(Polygon(face, facecolor="none", edgecolor=colour))


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    style = "-|>,head_length=3,head_width=1.6"
    axes.add_patch(FancyArrowPatch(start, end, arrowstyle=style, color=MUTED, shrinkA=0, shrinkB=0))


def _label(axes: Axes, x: float, sizes: str, name: str) -> None:
    """Write sizes and what they belong to at the lower edge."""
    bottom = axes.get_ylim()[0]
    write(axes, (x, bottom - 0.75), sizes, ha="center", va="bottom")
    write(axes, (x, bottom - 0.1), name, MUTED, ha="center", va="bottom", fontsize=8)
