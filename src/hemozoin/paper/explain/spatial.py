"""Spatial separability of a kernel: is it a column times a row, and what would that save?"""

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
from hemozoin.paper.explain.example_cell import Trial, try_on_cell
from hemozoin.paper.separable import Separation, separate

#: The example that the project started from.
EXAMPLE_KERNEL = "[[5,10,15],[10,20,30],[15,30,45]]"

#: Kernels that go by a name: an edge, a blur, a spot.
NAMED: dict[str, list[list[float]]] = {
    "sobel": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    "gauss": [[1 / 16, 2 / 16, 1 / 16], [2 / 16, 4 / 16, 2 / 16], [1 / 16, 2 / 16, 1 / 16]],
    "laplace": [[0, 1, 0], [1, -4, 1], [0, 1, 0]],
}

#: Rows and columns that can still be shown.
_LARGEST = 15

#: Numbers up to this size can be multiplied out without overflow or lost digits.
_HIGHEST = 1e9


@dataclass(frozen=True, eq=False)
class KernelExplanation:
    """A kernel with what there is to say of it; `name` is one of `NAMED`, or "kernel"."""

    name: str
    separation: Separation
    trial: Trial

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, ready for JSON."""
        found = self.separation
        return {
            "name": self.name,
            "kernel": _plain(found.kernel),
            "separable": found.separable,
            "rank": found.rank,
            "singular_values": found.singular_values.tolist(),
            "column": _plain(found.column),
            "row": _plain(found.row),
            "product": _plain(found.product),
            "error": found.error,
            "multiplications_per_pixel": {
                "kernel": found.multiplications,
                "column_and_row": found.multiplications_in_turn,
                "exactly_by_columns_and_rows": found.rank * found.multiplications_in_turn,
            },
            "on_a_picture": {
                "largest_response": self.trial.largest,
                "largest_difference": self.trial.difference,
            },
        }

    def text(self) -> RenderableType:
        """Return it for a terminal."""
        facts = Grid.grid(padding=(0, 2))
        facts.add_column(style="bold", no_wrap=True)
        for name, value in self.facts():
            facts.add_row(name, value)
        facts.add_row("on a cell", f"column, then row, {self.tried}")
        question = Text(f"Is {self.title} a column times a row?", style="bold")
        return Group(question, "", *_equation(self.separation), "", facts)

    @property
    def title(self) -> str:
        """What to call it in a sentence."""
        return f"the {self.name.title()} kernel" if self.name in NAMED else "this kernel"

    def facts(self) -> Iterator[tuple[str, str]]:
        """Yield what was found as name and value, the answer first."""
        found = self.separation
        whole, turn = found.multiplications, found.multiplications_in_turn
        rows, columns = found.kernel.shape
        yield "answer", "yes, spatially separable" if found.separable else "no"
        yield "rank", f"{found.rank}"
        yield "singular values", "  ".join(number(value) for value in found.singular_values)
        cheaper = "" if turn < whole else ": nothing saved"
        if found.separable:
            yield (
                "multiplications",
                f"{whole} a pixel; in turn {rows} + {columns} = {turn}{cheaper}",
            )
        else:
            yield "closest product", f"loses {100 * found.error:.2f} % of the kernel"
            yield "multiplications", f"{whole} a pixel; the closest product {turn}{cheaper}"
            yield (
                "exactly",
                f"with {found.rank} products: {found.rank} · {turn} = {found.rank * turn}",
            )

    @property
    def tried(self) -> str:
        """What trying both ways on a cell has shown: "column, then row, …"."""
        trial = self.trial
        # Where the factors aren't whole numbers, their products are rounded in the last digits.
        same = trial.difference <= 1e-12 * trial.largest * self.separation.kernel.size
        verdict = "what the kernel gives" if same else "something else than the kernel"
        return (
            f"give {verdict}: largest difference "
            f"{number(trial.difference)}, responses up to {number(trial.largest)}{self._leak}"
        )

    @property
    def _leak(self) -> str:
        """Why a small loss can show: a kernel that is blind to flat areas, a product that isn't."""
        numbers, product = self.separation.kernel, self.separation.product.sum()
        if self.separation.separable or abs(numbers.sum()) > 1e-12 * np.abs(numbers).sum():
            return ""
        return (
            ". The kernel's numbers add up to 0, so flat areas vanish; "
            f"those of the product add up to {number(product)}"
        )


def explain_kernel(kernel: str = EXAMPLE_KERNEL) -> KernelExplanation:
    """Explain a kernel given as a name of `NAMED` or as JSON, a list of rows.

    Raises HemozoinError where it is neither, or larger than 15 × 15, or beyond ±10⁹.
    """
    separation = separate(NAMED[kernel] if kernel in NAMED else _read(kernel))
    name = kernel if kernel in NAMED else "kernel"
    return KernelExplanation(name, separation, try_on_cell(separation))


def number(value: float) -> str:
    """Write a number with four digits that count; whole and large ones without decimals."""
    whole = float(value).is_integer() or abs(value) >= 1000
    return f"{value:,.0f}" if whole else f"{value:.4g}"


def _read(kernel: str) -> list[list[float]]:
    try:
        rows = json.loads(kernel)
    except (ValueError, RecursionError):
        rows = None
    if not _is_grid(rows):
        raise HemozoinError(
            f"kernel is {kernel[:60]!r}; give one of {', '.join(NAMED)}, or rows of equally many "
            f"numbers, at most {_LARGEST} × {_LARGEST} and from -1e9 to 1e9: '[[1,2,1],[2,4,2]]'"
        )
    return [[float(value) for value in row] for row in rows]


def _is_grid(rows: Any) -> bool:
    return (
        isinstance(rows, list)
        and 1 <= len(rows) <= _LARGEST
        and all(isinstance(row, list) and 1 <= len(row) <= _LARGEST for row in rows)
        and len({len(row) for row in rows}) == 1
        and all(_is_number(value) for row in rows for value in row)
    )


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and -_HIGHEST <= value <= _HIGHEST


def _plain(grid: Floats) -> list[list[float]]:
    """Return the rows, with whole numbers as such."""
    return [[int(x) if x.is_integer() else x for x in row] for row in grid.tolist()]


def _equation(found: Separation) -> Iterator[Text]:
    """Write kernel = column · row, in as many lines as the kernel has rows."""
    sign = "=" if found.separable else "≈"
    blocks = [_block(found.kernel), [sign], _block(found.column), ["·"], _block(found.row)]
    height = len(found.kernel)
    for line in zip(*(_centred(block, height) for block in blocks), strict=True):
        yield Text(f"    {'   '.join(line)}", no_wrap=True, overflow="ignore")


def _block(grid: Floats) -> list[str]:
    """Write the numbers under each other."""
    cells = [[number(x) for x in row] for row in grid]
    wide = max(len(cell) for row in cells for cell in row)
    return ["  ".join(cell.rjust(wide) for cell in row) for row in cells]


def _centred(block: list[str], height: int) -> list[str]:
    blank = " " * len(block[0])
    above = [blank] * ((height - len(block)) // 2)
    padded = zip_longest([*above, *block], range(height), fillvalue=blank)
    return [str(line) for line, _ in padded]
