"""`hemozoin train`: one run, from a data set to a tested network."""

from __future__ import annotations

from pathlib import Path

from hemozoin.cli.extras import require_tensorboard_extra, require_training_extra
from hemozoin.cli.options import (
    DataGroup,
    DecisionGroup,
    DecisionOptions,
    Device,
    RecipeOptions,
    TrainingGroup,
)
from hemozoin.data.options import CellOptions, OnCorrection
from hemozoin.errors import DataError, RunError


def train(
    data: Path | None = None,
    *,
    out: Path | None = None,
    resume: Path | None = None,
    config: Path | None = None,
    overwrite: bool = False,
    tensorboard: bool = False,
    split: Path | None = None,
    extra: Path | None = None,
    on_correction: OnCorrection = "relabel",
    device: Device = "auto",
    training: TrainingGroup = RecipeOptions(),
    decision: DecisionGroup = DecisionOptions(),
    cells: DataGroup = CellOptions(),
) -> None:
    """Train, validate and test a MobileNet on cells that are split by patient.

    Parameters
    ----------
    data
        NLM's cell_images.zip, its folder, or a zip or folder of your own with two class folders.
    out
        Folder of the run, new or empty.
    resume
        Folder of a run that was stopped: resume it after its last epoch.
    config
        A run's config.json: repeat that run, instead of DATA and the options below.
    overwrite
        Replace the run in --out.
    tensorboard
        Also write the epochs as event files: tensorboard --logdir RUN.
    split
        A split.csv that assigns the cells to training, validation and test.
    extra
        More cells, of both classes or one, to train on; never validated or tested on.
    on_correction
        With --labels: train on the corrected label, leave corrected cells out, or keep the label
        as given.
    device
        Device to train on; auto takes a GPU if there is one.
    """
    require_training_extra()
    if tensorboard:
        require_tensorboard_extra()
    from hemozoin.training.runs import start
    from hemozoin.training.runs.config import RunConfig

    run_config = RunConfig(
        data=data or Path(),
        cells=cells,
        recipe=training.recipe(),
        split=split,
        extra=extra,
        on_correction=on_correction,
        operating_point=decision.operating_point(),
        prevalence=decision.prevalence,
    )
    has_options = run_config != RunConfig(Path())
    if resume and (has_options or out or config or overwrite or tensorboard):
        raise RunError("--resume uses RUN/config.json; add nothing but --device")
    if config and has_options:
        raise RunError(
            "--config decides everything; add nothing but --out, --overwrite, --tensorboard,"
            " --device"
        )
    if resume:
        start.resume(resume, device)
    elif out is None:
        raise RunError("give a folder for a new run with --out, or of a stopped one with --resume")
    elif config:
        start.again(config, out, overwrite, device, tensorboard)
    elif data is None:
        raise DataError("give DATA: NLM's cell_images.zip or a folder of your own")
    else:
        start.new(run_config, out, overwrite, device, tensorboard)
