"""The cost of a MobileNet: mult-adds and parameters, as the tables of arXiv 1704.04861 count them.

A mult-add is one multiplication with its addition, for one picture. Convolutions and the
classifier are counted. Batch norm, ReLU and pooling are not: batch norm can be folded into the
convolution before it, and the other two do not multiply.

    k × k convolution        k · k · C_in · C_out · size_out²      (equation 2)
    k × k depthwise          k · k · C · size_out²                 (equation 4)
    classifier               C · classes

These formulas give every printed count of whole networks except two. Table 4 prints 4866 million
mult-adds with full convolutions: that leaves out the classifier's one million, which the 569 in
the same table include. Table 7 prints 290 million at 160 px: the count is 290.7, cut off instead
of rounded.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hemozoin.mobilenet.architecture import Layer, LayerKind


@dataclass(frozen=True)
class LayerCost:
    """The cost of one layer, including the batch norm that follows it."""

    layer: Layer
    #: Multiplications with their addition, for one picture.
    mult_adds: int
    #: Numbers in the filters alone, which is what Table 2 counts.
    weights: int
    #: All learned numbers: the filters, and batch norm's scale and shift or the classifier's bias.
    parameters: int


@dataclass(frozen=True)
class Share:
    """A row of Table 2: the share of one kind of layer in the whole network, from 0 to 1."""

    kind: LayerKind
    mult_adds: float
    weights: float


@dataclass(frozen=True)
class Cost:
    """The cost of a network, layer by layer and in total."""

    layers: tuple[LayerCost, ...]

    @property
    def mult_adds(self) -> int:
        """Mult-adds for one picture: "Million Mult-Adds" in Tables 4 to 7, here not in millions."""
        return sum(layer.mult_adds for layer in self.layers)

    @property
    def weights(self) -> int:
        """Numbers in all filters, without batch norm and bias."""
        return sum(layer.weights for layer in self.layers)

    @property
    def parameters(self) -> int:
        """All learned numbers: "Million Parameters" in Tables 4 to 7, here not in millions."""
        return sum(layer.parameters for layer in self.layers)

    def shares(self) -> tuple[Share, ...]:
        """Return the share of each kind of layer, in the network's order (Table 2).

        Table 2 prints 1.19 % of mult-adds for the first 3 × 3 convolution. The count is 1.91 %;
        with it the four rows add up to 100 %.
        """
        kinds = dict.fromkeys(layer.layer.kind for layer in self.layers if layer.weights)
        return tuple(self._share(kind) for kind in kinds)

    def _share(self, kind: LayerKind) -> Share:
        part = Cost(tuple(layer for layer in self.layers if layer.layer.kind == kind))
        return Share(kind, part.mult_adds / self.mult_adds, part.weights / self.weights)


def cost(layers: Iterable[Layer]) -> Cost:
    """Return the cost of the layers that `architecture.layers` lists.

    At α = 1, 224 px and 1000 classes: 568.7 million mult-adds, 4.2 million parameters.
    """
    return Cost(tuple(_layer_cost(layer) for layer in layers))


def _layer_cost(layer: Layer) -> LayerCost:
    if layer.kind == "pool":
        return LayerCost(layer, mult_adds=0, weights=0, parameters=0)
    inputs = 1 if layer.kind == "depthwise" else layer.channels_in
    weights = layer.kernel**2 * inputs * layer.channels_out
    # The classifier has a bias; every convolution has batch norm's scale and shift.
    others = layer.channels_out * (1 if layer.kind == "linear" else 2)
    return LayerCost(layer, weights * layer.size_out**2, weights, weights + others)
