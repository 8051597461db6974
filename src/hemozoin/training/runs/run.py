"""One run, from the files of a data set to a model folder and its figures.

cells ── dealt out by patient ── store ── fit ── threshold on validation ── model/
                                                                              │
                           report.html ── figures on patients never seen ─────┘
"""

from __future__ import annotations

from hemozoin.arrays import Ints

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import torch

from hemozoin.data.dataset import decode_cells
from hemozoin.data.labels import training_labels
from hemozoin.arrays import Pixels
from hemozoin.data.preprocess import Preprocessing
from hemozoin.data.split import has_patients, read_split, split_by_patient
from hemozoin.files import replace_file
from hemozoin.evaluation.report import Report, count_splits, summary
from hemozoin.model.bundle import Bundle, save_bundle
from hemozoin.classes import CLASSES
from hemozoin.evaluation.evaluate import describe_setup, report_on, write_evaluation
from hemozoin.model.predictor import Predictor
from hemozoin.progress import say
from hemozoin.training import distributed
from hemozoin.training.checkpoint import EpochRow
from hemozoin.training.runs.config import RunConfig
from hemozoin.training.device import insist_on_same_results
from hemozoin.training.trainer import TrainingData, fit
from hemozoin.training.runs.folder import RunFolder
from hemozoin.training.packaging import calibrate_and_package


@dataclass(frozen=True)
class SplitData:
    """The cells of a run, dealt out.

    `cells` is the table with `row`, a cell's place in `pixels` (uint8 `[N, S, S, 3]`), and
    `split`. `unreadable` counts the pictures that were passed over.
    """

    cells: pl.DataFrame
    pixels: Pixels
    unreadable: int

    def part(self, split: str) -> tuple[pl.DataFrame, Pixels]:
        """Return the cells and pixels of one part."""
        cells = self.cells.filter(pl.col("split") == split)
        return cells, self.pixels[cells["row"].to_numpy()]


def run(config: RunConfig, split_data: SplitData, folder: RunFolder, device: torch.device) -> None:
    """Do a run, or what is left of it: the model, its figures and the report in `folder`."""
    started = time.monotonic()
    insist_on_same_results()
    training_data = make_training_data(split_data, config)
    classifier = fit(training_data, config.recipe, device, folder.checkpoint, results_writer(folder))
    with distributed.first_process_first() as first:
        if first:
            validation = split_data.part("validation")
            bundle = calibrate_and_package(classifier.cpu(), *validation, config.recipe, config.operating_point)
            report = evaluate_run(bundle, split_data, config, folder, started)
            save_bundle(replace(bundle, about=_about(config, report)), folder.model)
            print(summary(report))
            print(f"Report: {folder.path / 'report.html'}\nModel:  {folder.model}")


def load_split_data(config: RunConfig, split: Path | None) -> SplitData:
    """Decode the cells and deal them out: as a split.csv says where there is one, else by seed."""
    store = decode_cells(config.data, config.cells, Preprocessing(config.recipe.size))
    cells = store.cells.with_row_index("row")
    split_data = read_split(cells, split) if split else split_by_patient(cells, config.recipe.seed)
    if not has_patients(split_data):
        say("WARNING: no patient is known, so the figures will be too good; give --patients CSV")
    return SplitData(split_data, store.pixels, len(store.unreadable))


def make_training_data(split_data: SplitData, config: RunConfig) -> TrainingData:
    """Return what is learned from; with corrections, their labels on the training cells only.

    Validation and test keep the labels as given: those are what the figures are held against.
    """
    train, _ = split_data.part("train")
    if "corrected" in train.columns:
        train = training_labels(train, config.on_correction)
    targets = np.zeros(len(split_data.pixels), dtype=np.int64)
    for cells in (split_data.cells, train):
        targets[_rows(cells)] = [CLASSES.index(label) for label in cells["label"]]
    return TrainingData(split_data.pixels, targets, _rows(train), _rows(split_data.part("validation")[0]))


def evaluate_run(
    bundle: Bundle, split_data: SplitData, config: RunConfig, folder: RunFolder, started: float
) -> Report:
    """Judge the network on the test patients and write what was found."""
    cells, pixels = split_data.part("test")
    report, p = report_on(Predictor(bundle), cells, pixels, config.prevalence)
    seconds = f"{time.monotonic() - started:.0f} s on {torch.get_num_threads()} threads"
    report = replace(
        report,
        title=f"MobileNet α = {config.recipe.alpha:g} at {config.recipe.size} px",
        results=pl.read_csv(folder.results),
        splits=count_splits(split_data.cells),
        warnings=tuple(_warnings(split_data)),
        setup=describe_setup({"Data": str(config.data), "Training and test": seconds}),
    )
    write_evaluation(folder.path, report, cells, p)
    return report


def _warnings(split_data: SplitData) -> list[str]:
    """Return what makes the figures worth less, beyond what the report notices itself."""
    passed_over = f"{split_data.unreadable} pictures could not be read and were passed over."
    return [passed_over] if split_data.unreadable else []


def results_writer(folder: RunFolder) -> Callable[[list[EpochRow]], None]:
    """Return what writes the epochs so far to results.csv, and tells of the last."""

    def record(rows: list[EpochRow]) -> None:
        replace_file(folder.results, pl.DataFrame(rows).cast({"epoch": pl.Int64}).write_csv())
        last = rows[-1]
        say(
            f"epoch {len(rows)}: loss {last['train_loss']:.4f}, on validation patients"
            f" {last['val_loss']:.4f}, accuracy {last['val_accuracy']:.4f},"
            f" AUC {last['val_auc']:.4f}, {last['seconds']:.0f} s"
        )

    return record


def _about(config: RunConfig, report: Report) -> dict[str, Any]:
    """Return where a network comes from, for its bundle."""
    return {"run": config.to_dict(), "figures": report.evaluation.to_dict()}


def _rows(cells: pl.DataFrame) -> Ints:
    return cells["row"].to_numpy().astype(np.int64)
