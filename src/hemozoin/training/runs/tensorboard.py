"""The epochs of a run as TensorBoard event files, with the extra `tensorboard`."""

from __future__ import annotations

from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from hemozoin.training.checkpoint import EpochRow
from hemozoin.training.runs.folder import EVENTS


class TensorBoardLog:
    """Writes each epoch once into the event files in a folder.

    A run that is resumed writes its log anew from the epochs that it has saved, so no step is
    there twice.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._written = folder, 0
        self._writer: SummaryWriter | None = None

    def write(self, rows: list[EpochRow]) -> None:
        """Write the epochs that are not yet in the log; `rows` are all of them so far."""
        if self._writer is None:
            for events in self._folder.glob(EVENTS):
                events.unlink()
            self._writer = SummaryWriter(str(self._folder))
        for row in rows[self._written :]:
            for name, value in row.items():
                if name != "epoch":
                    self._writer.add_scalar(name, value, int(row["epoch"]))
        self._writer.flush()
        self._written = len(rows)
