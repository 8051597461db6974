"""The ways a run begins: new, done again from a config.json, or gone on with."""

from __future__ import annotations

import json
from pathlib import Path

from hemozoin.errors import RunError
from hemozoin.training import distributed
from hemozoin.training.config import RunConfig
from hemozoin.training.device import choose_device
from hemozoin.training.run import run
from hemozoin.training.runfolder import RunFolder


def new(config: RunConfig, out: Path, overwrite: bool = False, device: str = "auto") -> RunFolder:
    """Do a run in a new folder; raises RunError where `out` has files in it."""
    processor = choose_device(device)
    with distributed.process_group(processor):
        folder = RunFolder(out)
        if distributed.rank() == 0:
            folder = RunFolder.create(out, config.to_dict(), overwrite)
        run(config, folder, processor)
    return folder


def again(config: Path, out: Path, overwrite: bool = False, device: str = "auto") -> RunFolder:
    """Do the run of a config.json again, in a new folder."""
    return new(_read(config), out, overwrite, device)


def resume(path: Path, device: str = "auto") -> RunFolder:
    """Go on with a run that was stopped; a finished one only gets its figures anew."""
    folder = RunFolder(path)
    config = _read(folder.config)
    processor = choose_device(device)
    with distributed.process_group(processor):
        run(config, folder, processor)
    return folder


def _read(path: Path) -> RunConfig:
    try:
        return RunConfig.from_dict(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise RunError(f"{path}: not the config.json of a run; give the folder of --out") from error
