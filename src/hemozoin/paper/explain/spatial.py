"""Spatial separability: whether a kernel is a column times a row, and what that saves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from hemozoin.arrays import Floats
from hemozoin.errors import HemozoinError
from hemozoin.paper.explain.example_cell import FilteredCell, filter_example_cell
from hemozoin.paper.separable import Separation, separate

#: The kernel that is explained by default.
EXAMPLE_KERNEL = "[[5,10,15],[10,20,30],[15,30,45]]"

#: Kernels that can be given by name: an edge filter, a blur and a spot filter.
NAMED: dict[str, list[list[float]]] = {
    "sobel": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    "gauss": [[1 / 16, 2 / 16, 1 / 16], [2 / 16, 4 / 16, 2 / 16], [1 / 16, 2 / 16, 1 / 16]],
    "laplace": [[0, 1, 0], [1, -4, 1], [0, 1, 0]],
}

#: The most rows and columns that fit on the page and in a terminal.
_LARGEST_SIDE = 15

#: Products of numbers up to this size neither overflow nor lose digits.
_LARGEST_NUMBER = 1e9


@dataclass(frozen=True, eq=False)
class KernelExplanation:
    """A kernel, its separation and both tried on a cell. `name` is one of `NAMED`, or "kernel"."""

    name: str
    separation: Separation
    filtered: FilteredCell

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation as plain values, ready for JSON."""
        found = self.separation
        return {
            "name": self.name,
            "kernel": _plain(found.kernel),
            "separable": found.separable,
            "rank": found.rank,
            "rank_means": self.rank_means,
            "singular_values": found.singular_values.tolist(),
            "singular_values_mean": self.singular_values_mean,
            "column": _plain(found.column),
            "row": _plain(found.row),
            "product": _plain(found.product),
            "error": found.error,
            "multiplications_per_pixel": {
                "kernel": found.multiplications,
                "column_and_row": found.factor_multiplications,
                "exactly_by_columns_and_rows": found.rank * found.factor_multiplications,
            },
            "on_a_picture": {
                "largest_response": self.filtered.largest_response,
                "largest_difference": self.filtered.largest_difference,
            },
        }

    def text(self) -> RenderableType:
        """Return the explanation for a terminal."""
        facts = Grid.grid(padding=(0, 2))
        facts.add_column(style="bold", no_wrap=True)
        for name, value in self.facts():
            facts.add_row(name, value)
        facts.add_row("on a cell", self.comparison)
        question = Text(f"Is {self.title} a column times a row?", style="bold")
        return Group(question, "", *_equation(self.separation), "", facts)

    @property
    def title(self) -> str:
        """The kernel's name in a sentence."""
        return f"the {self.name.title()} kernel" if self.name in NAMED else "this kernel"

    def facts(self) -> Iterator[tuple[str, str]]:
        """Yield the results as name and value, the answer first."""
        found = self.separation
        values = "  ".join(number(value) for value in found.singular_values)
        yield "separable", "yes, spatially separable" if found.separable else "no"
        yield "rank", f"{found.rank}: {self.rank_means}"
        yield "singular values", f"{values}: {self.singular_values_mean}"
        yield from self._costs()

    def _costs(self) -> Iterator[tuple[str, str]]:
        found = self.separation
        whole, factors = found.multiplications, found.factor_multiplications
        rows, columns = found.kernel.shape
        saving = "" if factors < whole else ": nothing saved"
        if found.separable:
            sums = f"column and row {rows} + {columns} = {factors}{saving}"
            yield "multiplications", f"{whole} per pixel; {sums}"
            return
        yield "closest product", f"loses {100 * found.error:.2f} % of the kernel"
        yield "multiplications", f"{whole} per pixel; the closest product {factors}{saving}"
        exactly = f"{found.rank} · {factors} = {found.rank * factors}"
        yield "exact result", f"needs {found.rank} products: {exactly} multiplications"

    @property
    def rank_means(self) -> str:
        """What the rank says, in words."""
        if self.separation.separable:
            return "one column times one row makes the kernel"
        return f"the kernel is a sum of {self.separation.rank} products of a column and a row"

    @property
    def singular_values_mean(self) -> str:
        """What the singular values say about the error of a single product, in words."""
        if self.separation.separable:
            return "only the first is not 0, so one product has no error"
        return (
            "the sizes of these products; the first alone leaves an error of "
            f"√(sum of the others²) / √(sum of all²) = {100 * self.separation.error:.2f} %"
        )

    @property
    def comparison(self) -> str:
        """Whether column and row give the kernel's response on the cell, in words."""
        filtered = self.filtered
        difference, largest = filtered.largest_difference, filtered.largest_response
        # Where the factors aren't whole numbers, rounding changes the last digits.
        same = difference <= 1e-12 * largest * self.separation.kernel.size
        result = "the kernel's result" if same else "a different result"
        return (
            f"the column and then the row give {result}: largest difference {number(difference)}, "
            f"responses up to {number(largest)}{self._flat_areas}"
        )

    @property
    def _flat_areas(self) -> str:
        """Why a small error can be visible: the product responds to flat areas, the kernel not."""
        numbers, product = self.separation.kernel, self.separation.product.sum()
        if self.separation.separable or abs(numbers.sum()) > 1e-12 * np.abs(numbers).sum():
            return ""
        return (
            ". The kernel's numbers add up to 0, so it gives 0 in flat areas; "
            f"the product's add up to {number(product)}"
        )


def explain_kernel(kernel: str = EXAMPLE_KERNEL) -> KernelExplanation:
    """Explain a kernel, given by a name of `NAMED` or as JSON: a list of rows.

    Raises HemozoinError where it is neither, is larger than 15 × 15 or has numbers beyond ±10⁹.
    """
    separation = separate(NAMED[kernel] if kernel in NAMED else _read(kernel))
    name = kernel if kernel in NAMED else "kernel"
    return KernelExplanation(name, separation, filter_example_cell(separation))


def number(value: float) -> str:
    """Write a number with four significant digits; whole and large numbers without decimals."""
    whole = float(value).is_integer() or abs(value) >= 1000
    return f"{value:,.0f}" if whole else f"{value:.4g}"


def _read(kernel: str) -> list[list[float]]:
    try:
        rows = json.loads(kernel)
    except (ValueError, RecursionError):
        rows = None
    if not _is_grid(rows):
        raise HemozoinError(
            f"kernel is {kernel[:60]!r}; give one of {', '.join(NAMED)}, or rows of numbers, all of"
            f" the same length, at most {_LARGEST_SIDE} × {_LARGEST_SIDE} and from -1e9 to 1e9:"
            " '[[1,2,1],[2,4,2]]'"
        )
    return [[float(value) for value in row] for row in rows]


def _is_grid(rows: Any) -> bool:
    return (
        isinstance(rows, list)
        and 1 <= len(rows) <= _LARGEST_SIDE
        and all(isinstance(row, list) and 1 <= len(row) <= _LARGEST_SIDE for row in rows)
        and len({len(row) for row in rows}) == 1
        and all(_is_number(value) for row in rows for value in row)
    )


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and -_LARGEST_NUMBER <= value <= _LARGEST_NUMBER


def _plain(grid: Floats) -> list[list[float]]:
    """Return the rows, whole numbers as int."""
    return [[int(x) if x.is_integer() else x for x in row] for row in grid.tolist()]


def _equation(found: Separation) -> Iterator[Text]:
    """Yield the lines of "kernel = column · row", one for each row of the kernel."""
    sign = "=" if found.separable else "≈"
    blocks = [_block(found.kernel), [sign], _block(found.column), ["·"], _block(found.row)]
    height = len(found.kernel)
    for line in zip(*(_centred(block, height) for block in blocks), strict=True):
        yield Text(f"    {'   '.join(line)}", no_wrap=True, overflow="ignore")


def _block(grid: Floats) -> list[str]:
    """Return the rows of a grid as text, the columns aligned."""
    cells = [[number(x) for x in row] for row in grid]
    width = max(len(cell) for row in cells for cell in row)
    return ["  ".join(cell.rjust(width) for cell in row) for row in cells]


def _centred(block: list[str], height: int) -> list[str]:
    """Add empty lines above and below, `height` lines in total."""
    blank = " " * len(block[0])
    above = [blank] * ((height - len(block)) // 2)
    padded = zip_longest([*above, *block], range(height), fillvalue=blank)
    return [str(line) for line, _ in padded]
