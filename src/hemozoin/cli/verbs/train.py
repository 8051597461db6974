"""`hemozoin train`: one run, from a data set to a tested network."""

from __future__ import annotations

from pathlib import Path

from hemozoin.cli.extras import require_training_extra
from hemozoin.cli.options import Cells, Deciding, DecisionOptions, Device, Learning, RecipeOptions
from hemozoin.data.labels import OnCorrection
from hemozoin.data.options import CellOptions
from hemozoin.errors import DataError, RunError


def train(
    data: Path | None = None,
    *,
    out: Path | None = None,
    resume: Path | None = None,
    config: Path | None = None,
    overwrite: bool = False,
    split: Path | None = None,
    on_correction: OnCorrection = "relabel",
    device: Device = "auto",
    learning: Learning = RecipeOptions(),
    deciding: Deciding = DecisionOptions(),
    cells: Cells = CellOptions(),
) -> None:
    """Train, validate and test a MobileNet on cells dealt out by patient.

    Parameters
    ----------
    data
        NLM's cell_images.zip, its folder, or a zip or folder of yours with two class folders.
    out
        Folder of the run, new or empty.
    resume
        Folder of a run that was stopped: go on from its last epoch.
    config
        A run's config.json: do that run again, instead of DATA and the options below.
    overwrite
        Remove the run that lies in --out.
    split
        A split.csv to deal the cells out by.
    on_correction
        With --labels: learn the corrected label, or leave such cells out.
    device
        Processor; auto takes a GPU where there is one.
    """
    require_training_extra()
    from hemozoin.training.runs import start
    from hemozoin.training.runs.config import RunConfig

    plan = RunConfig(
        data=data or Path(),
        cells=cells,
        recipe=learning.recipe(),
        split=split,
        on_correction=on_correction,
        operating_point=deciding.operating_point(),
        prevalence=deciding.prevalence,
    )
    planned = plan != RunConfig(Path())
    if resume and (planned or out or config or overwrite):
        raise RunError("--resume goes on as RUN/config.json says; add nothing but --device")
    if config and planned:
        raise RunError("--config says all about a run; add nothing but --out and --device")
    if resume:
        start.resume(resume, device)
    elif out is None:
        raise RunError("give a folder for the run with --out, or one to go on with --resume")
    elif config:
        start.again(config, out, overwrite, device)
    elif data is None:
        raise DataError("give DATA: NLM's cell_images.zip or a folder of yours")
    else:
        start.new(plan, out, overwrite, device)
