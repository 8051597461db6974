"""The final network: trained on all patients, its decision fitted on out-of-fold predictions.

    folds ── log odds of each cell from the fold that tested its patient
                 │                                                   │
                 │ temperature, threshold, review band,              │ metrics
                 │ rates, reference patients                         │
    all cells ── train ── weights ───────────────────────────────── model/

No patient is left to test a network that was trained on all of them. Its metrics are therefore
those of the folds' networks, which were trained on fewer patients: it should be no worse.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from hemozoin.arrays import Floats, Pixels, texts
from hemozoin.classes import CLASSES
from hemozoin.csv_files import read_csv_table
from hemozoin.data.cells import LabelledCells
from hemozoin.decision.ood import fit_ood_detector
from hemozoin.decision.temperature import calibrate, log_odds
from hemozoin.evaluation.evaluation import evaluate_predictions
from hemozoin.metrics.seen_patients import SeenPatients, overlap_with
from hemozoin.model.bundle import Bundle, load_bundle, save_bundle
from hemozoin.progress import print_status
from hemozoin.training.classifier import Classifier
from hemozoin.training.device import choose_device, use_deterministic_algorithms
from hemozoin.training.packaging import fit_decision, package
from hemozoin.training.reference import reference_patients_of
from hemozoin.training.runs.config import RunConfig
from hemozoin.training.runs.folder import RunFolder
from hemozoin.training.runs.run import (
    SplitData,
    describe_run,
    load_split_data,
    make_training_data,
    results_writer,
)
from hemozoin.training.runs.warnings import seen_patients
from hemozoin.training.trainer import TrainingData, train_classifier

#: The columns of predictions.csv.
_PREDICTIONS = ("cell", "patient", "label", "p_parasitized")

_NOTE = (
    "Trained on all patients. The metrics are of {folds}-fold cross-validation by patient: each"
    " of the {cells:,} cells was classified by a network that was not trained on its patient."
    " Temperature, threshold and review band were fitted on these predictions."
)


def train_final(
    config: RunConfig, folds: list[RunFolder], folder: RunFolder, device: str = "auto"
) -> None:
    """Train on all cells of `folds`, or resume this, and write the model into `folder`.

    The model of a finished training is packaged again from its checkpoint, so that it has what this
    version of hemozoin fits on the predictions of the folds.
    """
    if folder.finished and not folder.checkpoint.exists():
        return
    use_deterministic_algorithms()
    split_data = load_split_data(config, folds[0].split)
    config = config.for_cells(_all_trained_on(split_data).training_cells)
    if folder.config.exists():
        folder.remove_leftovers()
    else:
        folder.begin(config.to_dict())
    print_status("all patients")
    classifier = train_classifier(
        _all_cells(split_data, config),
        config.recipe,
        choose_device(device),
        folder.checkpoint,
        results_writer(folder, validated_on="training cells"),
    )
    save_bundle(_package(classifier.cpu(), config, split_data, folds), folder.model)


def _all_cells(split_data: SplitData, config: RunConfig) -> TrainingData:
    """Return all cells as training cells.

    Every 20th of them is also validated on, to show progress; this says nothing about other cells.
    """
    training_data = make_training_data(_all_trained_on(split_data), config)
    return replace(training_data, validation=training_data.train[::20])


def _all_trained_on(split_data: SplitData) -> SplitData:
    """Return the cells with all of them in the training part."""
    split = np.full(len(split_data.cells), "train", dtype=object)
    return replace(split_data, cells=replace(split_data.cells, split=split))


def _package(
    classifier: Classifier, config: RunConfig, split_data: SplitData, folds: list[RunFolder]
) -> Bundle:
    """Return the bundle, with decision and metrics from the out-of-fold predictions."""
    cells, logit = out_of_fold_log_odds(folds)
    cells = _with_corrections(cells, split_data)
    decision = fit_decision(cells, logit, config.operating_point)
    ood_detector = fit_ood_detector(split_data.pixels[split_data.cells.row])
    p = calibrate(logit, decision.temperature)
    reference = reference_patients_of(
        cells, p, _pixels_of(cells, split_data), decision.review_band, ood_detector
    )
    init = config.recipe.init
    evaluation = evaluate_predictions(
        cells,
        p,
        decision.threshold,
        config.prevalence,
        decision.review_band,
        overlap_with(init.patients() if init else SeenPatients.of(()), cells),
    )
    split_data = _all_trained_on(split_data)
    about: dict[str, Any] = {
        **describe_run(config, split_data),
        "figures": evaluation.to_dict(),
        "folds": [fold.test_metrics() for fold in folds],
        "notes": [_NOTE.format(folds=len(folds), cells=len(cells))],
    }
    bundle = package(classifier, config.recipe, decision, ood_detector)
    return replace(
        bundle,
        about=about,
        reference_patients=reference,
        patients=seen_patients(config, split_data.cells, split_data.extra_cells),
    )


def _pixels_of(cells: LabelledCells, split_data: SplitData) -> Pixels:
    """Return the pixels of cells, uint8 `[cells, S, S, 3]`, which are in another order."""
    rows = dict(zip(split_data.cells.cell, split_data.cells.row, strict=True))
    return split_data.pixels[[rows[cell] for cell in cells.cell]]


def _with_corrections(cells: LabelledCells, split_data: SplitData) -> LabelledCells:
    """Return cells with the corrected labels of the same cells in the data, if they have any."""
    corrected = split_data.cells.corrected
    if corrected is None:
        return cells
    of_cell = dict(zip(split_data.cells.cell, corrected, strict=True))
    return replace(cells, corrected=texts(of_cell.get(cell) for cell in cells.cell))


def out_of_fold_log_odds(folds: list[RunFolder]) -> tuple[LabelledCells, Floats]:
    """Return all cells, and the uncalibrated log odds of each from the fold that tested it.

    The log odds are float `[cells]`. Raises RunError where the predictions of a fold are damaged.
    """
    tables = [read_predictions(fold) for fold in folds]
    logits = [
        log_odds(p) * load_bundle(fold.model).temperature
        for (_, p), fold in zip(tables, folds, strict=True)
    ]
    cells = LabelledCells(
        cell=np.concatenate([cells.cell for cells, _ in tables]),
        label=np.concatenate([cells.label for cells, _ in tables]),
        patient=np.concatenate([cells.patient for cells, _ in tables]),
    )
    return cells, np.concatenate(logits)


def read_predictions(fold: RunFolder) -> tuple[LabelledCells, Floats]:
    """Return the tested cells of a run, and p_parasitized of each, float `[cells]`.

    Raises RunError where predictions.csv is damaged.
    """
    try:
        columns = read_csv_table(fold.predictions, _PREDICTIONS)
        p = np.array([float(value) for value in columns["p_parasitized"]])
    except (OSError, ValueError) as error:
        raise fold.damaged(fold.predictions) from error
    if not all(columns["cell"]) or not {*columns["label"]} <= {*CLASSES}:
        raise fold.damaged(fold.predictions)
    patient = texts(name or None for name in columns["patient"])
    return LabelledCells(
        cell=texts(columns["cell"]), label=texts(columns["label"]), patient=patient
    ), p
