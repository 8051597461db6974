"""The largest network that a model folder may hold, and the work that its graphs may do."""

from __future__ import annotations

from hemozoin.errors import ModelError
from hemozoin.mobilenet.architecture import Architecture, Layer, layers
from hemozoin.mobilenet.cost import cost
from hemozoin.model.checks.shapes import Work

#: Most work for one cell: twice that of full convolutions at 224 px in four rotations.
_LARGEST = Work(elements=2**27, mult_adds=40_000_000_000)

#: A graph has several values per layer. In 8 bits, its first layers have wider kernels, most of
#: them zeros, and every kernel is a value.
_VALUES_PER_LAYER, _WIDENING = 12, 16

#: The values for a pixel, and the products with a matrix, that prepare and measure a cell.
_PREPARED = 128


def require_practical(architecture: Architecture, size: int, orientations: int) -> None:
    """Raise ModelError for a network that takes seconds for a cell, or gigabytes of memory."""
    if _network_work(layers(architecture, size), orientations).exceeds(_LARGEST):
        raise ModelError(
            f"alpha {architecture.alpha:g}, size {size}, {orientations} orientations: too much"
            " work for one cell; give a smaller size or alpha"
        )


def most_work(table: tuple[Layer, ...], orientations: int, cells: int) -> Work:
    """Return the most work that a graph of this network may do for a batch of cells."""
    network = _network_work(table, orientations)
    kernels = _WIDENING * cost(table).parameters
    return Work(
        cells * _VALUES_PER_LAYER * network.elements + kernels,
        cells * _WIDENING * network.mult_adds,
    )


def most_cell_work(table: tuple[Layer, ...], orientations: int, side: int) -> Work:
    """Return the most work that a graph of this network may do for a picture of `side` px."""
    network, sides = most_work(table, orientations, 1), side + table[0].size_in
    return Work(network.elements + _PREPARED * sides**2, network.mult_adds + _PREPARED * sides**3)


def _network_work(table: tuple[Layer, ...], orientations: int) -> Work:
    """Return the work for one cell, with eight arrays of the size of the picture."""
    pixels = 8 * 3 * table[0].size_in ** 2
    elements = sum(layer.channels_out * layer.size_out**2 for layer in table)
    return Work(orientations * elements + pixels, orientations * cost(table).mult_adds)
