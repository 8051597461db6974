"""Started by torchrun for tests/training/test_distributed.py: the work of each process.

    torchrun ... tests/support/two_processes.py train FOLDER train DATA --out RUN ...
    torchrun ... tests/support/two_processes.py fail train DATA --out RUN ...

The first writes its results to FOLDER/RANK.json, then runs `hemozoin train`. The second runs
`hemozoin train` on a disk that is full when the first process saves its third epoch.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from torch.nn import Module
from torch.optim import Optimizer

from hemozoin.cli.main import main
from hemozoin.errors import HemozoinError, RunError
from hemozoin.training import distributed
from hemozoin.training import trainer as trainer_module
from hemozoin.training.checkpoint import EpochRow, save_checkpoint
from hemozoin.training.recipe import Recipe
from hemozoin.training.trainer import Trainer, TrainingData, train_classifier

RECIPE = Recipe(size=32, epochs=2, batch=14)


def training_data() -> TrainingData:
    """Return 75 cells of grey noise, 51 to train on: an odd number."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(140, 180, (75, 32, 32, 3), dtype=np.uint8)
    targets = (np.arange(75) % 2).astype(np.int64)
    pixels[targets == 1, 12:18, 12:18] = 60
    return TrainingData(pixels, targets, np.arange(51), np.arange(51, 75))


def train_one_epoch() -> dict[str, object]:
    """Train one epoch and return values to compare."""
    trainer = Trainer(training_data(), RECIPE, torch.device("cpu"))
    batches = [(rows.tolist(), count) for rows, count in trainer._batches(0)]
    p = trainer._predict(training_data().validation, 32).tolist()
    loss = trainer.train_epoch(0)
    metrics = trainer.validate(0)
    state = sums_of(trainer.classifier)
    return {"batches": batches, "p": p, "loss": loss, "metrics": metrics, "state": state}


def train_with_a_teacher(folder: Path) -> dict[str, float]:
    """Train a network that learns from another, with checkpoints in `folder`; return its sums."""
    recipe = replace(RECIPE, epochs=1, teachers=1)
    checkpoint, cpu = folder / "taught", torch.device("cpu")
    return sums_of(train_classifier(training_data(), recipe, cpu, checkpoint, lambda _: None))


def sums_of(network: Module) -> dict[str, float]:
    """Return the sum of each array of a network."""
    return {name: array.double().sum().item() for name, array in network.state_dict().items()}


def fail_first() -> str:
    """Return the error that each process gets when the first one fails."""
    try:
        with distributed.first_process_first() as first:
            if first:
                raise RunError("mine")
    except HemozoinError as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


def fill_the_disk() -> None:
    """Make saving the third epoch fail."""

    def full(path: Path, model: Module, optimizer: Optimizer, rows: list[EpochRow]) -> None:
        if len(rows) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        save_checkpoint(path, model, optimizer, rows)

    patch.object(trainer_module, "save_checkpoint", full).start()


if __name__ == "__main__":
    if sys.argv[1] == "fail":
        fill_the_disk()
        sys.exit(main(sys.argv[2:]))
    with distributed.process_group(torch.device("cpu")):
        folder = Path(sys.argv[2])
        found = {**train_one_epoch(), "world": distributed.world_size(), "failed": fail_first()}
        found["taught"] = train_with_a_teacher(folder)
        (folder / f"{os.environ['RANK']}.json").write_text(json.dumps(found))
        code = main(sys.argv[3:])
    sys.exit(code)
