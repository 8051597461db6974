"""`hemozoin explain`: the verbs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console

from hemozoin.mobilenet.architecture import Architecture, Body
from hemozoin.paper.explain.chapters import Chapters, all_chapters
from hemozoin.paper.explain.depthwise import explain_depthwise, read_sizes
from hemozoin.paper.explain.network import explain_network
from hemozoin.paper.explain.spatial import EXAMPLE_KERNEL, explain_kernel
from hemozoin.paper.separable import Shapes
from hemozoin.paper.tables import paper_tables

explain_app = App(
    name="explain",
    help="Show why MobileNet is cheap, with every number of its paper recomputed.",
    default_parameter=Parameter(negative=""),
)


@dataclass(frozen=True)
class OutputOptions:
    """Where an explanation goes: the terminal, unless something else is said."""

    html: Path | None = None
    """Write it as one illustrated page that needs nothing beside it."""
    as_json: Annotated[bool, Parameter(name="--json")] = False
    """Print it as JSON."""


@dataclass(frozen=True)
class ConvolutionOptions:
    """The shapes of a convolution, as text that is still to be read."""

    input: str = "12x12x3"
    """Height x width x channels that go in."""
    filters: int = 256
    """Channels that come out, from 1."""
    kernel: str = "5x5"
    """Height x width of the kernel, or one number for both."""
    stride: int = 1
    """Pixels from one place of the kernel to the next, from 1."""
    padding: int = 0
    """Zeros added on every side, from 0."""

    def shapes(self) -> Shapes:
        """Return the shapes; raises HemozoinError where they can't be."""
        height, width, channels = read_sizes(self.input, "input", (3,))
        sides = read_sizes(self.kernel, "kernel", (1, 2))
        area = (sides[0], sides[-1])
        return Shapes(height, width, channels, self.filters, area, self.stride, self.padding)


Output = Annotated[OutputOptions, Parameter(name="*")]
ConvolutionShape = Annotated[ConvolutionOptions, Parameter(name="*")]

_TERMINAL = OutputOptions()
_EXAMPLE = ConvolutionOptions()


@explain_app.default
def everything(*, output: Output = _TERMINAL) -> None:
    """Explain everything: separable kernels, the two steps, the network, the paper's tables."""
    chapters = all_chapters()
    _show(chapters, chapters.to_dict(), output)


@explain_app.command
def separable(kernel: str = EXAMPLE_KERNEL, /, *, output: Output = _TERMINAL) -> None:
    """Tell whether a kernel is a column times a row, and what that saves.

    Parameters
    ----------
    kernel
        Rows of numbers, such as '[[1,2,1],[2,4,2]]'; or sobel, gauss, laplace.
    """
    explained = explain_kernel(kernel)
    _show(Chapters(kernels=(explained,)), explained.to_dict(), output)


@explain_app.command
def depthwise(
    *, convolution: ConvolutionShape = _EXAMPLE, groups: int = 1, output: Output = _TERMINAL
) -> None:
    """Take a convolution apart into its two steps, count both ways, and run both.

    Parameters
    ----------
    groups
        Also count it in so many groups; a divisor of the channels and of the filters.
    """
    explained = explain_depthwise(convolution.shapes(), groups)
    _show(Chapters(depthwise=explained), explained.to_dict(), output)


@explain_app.command
def network(
    *,
    alpha: float = 1.0,
    size: int = 224,
    classes: int = 1000,
    body: Body = "separable",
    output: Output = _TERMINAL,
) -> None:
    """List every layer with shapes, parameters, mult-adds, receptive field and memory.

    Parameters
    ----------
    alpha
        Width multiplier, above 0.
    size
        Input size in pixels, from 32.
    classes
        Classes to tell apart.
    body
        As in Table 1, with full convolutions (Table 4), or shallow (Table 5).
    """
    explained = explain_network(Architecture(alpha=alpha, classes=classes, body=body), size)
    _show(Chapters(network=explained), explained.to_dict(), output)


@explain_app.command
def tables(*, output: Output = _TERMINAL) -> None:
    """Set the paper's Tables 1 to 7 beside our counts, differences marked."""
    explained = paper_tables()
    data = [table.to_dict() for table in explained]
    _show(Chapters(tables=explained), data, output)


def _show(chapters: Chapters, data: Any, output: OutputOptions) -> None:
    """Write the page where one is wanted; print JSON, or else the text where there is no page."""
    if output.html:
        # matplotlib takes a second to import: only a page waits for it.
        from hemozoin.paper.explain.page import render_explanation
        from hemozoin.reports.page import write_page

        write_page(render_explanation(chapters), output.html)
    if output.as_json:
        print(json.dumps(data, indent=2, ensure_ascii=False))
    elif output.html:
        print(output.html)
    else:
        _print(chapters)


def _print(chapters: Chapters) -> None:
    console = Console(highlight=False)
    with console.capture() as captured:  # rich would end the program itself on a closed pipe
        console.print(chapters.text(), crop=False)
    print("\n".join(line.rstrip() for line in captured.get().rstrip().splitlines()))
