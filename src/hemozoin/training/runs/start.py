"""The ways a run begins: new, done again from a config.json, or gone on with."""

from __future__ import annotations

import json
from pathlib import Path

from hemozoin.data.index import read_csv
from hemozoin.data.split import write_split
from hemozoin.errors import RunError
from hemozoin.training import distributed
from hemozoin.training.runs.config import RunConfig
from hemozoin.training.device import choose_device
from hemozoin.training.runs.run import SplitData, load_split_data, run
from hemozoin.training.runs.folder import RunFolder


def new(config: RunConfig, out: Path, overwrite: bool = False, device: str = "auto") -> RunFolder:
    """Do a run in a new folder; raises RunError where `out` has files in it.

    The folder is made, and an earlier run removed from it, when the cells have been read and
    dealt out: what is wrong with them costs nothing.
    """
    folder, processor = RunFolder(out), choose_device(device)
    with distributed.process_group(processor):
        with distributed.first_process_first() as first:
            if first:
                folder.require_free(overwrite)
            split_data = load_split_data(config, config.split)
            if first:
                folder.begin(config.to_dict())
                write_split(split_data.cells, folder.split)
        run(config, split_data, folder, processor)
    return folder


def again(config: Path, out: Path, overwrite: bool = False, device: str = "auto") -> RunFolder:
    """Do the run of a config.json again, in a new folder."""
    return new(read_config(config), out, overwrite, device)


def resume(path: Path, device: str = "auto") -> RunFolder:
    """Go on with a run that was stopped; a finished one only gets its figures anew.

    Raises RunError where the cells are no longer those that it began with.
    """
    folder, processor = RunFolder(path), choose_device(device)
    config = read_config(folder.config)
    with distributed.process_group(processor):
        with distributed.first_process_first() as first:
            begun = folder.split.exists()
            split_data = load_split_data(config, folder.split if begun else config.split)
            if begun:
                _require_all_cells(split_data, config, folder.split)
            if first:
                folder.sweep()
                write_split(split_data.cells, folder.split)
        run(config, split_data, folder, processor)
    return folder


def read_config(path: Path) -> RunConfig:
    """Read the config.json of a run.

    Raises RunError for anything else, and where the weights that the run starts from have changed.
    """
    try:
        config = RunConfig.from_dict(json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError) as error:
        raise RunError(f"{path}: not the config.json of a run; give the folder of --out") from error
    if config.recipe.init:
        config.recipe.init.require_unchanged()
    return config


def _require_all_cells(split_data: SplitData, config: RunConfig, split: Path) -> None:
    """Refuse to go on with fewer cells than the run began with: it would not be the same run."""
    gone = len(read_csv(split)) - 1 - len(split_data.cells)
    if gone > 0:
        raise RunError(f"{config.data}: {gone} cells of {split} are gone; bring them back")
