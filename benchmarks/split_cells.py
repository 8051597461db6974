"""The cells of one part of a run's split, for benchmarks that test a run in another way."""

from __future__ import annotations

from pathlib import Path

from hemozoin.arrays import Pixels
from hemozoin.data.cells import SplitCells
from hemozoin.data.dataset import decode_cells
from hemozoin.data.options import CellOptions
from hemozoin.data.preprocess import Preprocessing
from hemozoin.data.split import read_split


def cells_of(
    run: Path, split: str, data: Path, preprocessing: Preprocessing, labels: Path | None = None
) -> tuple[SplitCells, Pixels]:
    """Return the table and the pixels, uint8 `[N, S, S, 3]`, of a run's cells.

    `split` is "train", "validation" or "test"; `labels` is a list of label corrections.
    """
    store = decode_cells(data, CellOptions(labels=labels), preprocessing)
    cells = read_split(store.cells, run / "split.csv").part(split)
    return cells, store.pixels[cells.row]
