"""The plots of the page: kernels, costs, the network."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from hemozoin.arrays import Floats
from hemozoin.mobilenet.architecture import LayerKind
from hemozoin.mobilenet.cost import Cost
from hemozoin.paper.explain.drawing import canvas, write
from hemozoin.paper.explain.network import NetworkExplanation
from hemozoin.paper.explain.spatial import number
from hemozoin.paper.separable import Separation, Shapes
from hemozoin.reports.style import BLUE, GREEN, LINE, MUTED, ORANGE, VIOLET
from hemozoin.reports.svg import figure_svg

#: The colour of each kind of layer.
COLOURS: dict[LayerKind, str] = {
    "conv": BLUE,
    "depthwise": ORANGE,
    "pointwise": VIOLET,
    "pool": MUTED,
    "linear": GREEN,
}


def kernel_grid(kernel: Floats, name: str) -> Markup:
    """Draw a kernel `[h, w]`: numbers above 0 violet, below 0 orange, larger ones stronger."""
    rows, columns = kernel.shape
    figure, axes = canvas(3.2, 3.2 * (rows + 0.2) / (columns + 1.6), (columns + 1.6, rows + 0.2))
    _draw_grid(axes, kernel, (0.8, 0.1), float(np.abs(kernel).max()))
    return figure_svg(figure, f"The numbers of {name}")


def times_table(separation: Separation, name: str) -> Markup:
    """Draw a column, a row and their product: the kernel `name`, or the closest one to it."""
    rows, columns = separation.kernel.shape
    size = (columns + 1.6, rows + 1.5)
    figure, axes = canvas(3.2, 3.2 * size[1] / size[0], size)
    column, row = separation.column, separation.row
    _draw_grid(axes, column, (0.1, 1.4), float(np.abs(column).max()))
    _draw_grid(axes, row, (1.4, 0.1), float(np.abs(row).max()))
    _draw_grid(axes, separation.product, (1.4, 1.4), float(np.abs(separation.kernel).max()))
    write(axes, (0.6, 0.6), "×", MUTED, ha="center", va="center", fontsize=12)
    return figure_svg(figure, f"A column times a row for {name}")


def cost_bars(shapes: Shapes) -> Markup:
    """Draw the costs of the full convolution and of the two steps on the same scale."""
    figure, axes = canvas(3.2, 1.2)
    axes.set(xlim=(0, max(shapes.full, shapes.pair)), ylim=(1.5, -0.8))
    axes.barh(0, shapes.full, color=BLUE, height=0.5)
    axes.barh(1.2, shapes.depthwise, color=ORANGE, height=0.5)
    axes.barh(1.2, shapes.pointwise, left=shapes.depthwise, color=VIOLET, height=0.5)
    write(axes, (0, -0.35), f"full convolution: {shapes.full:,} multiplications", va="bottom")
    write(axes, (0, 0.85), f"both steps: {shapes.pair:,}", va="bottom")
    return figure_svg(figure, "Multiplications of the full convolution and of the two steps")


def share_bars(cost: Cost) -> Markup:
    """Draw the share of each kind of layer in the mult-adds and in the parameters (Table 2)."""
    figure, axes = canvas(3.2, 1.2)
    axes.set(xlim=(0, 1), ylim=(1.5, -0.8))
    work = weights = 0.0
    for share in cost.shares():
        colour = COLOURS[share.kind]
        axes.barh(0, share.mult_adds, left=work, color=colour, height=0.5)
        axes.barh(1.2, share.weights, left=weights, color=colour, height=0.5)
        work, weights = work + share.mult_adds, weights + share.weights
    write(axes, (0, -0.35), "mult-adds", va="bottom")
    write(axes, (0, 0.85), "numbers in the filters", va="bottom")
    return figure_svg(figure, "Share of mult-adds and of filters by kind of layer")


def network_row(network: NetworkExplanation, width: float) -> Markup:
    """Draw the layers as a row of blocks, and below each block its mult-adds and its parameters.

    The height of a block is the side of its map, its width grows with the number of channels.
    `width` is that of the figure in inches: 3.2 for a phone.
    """
    figure, axes = canvas(width, 3.6)
    axes.set(xlim=(0, 1), ylim=(3.6, 0))
    wide = np.sqrt([row.layer.channels_out for row in network.rows])
    gap = 0.0035
    wide *= (1 - gap * (len(wide) - 1)) / wide.sum()
    left = np.concatenate([[0], np.cumsum(wide + gap)[:-1]])
    maps = np.array([row.layer.size_out for row in network.rows])
    costs = [row.cost for row in network.rows]
    panels = (
        ("output size, px", maps, 1.3, 1.55),
        ("mult-adds, millions", np.array([cost.mult_adds / 1e6 for cost in costs]), 0.6, 2.5),
        ("parameters, thousands", np.array([cost.parameters / 1e3 for cost in costs]), 0.6, 3.45),
    )
    colours = [COLOURS[row.layer.kind] for row in network.rows]
    for title, values, height, base in panels:
        tall = values * height / values.max()
        axes.bar(left, -tall, wide, bottom=base, color=colours, align="edge")
        axes.axhline(base, color=LINE, linewidth=0.8)
        label = f"{title}: up to {values.max():,.4g}"
        write(axes, (1, base - height - 0.06), label, MUTED, ha="right")
    _label_maps(axes, maps, left, 1.55 - maps * 1.3 / maps.max())
    return figure_svg(figure, "The network as a row of blocks")


def shrinking_bars(alphas: dict[str, int], sizes: dict[str, int]) -> Markup:
    """Draw the mult-adds by width multiplier α (Table 6) and by input resolution (Table 7)."""
    bars = [*alphas.items(), *sizes.items()]
    figure, axes = canvas(3.2, 2.3)
    longest = max(mult_adds for _, mult_adds in bars)
    axes.set(xlim=(0, longest), ylim=(len(bars) + 0.4, -0.5))
    for line, (name, mult_adds) in enumerate(bars):
        y = line + 0.8 * (line >= len(alphas))
        axes.barh(y, 0.55 * mult_adds, left=0.2 * longest, color=VIOLET, height=0.62)
        write(axes, (0, y), name, va="center")
        end = 0.22 * longest + 0.55 * mult_adds
        write(axes, (end, y), f"{mult_adds / 1e6:,.1f} M", MUTED, va="center")
    return figure_svg(figure, "Mult-adds by width and by resolution")


def _draw_grid(axes: Axes, numbers: Floats, corner: tuple[float, float], strongest: float) -> None:
    """Draw numbers `[h, w]` as squares of side 1; the upper left one is at `corner`."""
    longest = max(len(number(float(x))) for x in numbers.flat)
    columns = axes.get_xlim()[1]
    font = min(11.0, 340 / columns / max(longest, 3))
    for (y, x), value in np.ndenumerate(numbers):
        at = (corner[0] + x, corner[1] + y)
        colour = VIOLET if value > 0 else ORANGE
        strength = 0.6 * abs(float(value)) / strongest
        axes.add_patch(Rectangle(at, 1, 1, facecolor=colour, alpha=strength, edgecolor="none"))
        axes.add_patch(Rectangle(at, 1, 1, facecolor="none", edgecolor=LINE, linewidth=0.8))
        middle = (at[0] + 0.5, at[1] + 0.5)
        write(axes, middle, number(float(value)), ha="center", va="center", fontsize=font)


def _label_maps(axes: Axes, maps: Floats, left: Floats, top: Floats) -> None:
    """Write the side of the map above the first block of each size."""
    for size in dict.fromkeys(maps.tolist()):
        first = int(np.flatnonzero(maps == size)[0])
        write(axes, (left[first], top[first] - 0.04), f"{size}", fontsize=7.5)
