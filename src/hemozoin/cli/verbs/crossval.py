"""`hemozoin crossval`: cross-validation by patient."""

from __future__ import annotations

from pathlib import Path

from hemozoin.cli.extras import require_training_extra
from hemozoin.cli.options import (
    DataGroup,
    DecisionGroup,
    DecisionOptions,
    Device,
    RecipeOptions,
    TrainingGroup,
    WholeNumber,
)
from hemozoin.data.options import CellOptions, OnCorrection


def crossval(
    data: Path,
    *,
    out: Path,
    folds: WholeNumber = 5,
    final: bool = False,
    extra: Path | None = None,
    on_correction: OnCorrection = "relabel",
    device: Device = "auto",
    training: TrainingGroup = RecipeOptions(),
    decision: DecisionGroup = DecisionOptions(),
    cells: DataGroup = CellOptions(),
) -> None:
    """Train once per fold, test each patient once, and show the spread over the folds.

    If a cross-validation was stopped, the same command resumes it.

    Parameters
    ----------
    data
        As for train.
    out
        Folder of the runs: OUT/fold1 and so on.
    folds
        Number of folds, 2 to 1000, at most one per patient.
    final
        Then train a network on all patients: OUT/final/model, with the metrics of the folds.
    extra
        More cells, of both classes or one, to train on; never validated or tested on.
    on_correction
        With --labels: train on the corrected label, leave corrected cells out, or keep the label
        as given.
    device
        Device to train on; auto takes a GPU if there is one.
    """
    require_training_extra()
    from hemozoin.training.runs.config import RunConfig
    from hemozoin.training.runs.crossval import cross_validate

    config = RunConfig(
        data=data,
        cells=cells,
        recipe=training.recipe(),
        extra=extra,
        on_correction=on_correction,
        operating_point=decision.operating_point(),
        prevalence=decision.prevalence,
    )
    print(cross_validate(config, out, folds, device, final))
