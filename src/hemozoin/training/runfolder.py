"""The folder of one run: what lies where, and who may write into it.

RUN/
  config.json          everything that decides the run; `hemozoin train --resume RUN`
  split.csv            cell, patient, label, split
  results.csv          a row an epoch
  metrics.json         figures with intervals
  predictions.csv      cell, patient, label, p_parasitized of the test cells
  model/               the network, to be given to `hemozoin predict --model`
  report.html          all of it on one page
  checkpoint.safetensors
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hemozoin.errors import RunError
from hemozoin.files import replace_file


@dataclass(frozen=True)
class RunFolder:
    """The paths of a run."""

    path: Path

    @property
    def config(self) -> Path:
        """Everything that decides the run."""
        return self.path / "config.json"

    @property
    def split(self) -> Path:
        """Which cell is in which part."""
        return self.path / "split.csv"

    @property
    def results(self) -> Path:
        """One row an epoch."""
        return self.path / "results.csv"

    @property
    def metrics(self) -> Path:
        """The figures on the test patients."""
        return self.path / "metrics.json"

    @property
    def model(self) -> Path:
        """The model folder."""
        return self.path / "model"

    @property
    def checkpoint(self) -> Path:
        """The state after the last epoch."""
        return self.path / "checkpoint.safetensors"

    @property
    def teachers(self) -> Path:
        """Checkpoints and opinions of the teachers, where the recipe has any."""
        return self.path / "teachers"

    @classmethod
    def create(cls, path: Path, config: dict[str, Any], overwrite: bool) -> RunFolder:
        """Make the folder of a new run and write its config.json.

        Raises RunError where the folder has files already, unless `overwrite`; then a run that
        lies there is removed, but never a file that is not a run's.
        """
        folder = cls(path)
        if path.exists() and not path.is_dir():
            raise RunError(f"{path}: is a file; give a folder with --out")
        if path.is_dir() and any(path.iterdir()):
            folder._clear(overwrite)
        path.mkdir(parents=True, exist_ok=True)
        replace_file(folder.config, json.dumps(config, indent=2))
        return folder

    def _clear(self, overwrite: bool) -> None:
        if not overwrite:
            raise RunError(
                f"{self.path}: not empty; give another --out, --overwrite to start anew,"
                " or --resume to go on"
            )
        if not self.config.exists():
            raise RunError(f"{self.path}: not a run of hemozoin, nothing is removed from it")
        for folder in (self.model, self.teachers):
            shutil.rmtree(folder, ignore_errors=True)
        for pattern in ("*.json", "*.csv", "*.html", "checkpoint.safetensors*", "*.partial"):
            for file in self.path.glob(pattern):
                file.unlink()
