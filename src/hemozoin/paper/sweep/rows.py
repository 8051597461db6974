"""sweep.csv: one row for each run, with its network, results and cost."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import cast, get_type_hints

from hemozoin.errors import HemozoinError, RunError
from hemozoin.files import read_regular_file, replace_file
from hemozoin.mobilenet.architecture import Body
from hemozoin.paper.sweep.grid import SweepNetwork


@dataclass(frozen=True)
class SweepRow:
    """The results and the cost of one network, trained and tested once."""

    #: The paper's tables that the network is in, "4 6 7".
    tables: str
    network: str
    alpha: float
    #: Input size in pixels.
    size: int
    #: separable, full or shallow.
    body: str
    #: Determines the split: networks of the same seed have the same test patients.
    seed: int
    epochs: int
    #: For one picture, as the paper counts them.
    mult_adds: int
    parameters: int
    #: On the test patients, labels as given; low and high are the limits of the 95 % interval.
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    auc: float
    auc_low: float
    auc_high: float
    #: Tested cells and their patients; 0 where no patient is known.
    cells: int
    patients: int
    #: All epochs, including their evaluation on the validation patients.
    training_seconds: float
    #: Median for one cell on one thread of ONNX Runtime, with rot90 test-time augmentation.
    latency_ms: float
    threads: int
    cores: int
    machine: str
    torch: str
    hemozoin: str

    @property
    def key(self) -> tuple[str, int]:
        """Network and seed, which identify a row in its file."""
        return self.network, self.seed


COLUMNS = tuple(field.name for field in fields(SweepRow))

_TYPES = get_type_hints(SweepRow)


def read_rows(path: Path) -> list[SweepRow]:
    """Return the rows of a sweep.csv, none where there is no file; raises RunError for others."""
    if not path.exists():
        return []
    try:
        text = read_regular_file(path).decode()
        reader = csv.DictReader(io.StringIO(text, newline=""))
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise ValueError("other columns")
        return [_to_row(values) for values in reader]
    except (ArithmeticError, ValueError, TypeError, csv.Error, HemozoinError) as error:
        raise RunError(
            f"{path}: not written by this version, or damaged ({str(error)[:80]}); remove it, and"
            " the same command makes it again from the runs"
        ) from error


def _to_row(values: Mapping[str, str]) -> SweepRow:
    """Return a row; raises ValueError, TypeError or HemozoinError where it is not of a sweep."""
    row = SweepRow(**{name: _TYPES[name](values[name]) for name in COLUMNS})
    network = SweepNetwork(row.alpha, row.size, cast(Body, row.body))
    counted = (network.cost().mult_adds, network.cost().parameters)
    if (row.network, row.mult_adds, row.parameters) != (network.name, *counted):
        raise ValueError(f"{row.network} is another network")
    shares = (row.accuracy, row.accuracy_low, row.accuracy_high, row.auc, row.auc_low, row.auc_high)
    times = (row.training_seconds, row.latency_ms)
    if not all(0 <= share <= 1 or math.isnan(share) for share in shares):
        raise ValueError("a share outside of 0 and 1")
    if not all(0 <= seconds < math.inf for seconds in times):
        raise ValueError("a time that is not known")
    return row


def write_rows(path: Path, rows: Iterable[SweepRow]) -> None:
    """Write all rows to the file; if that fails, the old file stays."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    replace_file(path, text.getvalue())
