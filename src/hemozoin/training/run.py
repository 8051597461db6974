"""One run, from the files of a data set to a model folder and its figures.

    cells ── dealt out by patient ── store ── fit ── threshold on validation ── model/
                                                                                  │
                               report.html ── figures on patients never seen ─────┘
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import torch

from hemozoin.cells.dataset import decode_cells
from hemozoin.cells.index import PARASITIZED
from hemozoin.cells.labels import training_labels
from hemozoin.cells.picture import Pixels
from hemozoin.cells.preprocess import Preprocessing
from hemozoin.cells.split import read_split, split_by_patient, write_split
from hemozoin.files import replace_file
from hemozoin.judging.calibration import fit_temperature
from hemozoin.judging.metrics import Judged
from hemozoin.judging.threshold import Threshold, choose_threshold
from hemozoin.model.bundle import Bundle, save_bundle
from hemozoin.model.classifier import Classifier
from hemozoin.model.predictor import Predictor
from hemozoin.progress import say
from hemozoin.training import distributed
from hemozoin.training.checkpoint import Row
from hemozoin.training.config import RunConfig
from hemozoin.training.fit import Lesson, fit
from hemozoin.training.runfolder import RunFolder


@dataclass(frozen=True)
class Dealt:
    """The cells of a run, dealt out.

    `cells` is the table with `row`, a cell's place in `pixels` (uint8 `[N, S, S, 3]`), and
    `split`.
    """

    cells: pl.DataFrame
    pixels: Pixels

    def part(self, split: str) -> pl.DataFrame:
        """Return the cells of one part."""
        return self.cells.filter(pl.col("split") == split)

    def rows(self, split: str) -> npt.NDArray[np.int64]:
        """Return where the pixels of one part lie: int `[cells]`."""
        return self.part(split)["row"].to_numpy().astype(np.int64)


def run(config: RunConfig, folder: RunFolder, device: torch.device) -> None:
    """Do a run, or what is left of it, and leave its model, figures and report in `folder`."""
    started = time.monotonic()
    dealt = deal(config, folder)
    lesson = make_lesson(dealt, config)
    classifier = fit(lesson, config.recipe, device, folder.checkpoint, _reporter(folder))
    if distributed.rank() == 0:
        bundle, threshold = seal(classifier.cpu(), dealt, config)
        save_bundle(bundle, folder.model)
        judge_run(...)


def deal(config: RunConfig, folder: RunFolder) -> Dealt:
    """Decode the cells and deal them out: as split.csv says where there is one, else by seed."""
    how = Preprocessing(config.recipe.size)
    if distributed.rank() != 0:
        distributed.barrier()  # the first process fills the cache and writes split.csv
    store = decode_cells(config.data, config.cells, how)
    cells = store.cells.with_row_index("row")
    if folder.split.exists() or config.split:
        cells = read_split(cells, folder.split if folder.split.exists() else config.split)
    else:
        cells = split_by_patient(cells, config.recipe.seed)
    if distributed.rank() == 0:
        write_split(cells, folder.split)
        distributed.barrier()
    return Dealt(cells, store.pixels)
