"""Three ways to start a run: a new one, one repeated from a config.json, a stopped one resumed."""

from __future__ import annotations

from pathlib import Path

from hemozoin.csv_files import read_csv
from hemozoin.data.split import write_split
from hemozoin.errors import RunError
from hemozoin.files import read_regular_file
from hemozoin.json_files import parse_json
from hemozoin.training import distributed
from hemozoin.training.device import choose_device
from hemozoin.training.runs.config import RunConfig
from hemozoin.training.runs.folder import RunFolder
from hemozoin.training.runs.run import SplitData, load_split_data, run


def new(
    config: RunConfig,
    out: Path,
    overwrite: bool = False,
    device: str = "auto",
    tensorboard: bool = False,
) -> RunFolder:
    """Do a run in a new folder and return it.

    `overwrite` replaces an earlier run in `out`; `tensorboard` also writes event files. The folder
    is made, and an earlier run removed from it, only after the cells were read and split: errors
    in the data change nothing. Raises RunError where `out` is not free, DataError for cells that
    can't be trained on, TrainingError where training diverges.
    """
    folder, processor = RunFolder(out), choose_device(device)
    with distributed.process_group(processor):
        with distributed.first_process_first() as first:
            if first:
                folder.require_free(overwrite)
            split_data = load_split_data(config, config.split)
            config = config.for_cells(split_data.training_cells)
            if first:
                folder.begin(config.to_dict())
                write_split(split_data.cells, folder.split)
                if tensorboard:
                    folder.tensorboard.mkdir(exist_ok=True)
        run(config, split_data, folder, processor)
    return folder


def again(
    config: Path,
    out: Path,
    overwrite: bool = False,
    device: str = "auto",
    tensorboard: bool = False,
) -> RunFolder:
    """Repeat the run of a config.json in a new folder."""
    return new(read_config(config), out, overwrite, device, tensorboard)


def resume(path: Path, device: str = "auto") -> RunFolder:
    """Resume a run that was stopped; a finished run is only tested again.

    Raises RunError where cells of the run are missing.
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
                folder.remove_leftovers()
                write_split(split_data.cells, folder.split)
        run(config, split_data, folder, processor)
    return folder


def read_config(path: Path) -> RunConfig:
    """Return the config of a run from its config.json.

    Raises RunError for any other file, and where the initial weights of the run have changed.
    """
    try:
        config = RunConfig.from_dict(parse_json(read_regular_file(path)))
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: not the config.json of a run; give the folder of --out") from error
    except RunError as error:
        raise RunError(f"{path}: {error}") from error
    if config.recipe.init:
        config.recipe.init.require_unchanged()
    return config


def _require_all_cells(split_data: SplitData, config: RunConfig, split: Path) -> None:
    """Raise RunError where cells of the split are missing: it would not be the same run."""
    missing = len(read_csv(split)) - 1 - len(split_data.cells)
    if missing > 0:
        raise RunError(
            f"{config.data}: {missing} cells of {split} are missing; restore them to resume"
        )
