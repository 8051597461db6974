"""`hemozoin export`: a run's network as a folder that is complete by itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hemozoin.arrays import Pixels
from hemozoin.data.cells import LabelledCells, is_known
from hemozoin.data.dataset import decode_cells
from hemozoin.data.labels import training_labels
from hemozoin.data.options import CellOptions
from hemozoin.errors import DataError, ModelError, RunError
from hemozoin.export.card import model_card
from hemozoin.export.cell_parity import require_same_decisions
from hemozoin.export.int8 import quantize
from hemozoin.export.parity import Parity, compare_backends
from hemozoin.files import filled_folder, is_free
from hemozoin.model.bundle import (
    CONFIG,
    FILES,
    INT8_GRAPH,
    Bundle,
    load_bundle,
    model_files,
    save_bundle,
)
from hemozoin.model.cell_graph.graph import with_cell_graph
from hemozoin.model.onnx_export import with_graph
from hemozoin.model.registry import find_model
from hemozoin.training.runs.config import RunConfig
from hemozoin.training.runs.run import SplitData, load_split_data

#: Number of training cells that the ranges of int8 are measured on; 512 are no better.
CALIBRATION_CELLS = 256

#: Number of cells on which the decisions of the cell graph are compared.
CHECKED_CELLS = 100


def export(source: Path, out: Path, check: Path | None, options: CellOptions) -> Parity:
    """Write the whole model folder of a run, or of a model folder, to `out`.

    The int8 graph is calibrated on the run's training cells. Then torch, ONNX and int8 are
    compared on the cells of `check` (read with `options`), or on the run's test cells.
    Raises RunError where `out` isn't free, DataError where the run's cells are missing, ModelError
    where a graph differs from torch; nothing is written then.
    """
    if not is_free(out):
        raise RunError(f"{out}: not an empty folder; give another --out")
    folder = find_model(source)
    bundle = load_bundle(folder)
    split_data = _cells_of_run(bundle, folder)
    bundle = with_int8(with_graph(bundle), split_data.part("train")[1])
    cells, pixels = _cells_of_data_set(check, options, bundle) if check else split_data.part("test")
    parity = compare_backends(bundle, cells, pixels)
    parity.require()
    bundle = with_cell_graph(with_parity(bundle, parity))
    require_same_decisions(bundle, pixels[:CHECKED_CELLS])
    write_export(bundle, out)
    return parity


def with_int8(bundle: Bundle, pixels: Pixels) -> Bundle:
    """Return the bundle with an int8 graph, calibrated on some of these training cells."""
    count = min(CALIBRATION_CELLS, len(pixels))
    chosen = np.sort(np.random.default_rng(0).choice(len(pixels), count, replace=False))
    return replace(bundle, graphs={**bundle.graphs, INT8_GRAPH: quantize(bundle, pixels[chosen])})


def with_parity(bundle: Bundle, parity: Parity) -> Bundle:
    """Return the bundle with the comparison in its `about`."""
    return replace(bundle, about={**bundle.about, "parity": parity.to_dict()})


def write_export(bundle: Bundle, out: Path) -> None:
    """Write a bundle with its model card into a free folder: all files or none."""
    bundle = replace(bundle, about=_without_folders(bundle.about))
    card = model_card(bundle, model_files(bundle))
    with filled_folder(out, FILES):
        save_bundle(bundle, out, card)


def _without_folders(value: Any) -> Any:
    """Return the value with absolute paths cut to file names: the folders are private."""
    if isinstance(value, dict):
        return {key: _without_folders(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_folders(inner) for inner in value]
    is_path = isinstance(value, str) and Path(value).is_absolute()
    return Path(value).name if is_path else value


def _cells_of_run(bundle: Bundle, folder: Path) -> SplitData:
    """Return the cells that a network was trained and tested on, with the split of its run."""
    if "run" not in bundle.about:
        raise ModelError(f"{folder}: doesn't say which cells it was trained on; give a run")
    try:
        config = RunConfig.from_dict(bundle.about["run"])
    except RunError as error:
        raise ModelError(f"{folder / CONFIG}: the run that it describes: {error}") from error
    if not config.data.exists():
        raise DataError(
            f"{config.data}: not found, but int8 is calibrated on the training cells;"
            " restore them, or export the run itself"
        )
    split = folder.parent / "split.csv"
    return load_split_data(config, split if split.exists() else config.split)


def _cells_of_data_set(
    data: Path, options: CellOptions, bundle: Bundle
) -> tuple[LabelledCells, Pixels]:
    """Return all cells of a data set, with their corrected labels if there are any."""
    store = decode_cells(data, options, bundle.preprocessing)
    if store.cells.corrected is None:
        return store.cells, store.pixels
    known = is_known(store.cells.corrected)
    return training_labels(store.cells, "relabel"), store.pixels[known]
