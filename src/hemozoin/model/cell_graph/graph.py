"""The ONNX graph from the picture of a cell to the decision on it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hemozoin.classes import CLASSES, POSITIVE
from hemozoin.mobilenet.architecture import layers
from hemozoin.model.bundle import CELL_GRAPH, Bundle
from hemozoin.model.cell_graph.ood_measures import add_is_out_of_distribution
from hemozoin.model.cell_graph.resampling import add_prepared
from hemozoin.model.onnx_builder import OnnxBuilder
from hemozoin.model.onnx_export import add_network, onnx_file

#: The values of the output `decision`; the first two are the places in CLASSES.
UNINFECTED_CODE, PARASITIZED_CODE, TOO_CLOSE_CODE, OUT_OF_DISTRIBUTION_CODE = range(4)

#: Decimals of a probability before it is compared, as `Predictor` rounds it.
_DECIMALS = 6


def cell_model(bundle: Bundle) -> bytes:
    """Return the ONNX file from a picture to the decision.

    Input `picture`, uint8 `[H, W, 3]`, RGB: one cell at any size, with black outside of it.
    Outputs: `probabilities` `[1, 2]`, in the order of CLASSES; `label` int32 `[1]`, the place in
    CLASSES, by the threshold; `decision` int32 `[1]`: 0 uninfected, 1 parasitized, 2 review, too
    close to call, 3 review, not like the training cells; `map` `[1, h, w]`, as in `onnx_model`;
    `pixels` uint8 `[1, S, S, 3]`, the prepared cell, exactly that of `prepare`.
    """
    size, map_size = bundle.preprocessing.size, _map_size(bundle)
    g = OnnxBuilder()
    add_prepared(g, "picture", bundle.preprocessing)
    add_network(g, bundle)
    _add_decision(g, bundle)
    graph = g.finish(
        inputs={"picture": (np.uint8, ("H", "W", 3))},
        outputs={
            "probabilities": (np.float32, (1, len(CLASSES))),
            "label": (np.int32, (1,)),
            "decision": (np.int32, (1,)),
            "map": (np.float32, (1, map_size, map_size)),
            "pixels": (np.uint8, (1, size, size, 3)),
        },
    )
    return onnx_file(graph, bundle)


def with_cell_graph(bundle: Bundle) -> Bundle:
    """Return the bundle with a new CELL_GRAPH."""
    return replace(bundle, graphs={**bundle.graphs, CELL_GRAPH: cell_model(bundle)})


def _map_size(bundle: Bundle) -> int:
    return layers(bundle.architecture, bundle.preprocessing.size)[-2].size_in


def _add_decision(g: OnnxBuilder, bundle: Bundle) -> None:
    """Add the label and the decision, from the probabilities and the pixels."""
    p = g.as_double(g("Gather", "probabilities", np.array(POSITIVE), axis=1))
    scale = np.array(10.0**_DECIMALS)
    p = g("Div", g("Floor", g("Add", g("Mul", p, scale), np.array(0.5))), scale)
    threshold, band = bundle.threshold.value, bundle.review_band
    is_negative = g("Less", p, np.array(threshold))
    g("Where", is_negative, _code(UNINFECTED_CODE), _code(PARASITIZED_CODE), name="label")
    below = g("Less", p, np.array(band.low))
    decided = g("Where", below, _code(UNINFECTED_CODE), _code(TOO_CLOSE_CODE))
    above = g("Greater", p, np.array(band.high))
    decided = g("Where", above, _code(PARASITIZED_CODE), decided)
    outside = add_is_out_of_distribution(g, bundle.ood_detector, bundle.preprocessing.size)
    g("Where", outside, _code(OUT_OF_DISTRIBUTION_CODE), decided, name="decision")


def _code(value: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
    return np.array(value, np.int32)
