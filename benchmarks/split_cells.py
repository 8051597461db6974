"""The cells of one part of a run's split, for benchmarks that test a run in another way."""

from __future__ import annotations

from pathlib import Path

from hemozoin.arrays import Pixels
from hemozoin.data.cells import SplitCells
from hemozoin.data.dataset import decode_cells
from hemozoin.data.options import CellOptions
from hemozoin.data.preprocess import Preprocessing
from hemozoin.data.split import read_split
from hemozoin.training.runs.run import SplitData


def cells_of(
    run: Path, split: str, data: Path, preprocessing: Preprocessing, labels: Path | None = None
) -> tuple[SplitCells, Pixels]:
    """Return the table and the pixels, uint8 `[N, S, S, 3]`, of a run's cells.

    `split` is "train", "validation" or "test"; `labels` is a list of label corrections.
    """
    return split_data_of(run, data, preprocessing, labels).part(split)


def split_data_of(
    run: Path, data: Path, preprocessing: Preprocessing, labels: Path | None = None
) -> SplitData:
    """Return all cells of a run."""
    store = decode_cells(data, CellOptions(labels=labels), preprocessing)
    return SplitData(read_split(store.cells, run / "split.csv"), store.pixels, 0)
