"""MobileNet layer by layer: shapes, parameters, mult-adds, receptive field, activation memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from hemozoin.mobilenet.architecture import Architecture, Layer, LayerKind, layers
from hemozoin.mobilenet.cost import Cost, LayerCost, cost
from hemozoin.paper.explain.depthwise import by

#: Bytes of a number in float32.
_FLOAT = 4

#: The meaning of two columns of the layer table.
LEGEND = (
    "field: receptive field, the width in pixels of the part of the input that one output pixel "
    "depends on. memory: the layer's output for one picture, in float32."
)

#: The name of each kind of layer.
NAMES: dict[LayerKind, str] = {
    "conv": "convolution 3×3",
    "depthwise": "depthwise 3×3",
    "pointwise": "pointwise 1×1",
    "pool": "average pool",
    "linear": "classifier",
}


@dataclass(frozen=True)
class LayerRow:
    """A layer with its cost, receptive field and memory."""

    cost: LayerCost
    #: Width in pixels of the part of the input that one output pixel depends on. It can be wider
    #: than the picture; the rest is padding.
    receptive_field: int
    #: Bytes of the layer's input and output, in float32, for one picture.
    bytes_in: int
    bytes_out: int

    @property
    def layer(self) -> Layer:
        """The layer itself."""
        return self.cost.layer

    @property
    def filter(self) -> str:
        """Kernel and channels as in Table 1, and the stride where it isn't 1: "3×3×3×32 /2"."""
        layer = self.layer
        square = by(layer.kernel, layer.kernel)
        stride = f" /{layer.stride}" if layer.stride > 1 else ""
        if layer.kind in ("depthwise", "pool"):
            return square + stride
        return f"{square}×{by(layer.channels_in, layer.channels_out)}{stride}"

    @property
    def output(self) -> str:
        """Height, width and channels of the output."""
        return by(self.layer.size_out, self.layer.size_out, self.layer.channels_out)


@dataclass(frozen=True)
class NetworkExplanation:
    """A MobileNet for square pictures of `size` px."""

    architecture: Architecture
    size: int
    cost: Cost
    rows: tuple[LayerRow, ...]

    @property
    def peak(self) -> LayerRow:
        """The layer whose input and output together take the most memory."""
        return max(self.rows, key=lambda row: row.bytes_in + row.bytes_out)

    @property
    def output_bytes(self) -> int:
        """Bytes of the outputs of all layers, in float32, for one picture."""
        return sum(row.bytes_out for row in self.rows)

    @property
    def training_bytes(self) -> int:
        """Bytes that torch keeps of one picture, in float32, from forward to backward pass.

        They are the picture (input of the first convolution), the output of every convolution
        (batch norm needs it), the output of every ReLU (ReLU and the next layer need it) and the
        classifier's input. Batch norm and ReLU share one output, since ReLU works in place. Small
        maps are kept once more, with zeros around them (`Layer.gets_zeros`). The weights and batch
        norm's two numbers per channel and batch are not included. This holds for the paper's ReLU
        and for symmetric padding; a test compares it with torch.
        """
        *convolutions, pool, _ = self.rows
        kept_twice = sum(row.bytes_out for row in convolutions)
        small = [row.layer for row in convolutions if row.layer.gets_zeros]
        padded = sum(_FLOAT * layer.channels_in * (layer.size_in + 2) ** 2 for layer in small)
        return self.rows[0].bytes_in + 2 * kept_twice + padded + pool.bytes_out

    @property
    def title(self) -> str:
        """The network's body, α, input size and classes, in words."""
        a = self.architecture
        body = {"separable": "", "full": " with full convolutions", "shallow": ", shallow"}[a.body]
        return (
            f"MobileNet{body}: α {a.alpha:g}, {by(self.size, self.size)} px, {a.classes:,} classes"
        )

    def facts(self) -> Iterator[tuple[str, str]]:
        """Yield the totals as name and value."""
        peak = self.peak
        yield "mult-adds", f"{self.cost.mult_adds:,} per picture"
        yield "parameters", f"{self.cost.parameters:,} ({self.cost.weights:,} of them in filters)"
        yield "weights", f"{memory(_FLOAT * self.cost.parameters)} in float32"
        yield "layer outputs", f"{memory(self.output_bytes)} per picture, all layers together"
        yield (
            "at inference",
            f"at most {memory(peak.bytes_in + peak.bytes_out)} at one time: input and output of "
            f"{peak.layer.name}",
        )
        yield (
            "in training",
            f"{memory(self.training_bytes)} per picture, kept for the backward pass: the picture, "
            "the outputs of all convolutions and ReLUs, the classifier's input",
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation as plain values, ready for JSON.

        Bytes are for float32 and one picture.
        """
        return {
            "architecture": self.architecture.to_dict(),
            "size": self.size,
            "layers": [
                {
                    **asdict(row.layer),
                    "parameters": row.cost.parameters,
                    "weights": row.cost.weights,
                    "mult_adds": row.cost.mult_adds,
                    "receptive_field": row.receptive_field,
                    "activation_bytes": row.bytes_out,
                }
                for row in self.rows
            ],
            "totals": {
                "mult_adds": self.cost.mult_adds,
                "parameters": self.cost.parameters,
                "weights": self.cost.weights,
                "activation_bytes": self.output_bytes,
                "peak_activation_bytes": self.peak.bytes_in + self.peak.bytes_out,
                "training_activation_bytes": self.training_bytes,
            },
            "shares": [asdict(share) for share in self.cost.shares()],
        }

    def text(self) -> RenderableType:
        """Return the explanation for a terminal."""
        facts = Grid.grid(padding=(0, 2))
        facts.add_column(style="bold", no_wrap=True)
        for name, value in self.facts():
            facts.add_row(name, value)
        title = Text(self.title, style="bold")
        layer_grid, legend = self._layer_grid(), Text(LEGEND, style="dim")
        return Group(title, "", layer_grid, legend, "", facts, "", self._share_grid())

    def _layer_grid(self) -> Grid:
        grid = _grid("layer", "filter", "out", "parameters", "mult-adds", "field", "memory")
        grid.add_row(
            "input", "", by(self.size, self.size, 3), "", "", "", memory(self.rows[0].bytes_in)
        )
        for row in self.rows:
            counts = (f"{row.cost.parameters:,}", f"{row.cost.mult_adds:,}")
            field = f"{row.receptive_field:,}"
            grid.add_row(
                row.layer.name, row.filter, row.output, *counts, field, memory(row.bytes_out)
            )
        totals = (f"{self.cost.parameters:,}", f"{self.cost.mult_adds:,}")
        grid.add_row("total", "", "", *totals, "", "", style="bold")
        return grid

    def _share_grid(self) -> Grid:
        grid = _grid("share by kind (Table 2)", "mult-adds", "filters")
        for share in self.cost.shares():
            grid.add_row(
                NAMES[share.kind], f"{100 * share.mult_adds:.2f} %", f"{100 * share.weights:.2f} %"
            )
        return grid


def explain_network(
    architecture: Architecture | None = None, size: int = 224
) -> NetworkExplanation:
    """List a MobileNet's layers with their costs; by default the paper's own network.

    Raises HemozoinError where `size` is smaller than 32.
    """
    architecture = architecture or Architecture()
    counted = cost(layers(architecture, size))
    return NetworkExplanation(architecture, size, counted, tuple(_rows(counted)))


def memory(size: int) -> str:
    """Write bytes as B, kB (1,000 bytes) or MB (1,000,000 bytes)."""
    if size < 1e3:
        return f"{size} B"
    return f"{size / 1e6:,.2f} MB" if size >= 1e6 else f"{size / 1e3:,.1f} kB"


def _rows(counted: Cost) -> Iterator[LayerRow]:
    """Yield the rows. Each kernel widens the field by (kernel − 1) · all strides before it."""
    field, step = 1, 1
    for layer_cost in counted.layers:
        layer = layer_cost.layer
        field += (layer.kernel - 1) * step
        step *= layer.stride
        bytes_in = _FLOAT * layer.size_in**2 * layer.channels_in
        yield LayerRow(layer_cost, field, bytes_in, _FLOAT * layer.size_out**2 * layer.channels_out)


def _grid(first: str, *others: str) -> Grid:
    grid = Grid(box=None, padding=(0, 1, 0, 0), header_style="dim")
    grid.add_column(first, no_wrap=True)
    for name in others:
        grid.add_column(name, justify="right", no_wrap=True)
    return grid
