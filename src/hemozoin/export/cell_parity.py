"""cell.onnx compared with `Predictor` on the same cells: the decisions have to be the same."""

from __future__ import annotations

from collections.abc import Iterable

from hemozoin.arrays import Array, Pixels
from hemozoin.classes import CLASSES, POSITIVE
from hemozoin.data.preprocess import prepare
from hemozoin.decision.conformal import REVIEW
from hemozoin.errors import ModelError
from hemozoin.mobilenet.architecture import layers
from hemozoin.model.bundle import CELL_GRAPH, Bundle
from hemozoin.model.checks.graph import (
    PICTURE_SIDE,
    read_cell_graph,
    require_network,
    require_weights_of,
)
from hemozoin.model.checks.limits import most_cell_work
from hemozoin.model.prediction import OUT_OF_DISTRIBUTION, TOO_CLOSE, CellDecision
from hemozoin.model.predictor import Predictor
from hemozoin.onnx_runtime import onnxruntime

#: Largest allowed difference of a probability, which `Predictor` rounds to 6 decimals.
_ROUNDING = 2e-6

_OUTPUTS = ["probabilities", "label", "decision", "pixels"]

#: Decision and reason by the number that the graph returns.
_DECISIONS = (
    *((name, None) for name in CLASSES),
    (REVIEW, TOO_CLOSE),
    (REVIEW, OUT_OF_DISTRIBUTION),
)


def require_same_decisions(bundle: Bundle, pictures: Iterable[Pixels]) -> None:
    """Run the cell graph of a bundle on pictures, uint8 `[H, W, 3]`, black outside the cell.

    Raises ModelError where `Predictor` decides differently, and for a graph that hemozoin can't
    have written.
    """
    require_valid_cell_graph(bundle)
    session = onnxruntime.InferenceSession(
        bundle.graphs[CELL_GRAPH], providers=["CPUExecutionProvider"]
    )
    predictor = Predictor(bundle)
    for picture in pictures:
        pixels = prepare(picture, bundle.preprocessing)
        (decision,) = predictor.decide(pixels[None])
        found = dict(zip(_OUTPUTS, session.run(_OUTPUTS, {"picture": picture}), strict=True))
        if not _is_same(found, pixels, decision, bundle):
            raise ModelError(f"not exported, {CELL_GRAPH} differs from the network; report this")


def _is_same(
    found: dict[str, Array], pixels: Pixels, decided: CellDecision, bundle: Bundle
) -> bool:
    difference = abs(float(found["probabilities"][0, POSITIVE]) - decided.p_parasitized)
    return (
        bool((found["pixels"][0] == pixels).all())
        and difference <= _ROUNDING
        and CLASSES[int(found["label"][0])] == bundle.label(decided.p_parasitized)
        and _DECISIONS[int(found["decision"][0])] == (decided.decision, decided.reason)
    )


def require_valid_cell_graph(bundle: Bundle) -> None:
    """Raise ModelError unless the cell graph has only hemozoin's operations, and these weights."""
    table = layers(bundle.architecture, bundle.preprocessing.size)
    most = most_cell_work(table, bundle.orientations, PICTURE_SIDE)
    graph = read_cell_graph(bundle.graphs[CELL_GRAPH], CELL_GRAPH, most)
    require_network(graph, table, CELL_GRAPH)
    epsilon = bundle.architecture.bn_epsilon
    require_weights_of(graph, bundle.weights, table, epsilon, CELL_GRAPH)
