"""RunFolder: the files of one run, and the check that a run may be written into a folder.

RUN/
  config.json          everything that decides the run; read by `hemozoin train --resume RUN`
  split.csv            cell, patient, label, split
  results.csv          one row per epoch
  metrics.json         metrics with intervals
  predictions.csv      cell, patient, label, p_parasitized of the test cells
  model/               the network, for `hemozoin predict --model`
  report.html          all of it on one page
  plots/               its plots as PNG, PDF and SVG
  tensorboard/         event files of the epochs, with --tensorboard
  checkpoint.safetensors
  teacher1_checkpoint.safetensors ...   of the networks that this one learns from
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hemozoin.errors import RunError
from hemozoin.evaluation.evaluation import AS_GIVEN
from hemozoin.evaluation.report import EVALUATION_PLOTS, LEARNING_PLOTS
from hemozoin.files import is_free, read_regular_file, remove_leftovers, replace_file
from hemozoin.json_files import parse_json
from hemozoin.model.bundle import FILES
from hemozoin.model.checksums import SUMS
from hemozoin.reports.plot_files import PLOTS, plot_file_names

#: All files of a run except config.json, which marks a folder as a run.
_FILES = (
    "split.csv",
    "checkpoint.safetensors",
    "results.csv",
    "predictions.csv",
    "metrics.json",
    "report.html",
    *plot_file_names([*EVALUATION_PLOTS, *LEARNING_PLOTS]),
    *(f"model/{name}" for name in FILES),
)

#: The checkpoints of the teachers.
TEACHERS = "teacher*_checkpoint.safetensors"

#: The event files in the folder for TensorBoard.
EVENTS = "events.out.tfevents.*"


@dataclass(frozen=True)
class RunFolder:
    """The paths of a run."""

    path: Path

    @property
    def config(self) -> Path:
        """config.json: everything that decides the run."""
        return self.path / "config.json"

    @property
    def split(self) -> Path:
        """split.csv: which cell is used for training, validation or test."""
        return self.path / "split.csv"

    @property
    def results(self) -> Path:
        """results.csv: one row per epoch."""
        return self.path / "results.csv"

    @property
    def metrics_file(self) -> Path:
        """metrics.json: the metrics on the test patients."""
        return self.path / "metrics.json"

    @property
    def predictions(self) -> Path:
        """predictions.csv: the prediction for each test cell."""
        return self.path / "predictions.csv"

    @property
    def model(self) -> Path:
        """The model folder."""
        return self.path / "model"

    @property
    def checkpoint(self) -> Path:
        """checkpoint.safetensors: the state after the last epoch."""
        return self.path / "checkpoint.safetensors"

    @property
    def tensorboard(self) -> Path:
        """tensorboard/: event files; a run without this folder writes none."""
        return self.path / "tensorboard"

    @property
    def finished(self) -> bool:
        """Whether the run is finished; SHA256SUMS of its model is the last file written."""
        return (self.model / SUMS).exists()

    def test_metrics(self) -> dict[str, float]:
        """Return a finished run's metrics by name, on the labels as given; NaN where undefined.

        Raises RunError where metrics.json is damaged.
        """
        try:
            estimates = parse_json(read_regular_file(self.metrics_file))[AS_GIVEN.replace(" ", "_")]
            metrics = {
                name: float("nan") if estimate["value"] is None else float(estimate["value"])
                for name, estimate in estimates.items()
                if isinstance(estimate, dict) and "value" in estimate
            }
            if not metrics:
                raise ValueError("no metrics")
        except (AttributeError, LookupError, OSError, TypeError, ValueError) as error:
            raise self.damaged(self.metrics_file) from error
        return metrics

    def damaged(self, file: Path) -> RunError:
        """Return the error for a file of a finished run; resuming the run writes it again."""
        return RunError(
            f"{file}: missing or damaged; make it again with hemozoin train --resume {self.path}"
        )

    def require_free(self, overwrite: bool) -> None:
        """Raise RunError where a new run can't be written here; changes nothing.

        With `overwrite` a folder that contains a run counts as free.
        """
        if is_free(self.path):
            return
        if not self.path.is_dir():
            raise RunError(f"{self.path}: is a file; give a folder with --out")
        if not overwrite:
            raise RunError(
                f"{self.path}: not empty; give another --out, --overwrite to replace the run,"
                " or --resume to continue it"
            )
        if not self._is_run():
            raise RunError(f"{self.path}: not a run of hemozoin; nothing is removed")

    def begin(self, config: dict[str, Any]) -> None:
        """Make the folder, remove the files of an earlier run, write config.json.

        Other files in the folder are kept. The config.json of an earlier run is replaced, not
        removed: without it, this folder could not be overwritten after a kill in between.
        """
        for name in reversed(_FILES):
            (self.path / name).unlink(missing_ok=True)
        for checkpoint in self.path.glob(TEACHERS):
            checkpoint.unlink()
        self._remove_events()
        self.remove_leftovers()
        self.path.mkdir(parents=True, exist_ok=True)
        replace_file(self.config, json.dumps(config, indent=2))

    def remove_leftovers(self) -> None:
        """Remove what a process left that was killed while it was writing."""
        for folder in (self.path, self.path / PLOTS, self.model):
            remove_leftovers(folder)

    def _remove_events(self) -> None:
        if not self.tensorboard.is_dir():
            return
        for events in self.tensorboard.glob(EVENTS):
            events.unlink()
        if not any(self.tensorboard.iterdir()):
            self.tensorboard.rmdir()

    def _is_run(self) -> bool:
        try:
            config = parse_json(read_regular_file(self.config))
        except (OSError, ValueError):
            return False
        return isinstance(config, dict) and "recipe" in config
