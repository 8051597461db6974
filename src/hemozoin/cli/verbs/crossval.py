"""`hemozoin crossval`: cross-validation by patient."""

from __future__ import annotations

from pathlib import Path

from hemozoin.cli.extras import require_training_extra
from hemozoin.cli.options import Cells, Deciding, DecisionOptions, Device, Learning, RecipeOptions
from hemozoin.data.labels import OnCorrection
from hemozoin.data.options import CellOptions


def crossval(
    data: Path,
    *,
    out: Path,
    folds: int = 5,
    final: bool = False,
    on_correction: OnCorrection = "relabel",
    device: Device = "auto",
    learning: Learning = RecipeOptions(),
    deciding: Deciding = DecisionOptions(),
    cells: Cells = CellOptions(),
) -> None:
    """Train once per fold, each patient being tested once, and show the spread.

    Parameters
    ----------
    data
        As for train.
    out
        Folder of the runs, OUT/fold1 and so on. Finished folds in it are kept, a stopped one is
        gone on with.
    folds
        Number of folds, from 2.
    final
        Then train on all patients: OUT/final/model, with the folds' figures.
    on_correction
        With --labels: learn the corrected label, or leave such cells out.
    device
        Processor; auto takes a GPU where there is one.
    """
    require_training_extra()
    from hemozoin.training.runs.config import RunConfig
    from hemozoin.training.runs.crossval import cross_validate

    config = RunConfig(
        data,
        cells,
        learning.recipe(),
        None,
        on_correction,
        deciding.operating_point(),
        deciding.prevalence,
    )
    print(cross_validate(config, out, folds, device, final))
