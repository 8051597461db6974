"""The paper's block (Figure 3): where batch norm and ReLU are, what they do, and code for it."""

from __future__ import annotations

from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text


class Operation(NamedTuple):
    """An operation after a convolution: its formula, and what it does."""

    formula: str
    meaning: str


#: The layers of a full convolution (Figure 3, left).
FULL_BLOCK = ("3×3 Conv", "BN", "ReLU")

#: The layers of a depthwise separable convolution (Figure 3, right).
SEPARABLE_BLOCK = ("3×3 Depthwise Conv", "BN", "ReLU", "1×1 Conv", "BN", "ReLU")

BATCH_NORM = Operation(
    "y = γ · (x − mean) / √(variance + ε) + β",
    "Batch norm (BN) gives each channel mean 0 and variance 1, then scales it by γ and shifts it "
    "by β, two numbers that the network learns for each channel. In training, mean and variance "
    "are those of the channel in the current batch; afterwards, their running averages from "
    "training.",
)

RELU = Operation(
    "y = max(0, x)",
    "ReLU sets negative numbers to 0 and leaves the others as they are. Without it, convolutions "
    "one after the other could be combined into a single one, and more layers would gain nothing.",
)

#: The block in torch. A test runs exactly this text.
CODE = """\
from torch import nn

def separable_block(M, N, stride=1):  # M channels in, N channels out
    return nn.Sequential(
        nn.Conv2d(M, M, 3, stride, padding=1, groups=M, bias=False),
        nn.BatchNorm2d(M),
        nn.ReLU(),
        nn.Conv2d(M, N, 1, bias=False),
        nn.BatchNorm2d(N),
        nn.ReLU(),
    )
"""


def block_to_dict() -> dict[str, Any]:
    """Return the block as plain values, ready for JSON."""
    return {
        "full": list(FULL_BLOCK),
        "separable": list(SEPARABLE_BLOCK),
        "batch_norm": " ".join(BATCH_NORM),
        "relu": " ".join(RELU),
        "code": CODE,
    }


def block_text() -> RenderableType:
    """Return the block for a terminal."""
    facts = Grid.grid(padding=(0, 2))
    facts.add_column(style="bold", no_wrap=True)
    facts.add_row("full", " → ".join(FULL_BLOCK))
    facts.add_row("separable", " → ".join(SEPARABLE_BLOCK))
    for name, operation in {"BN": BATCH_NORM, "ReLU": RELU}.items():
        facts.add_row(name, f"{operation.formula}\n{operation.meaning}")
    title = Text("The block with batch norm and ReLU (Figure 3 of the paper)", style="bold")
    return Group(title, "", facts, "", Padding(Text(CODE.rstrip()), (0, 0, 0, 2)))
