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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hemozoin.errors import RunError
from hemozoin.files import is_free, replace_file
from hemozoin.evaluation.evaluation import AS_GIVEN
from hemozoin.model.bundle import FILES
from hemozoin.model.checksums import SUMS

#: All that a run writes. config.json comes first and goes last: without it there is no run.
_FILES = (
    "config.json",
    "split.csv",
    "checkpoint.safetensors",
    "results.csv",
    "predictions.csv",
    "metrics.json",
    "report.html",
    *(f"model/{name}" for name in FILES),
)


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
    def predictions(self) -> Path:
        """What was said of each test cell."""
        return self.path / "predictions.csv"

    @property
    def model(self) -> Path:
        """The model folder."""
        return self.path / "model"

    @property
    def checkpoint(self) -> Path:
        """The state after the last epoch."""
        return self.path / "checkpoint.safetensors"

    @property
    def finished(self) -> bool:
        """Whether the run has come to its end: its model is written last."""
        return (self.model / SUMS).exists()

    def figures(self) -> dict[str, float]:
        """Return a finished run's figures by name, on the labels as given; NaN where undefined."""
        figures = json.loads(self.metrics.read_text())[AS_GIVEN.replace(" ", "_")]
        return {
            name: float("nan") if estimate["value"] is None else estimate["value"]
            for name, estimate in figures.items()
            if isinstance(estimate, dict) and "value" in estimate
        }

    def require_free(self, overwrite: bool) -> None:
        """Raise RunError where no run may begin here; nothing is changed.

        A folder with files in it is free with `overwrite`, if what lies there is a run.
        """
        if is_free(self.path):
            return
        if not self.path.is_dir():
            raise RunError(f"{self.path}: is a file; give a folder with --out")
        if not overwrite:
            raise RunError(
                f"{self.path}: not empty; give another --out, --overwrite to start anew,"
                " or --resume to go on"
            )
        if not self._is_run():
            raise RunError(f"{self.path}: not a run of hemozoin, nothing is removed from it")

    def begin(self, config: dict[str, Any]) -> None:
        """Make the folder, remove the files of an earlier run, write config.json.

        Files that are no run's stay where they are.
        """
        for name in reversed(_FILES):
            (self.path / name).unlink(missing_ok=True)
        self.sweep()
        self.path.mkdir(parents=True, exist_ok=True)
        replace_file(self.config, json.dumps(config, indent=2))

    def sweep(self) -> None:
        """Remove what a run that was killed while it wrote has left behind."""
        for name in _FILES:
            file = self.path / name
            for partial in file.parent.glob(f"{file.name}.*.partial"):
                partial.unlink()

    def _is_run(self) -> bool:
        try:
            return "recipe" in json.loads(self.config.read_bytes())
        except (OSError, ValueError, TypeError):
            return False
