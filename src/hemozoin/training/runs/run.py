"""One run, from the files of a data set to a model folder and its metrics.

cells ── split by patient ── store ── train ── threshold on validation patients ── model/
                                                                                     │
                       report.html ── metrics on test patients ──────────────────────┘
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from hemozoin.arrays import Floats, Ints, Pixels
from hemozoin.classes import CLASSES
from hemozoin.csv_files import csv_table, read_csv_table
from hemozoin.data.cells import Cells, LabelledCells, SplitCells
from hemozoin.data.dataset import decode_cells, decode_extra_cells
from hemozoin.data.labels import training_labels
from hemozoin.data.preprocess import Preprocessing
from hemozoin.data.split import has_patients, read_split, split_by_patient
from hemozoin.data.store import Store
from hemozoin.decision.ood import OutOfDistributionDetector, fit_ood_detector
from hemozoin.evaluation.evaluate import describe_setup, evaluate_cells, write_evaluation
from hemozoin.evaluation.report import Report, count_splits, summary, unreadable_warning
from hemozoin.files import replace_file
from hemozoin.metrics.seen_patients import overlap_with
from hemozoin.model.bundle import Bundle, save_bundle
from hemozoin.model.predictor import Predictor
from hemozoin.progress import print_status
from hemozoin.training import distributed
from hemozoin.training.checkpoint import EPOCH_COLUMNS, EpochRow
from hemozoin.training.device import use_deterministic_algorithms
from hemozoin.training.packaging import calibrate_and_package
from hemozoin.training.runs.config import RunConfig
from hemozoin.training.runs.folder import RunFolder
from hemozoin.training.runs.warnings import (
    duplicate_warning,
    poor_fit_warning,
    print_overlap,
    review_band_warning,
    seen_patients,
)
from hemozoin.training.trainer import TrainingData, train_classifier

if TYPE_CHECKING:
    from hemozoin.training.runs.tensorboard import TensorBoardLog

#: At most this many cells, spread over all patients, are measured for the detector.
_MEASURED = 5000


@dataclass(frozen=True)
class SplitData:
    """The decoded cells of a run, split by patient.

    `cells.row` is a cell's index in `pixels` (uint8 `[N, S, S, 3]`). `unreadable` counts the
    pictures that were skipped. `extra` has the cells that are only trained on.
    """

    cells: SplitCells
    pixels: Pixels
    unreadable: int
    extra: Store | None = None

    @property
    def extra_cells(self) -> Cells | None:
        """The table of the cells that are only trained on."""
        return self.extra.cells if self.extra else None

    @property
    def training_cells(self) -> int:
        """The number of cells that can be trained on."""
        return int((self.cells.split == "train").sum()) + (
            len(self.extra.cells) if self.extra else 0
        )

    def part(self, split: str) -> tuple[SplitCells, Pixels]:
        """Return the cells and pixels of one part of the split."""
        cells = self.cells.part(split)
        return cells, self.pixels[cells.row]


def run(config: RunConfig, split_data: SplitData, folder: RunFolder, device: torch.device) -> None:
    """Do a run, or the rest of it: write model, metrics and report into `folder`."""
    started = time.monotonic()
    use_deterministic_algorithms()
    seen = seen_patients(config, split_data.cells, split_data.extra_cells)
    if overlap := overlap_with(seen, split_data.cells.part("test")):
        print_overlap(overlap)
    training_data = make_training_data(split_data, config)
    classifier = train_classifier(
        training_data, config.recipe, device, folder.checkpoint, results_writer(folder)
    )
    with distributed.first_process_first() as first:
        if first:
            bundle = calibrate_and_package(
                classifier.cpu(),
                split_data.part("validation"),
                config.recipe,
                config.operating_point,
                fit_detector(split_data),
                training_data.trained_share,
            )
            bundle = replace(bundle, patients=seen)
            report = evaluate_run(bundle, split_data, config, folder, started)
            about = describe_run(config, split_data) | {"figures": report.to_dict()}
            save_bundle(replace(bundle, about=about), folder.model)
            print(summary(report))
            print(f"Report: {folder.path / 'report.html'}\nModel:  {folder.model}")


def fit_detector(split_data: SplitData) -> OutOfDistributionDetector:
    """Return the detector, fitted on the cells of all patients who are not tested.

    It depends on pixels, not on the network, so training cells are as good as validation cells.
    """
    rows = split_data.cells.row[split_data.cells.split != "test"]
    return fit_ood_detector(split_data.pixels[rows[:: 1 + len(rows) // _MEASURED]])


def load_split_data(config: RunConfig, split: Path | None) -> SplitData:
    """Decode the cells and split them: by the file `split` if given, else by patient and seed."""
    preprocessing = Preprocessing(config.recipe.size)
    store = decode_cells(config.data, config.cells, preprocessing)
    cells = (
        read_split(store.cells, split)
        if split
        else split_by_patient(store.cells, config.recipe.seed)
    )
    if not has_patients(cells):
        print_status(
            "WARNING: the patients are not known, so the metrics will be too good;"
            " give --patients CSV"
        )
    extra = decode_extra_cells(config.extra, config.cells, preprocessing) if config.extra else None
    return SplitData(cells, store.pixels, len(store.unreadable), extra)


def make_training_data(split_data: SplitData, config: RunConfig) -> TrainingData:
    """Return the training data; corrected labels are used on the training cells only.

    Validation and test cells keep the labels as given, which the metrics are computed on.
    """
    train = training_labels(split_data.cells.part("train"), config.on_correction)
    validation = split_data.cells.part("validation")
    targets = np.zeros(len(split_data.pixels), dtype=np.int64)
    for cells in (split_data.cells, train):
        targets[cells.row] = class_numbers(cells)
    data = TrainingData(split_data.pixels, targets, train.row, validation.row)
    return _with_extra_cells(data, split_data.extra) if split_data.extra else data


def _with_extra_cells(data: TrainingData, extra: Store) -> TrainingData:
    """Add further cells to those that are trained on."""
    print_status(f"{len(extra.cells):,} extra cells are trained on, not validated or tested on")
    added = len(data.pixels) + np.arange(len(extra.cells))
    return TrainingData(
        np.concatenate([data.pixels, extra.pixels]),
        np.concatenate([data.targets, class_numbers(extra.cells)]),
        np.concatenate([data.train, added]),
        data.validation,
    )


def class_numbers(cells: LabelledCells) -> Ints:
    """Return the number in CLASSES of each cell's label, int `[cells]`."""
    return np.array([CLASSES.index(label) for label in cells.label], np.int64)


def evaluate_run(
    bundle: Bundle, split_data: SplitData, config: RunConfig, folder: RunFolder, started: float
) -> Report:
    """Test the network on the test patients, write metrics and report, return the report.

    `started` is the time at which the run began, as `time.monotonic` gives it.
    """
    cells, pixels = split_data.part("test")
    results = _read_results(folder)
    report, p = evaluate_cells(Predictor(bundle), cells, pixels, config.prevalence)
    seconds = f"{time.monotonic() - started:.0f} s on {torch.get_num_threads()} threads"
    report = replace(
        report,
        title=f"MobileNet α = {config.recipe.alpha:g} at {config.recipe.size} px",
        results=results,
        splits=count_splits(split_data.cells, split_data.extra_cells),
        warnings=(
            *unreadable_warning(split_data.unreadable),
            *duplicate_warning(split_data.cells, split_data.pixels),
            *review_band_warning(split_data.cells.part("validation"), bundle.review_band),
            *poor_fit_warning(config.recipe, float(results["val_auc"][-1])),
        ),
        setup=describe_setup(
            {
                "Data": str(config.data),
                "Class weights": "inverse class frequency" if config.recipe.balance else "none",
                "Training and test": seconds,
            }
        ),
    )
    write_evaluation(folder.path, report, cells, p)
    return report


def results_writer(
    folder: RunFolder, validated_on: str = "validation patients"
) -> Callable[[list[EpochRow]], None]:
    """Return a callback that writes the epochs so far to results.csv and prints the last one.

    Where the run has a folder for TensorBoard, the epochs go there too.
    """
    log = _tensorboard_log(folder)

    def write_results(rows: list[EpochRow]) -> None:
        columns = {name: [row[name] for row in rows] for name in EPOCH_COLUMNS}
        columns["epoch"] = [int(epoch) for epoch in columns["epoch"]]
        replace_file(folder.results, csv_table(columns))
        if log:
            log.write(rows)
        last = rows[-1]
        print_status(
            f"epoch {len(rows)}: loss {last['train_loss']:.4f}, on {validated_on}"
            f" {last['val_loss']:.4f}, accuracy {last['val_accuracy']:.4f},"
            f" AUC {last['val_auc']:.4f}, {last['seconds']:.0f} s"
        )

    return write_results


def _tensorboard_log(folder: RunFolder) -> TensorBoardLog | None:
    if not folder.tensorboard.is_dir():
        return None
    from hemozoin.training.runs.tensorboard import TensorBoardLog  # noqa: PLC0415 - an extra

    return TensorBoardLog(folder.tensorboard)


def _read_results(folder: RunFolder) -> dict[str, Floats]:
    columns = read_csv_table(folder.results, EPOCH_COLUMNS)
    return {name: np.array([float(value) for value in column]) for name, column in columns.items()}


def describe_run(config: RunConfig, split_data: SplitData) -> dict[str, Any]:
    """Return config and cells of the run, for the bundle's `about`."""
    splits = [asdict(part) for part in count_splits(split_data.cells, split_data.extra_cells)]
    return {"run": config.to_dict(), "splits": splits}
