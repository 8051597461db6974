"""sweep.csv: a row a run, and what else is known of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import get_type_hints

from hemozoin.errors import RunError
from hemozoin.files import replace_file


@dataclass(frozen=True)
class SweepRow:
    """One network, trained and tested once."""

    #: The paper's tables that it stands in, "4 6 7".
    tables: str
    network: str
    alpha: float
    #: Input size in pixels.
    size: int
    #: separable, full or shallow.
    body: str
    #: Decides who is tested: networks of one seed share their patients.
    seed: int
    epochs: int
    #: For one picture, as the paper counts them.
    mult_adds: int
    parameters: int
    #: On the test patients, labels as given; low and high are the 95 % interval.
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    auc: float
    auc_low: float
    auc_high: float
    #: How many were tested; 0 patients where none is known.
    cells: int
    patients: int
    #: All epochs, with their look at the validation patients.
    training_seconds: float
    #: Median for one cell on one thread of ONNX Runtime, all quarter turns.
    latency_ms: float
    threads: int
    cores: int
    machine: str
    torch: str
    hemozoin: str

    @property
    def key(self) -> tuple[str, int]:
        """What tells it from every other row of its file."""
        return self.network, self.seed


COLUMNS = tuple(field.name for field in fields(SweepRow))

_KINDS = get_type_hints(SweepRow)


def read_rows(path: Path) -> list[SweepRow]:
    """Read a sweep.csv, none where there is none; raises RunError for any other file."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        found = csv.DictReader(file)
        try:
            if tuple(found.fieldnames or ()) != COLUMNS:
                raise ValueError("other columns")
            return [
                SweepRow(**{name: _KINDS[name](row[name]) for name in COLUMNS}) for row in found
            ]
        except (ValueError, TypeError) as error:
            raise RunError(f"{path}: not written by this version ({error})") from error


def write_rows(path: Path, rows: Iterable[SweepRow]) -> None:
    """Write the whole file anew, or leave it as it was."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    replace_file(path, text.getvalue())
