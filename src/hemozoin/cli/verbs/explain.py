"""`hemozoin explain`: show why MobileNet is cheap."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console

from hemozoin.cli.extras import require_plots_extra
from hemozoin.cli.options import WholeNumber
from hemozoin.mobilenet.architecture import Architecture, Body
from hemozoin.paper.explain.chapters import Chapters, all_chapters
from hemozoin.paper.explain.depthwise import explain_depthwise, read_sizes
from hemozoin.paper.explain.network import explain_network
from hemozoin.paper.explain.spatial import EXAMPLE_KERNEL, explain_kernel
from hemozoin.paper.separable import Shapes
from hemozoin.paper.tables import paper_tables

explain_app = App(
    name="explain",
    default_parameter=Parameter(negative=""),
)


@dataclass(frozen=True)
class OutputOptions:
    """The format of an explanation: text in the terminal by default."""

    html: Path | None = None
    """Write the explanation to this file, as one illustrated page that needs no other file."""
    as_json: Annotated[bool, Parameter(name="--json")] = False
    """Print the explanation as JSON."""


@dataclass(frozen=True)
class ConvolutionOptions:
    """The shapes of a convolution, as given on the command line."""

    input: str = "12x12x3"
    """Height x width x channels of the input."""
    filters: WholeNumber = 256
    """Output channels, 1 to 65,536."""
    kernel: str = "5x5"
    """Height x width of the kernel, or one number for both."""
    stride: WholeNumber = 1
    """Pixels from one position of the kernel to the next, 1 to 65,536."""
    padding: WholeNumber = 0
    """Zeros added on every side, 0 to 65,536."""

    def shapes(self) -> Shapes:
        """Return the shapes; raises HemozoinError where they are not allowed."""
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
    """Explain all: separable kernels, depthwise convolution, the network, the paper's tables."""
    chapters = all_chapters()
    _show(chapters, chapters.to_dict(), output)


@explain_app.command
def separable(kernel: str = EXAMPLE_KERNEL, /, *, output: Output = _TERMINAL) -> None:
    """Show whether a kernel is a column times a row, and what that saves.

    Parameters
    ----------
    kernel
        Rows of numbers, such as '[[1,2,1],[2,4,2]]', or one of sobel, gauss, laplace.
    """
    explained = explain_kernel(kernel)
    _show(Chapters(kernels=(explained,)), explained.to_dict(), output)


@explain_app.command
def depthwise(
    *, convolution: ConvolutionShape = _EXAMPLE, groups: WholeNumber = 1, output: Output = _TERMINAL
) -> None:
    """Compare a full convolution with its two depthwise separable steps, in cost and result.

    Parameters
    ----------
    groups
        Also count a grouped convolution; the groups must divide channels and filters.
    """
    explained = explain_depthwise(convolution.shapes(), groups)
    _show(Chapters(depthwise=explained), explained.to_dict(), output)


@explain_app.command
def network(
    *,
    alpha: float = 1.0,
    size: WholeNumber = 224,
    classes: WholeNumber = 1000,
    body: Body = "separable",
    output: Output = _TERMINAL,
) -> None:
    """List every layer with its shape, parameters, mult-adds, receptive field and memory.

    Parameters
    ----------
    alpha
        Width multiplier, above 0, at most 4.
    size
        Input size in pixels, 32 to 1024.
    classes
        Number of classes, 1 to 100,000.
    body
        separable (Table 1), full convolutions (Table 4) or shallow (Table 5).
    """
    explained = explain_network(Architecture(alpha=alpha, classes=classes, body=body), size)
    _show(Chapters(network=explained), explained.to_dict(), output)


@explain_app.command
def tables(*, output: Output = _TERMINAL) -> None:
    """Show the paper's Tables 1 to 7 next to the numbers counted here; differences are marked."""
    explained = paper_tables()
    data = [table.to_dict() for table in explained]
    _show(Chapters(tables=explained), data, output)


def _show(chapters: Chapters, data: Any, output: OutputOptions) -> None:
    """Write the page if `html` is given; print JSON, the page's path or the text."""
    if output.html:
        require_plots_extra()
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
    with console.capture() as captured:  # on a closed pipe, rich would end the program itself
        console.print(chapters.text(), crop=False)
    print("\n".join(line.rstrip() for line in captured.get().rstrip().splitlines()))
