"""A campaign: the cases of each kind, what failed, and a table of what they needed.

A failed case leaves its folder, and what was wrong, in build/fuzz/KIND-SEED-NUMBER/.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from hemozoin.progress import track
from tests.fuzz.kinds import KINDS
from tests.fuzz.worker import Result, worker

#: A line of the table, by column.
Row = dict[str, object]

#: Where failed cases are kept.
FAILED = Path("build") / "fuzz"


@dataclass
class Summary:
    """The cases of one kind."""

    kind: str
    cases: int = 0
    inputs: int = 0
    failures: list[Result] = field(default_factory=list)
    slowest: float = 0.0
    """In seconds of the process's own time, for one command."""
    memory: int = 0
    """In bytes, at the peak."""
    minutes: float = 0.0

    def add(self, result: Result) -> None:
        """Count a case."""
        self.cases += 1
        self.inputs += result.inputs
        self.slowest = max(self.slowest, result.seconds)
        self.memory = max(self.memory, result.memory)
        if result.failure:
            self.failures.append(result)

    def row(self) -> Row:
        """Return the line of the table."""
        return {
            "kind": self.kind,
            "cases": self.cases,
            "inputs": self.inputs,
            "failures": len(self.failures),
            "slowest_seconds": round(self.slowest, 2),
            "peak_mb": round(self.memory / 1e6),
            "minutes": round(self.minutes, 1),
        }


def run_kind(kind: str, numbers: Sequence[int], seed: int, minutes: float) -> Summary:
    """Run the cases with these numbers, as far as there are so many, until the time is over."""
    summary, began = Summary(kind), time.monotonic()
    with worker(KINDS[kind][0], f"{seed} {kind}") as (started, folder):
        total = started.total
        chosen = numbers if total is None else [n for n in numbers[:total] if n < total]
        for number in track(chosen, kind, len(chosen) if len(chosen) < sys.maxsize else None):
            if time.monotonic() - began > 60 * minutes:
                break
            result = started.run(number)
            summary.add(result)
            if result.failure:
                _keep(kind, seed, result, folder)
    summary.minutes = (time.monotonic() - began) / 60
    return summary


def _keep(kind: str, seed: int, result: Result, folder: Path) -> None:
    """Keep the input of a failed case, and say how to repeat it."""
    kept = FAILED / f"{kind}-{seed}-{result.number}"
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    repeat = f"python -m tests.fuzz --kind {kind} --seed {seed} --case {result.number}"
    lines = [repeat, *(f"hemozoin {words}" for words in result.commands), result.failure]
    (kept / "failure.txt").write_text("\n".join(lines), errors="replace")
    for file in sorted(folder.rglob("*")):
        if file.is_file() and not file.is_symlink():  # no pipe, no device
            target = kept / file.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
    last = result.failure.strip().splitlines()[-1] if result.failure.strip() else ""
    print(f"failed: {repeat}\n    {last[:300]}", flush=True)


def conditions() -> Row:
    """Return the versions and the machine that a row was measured with."""
    return {
        **{name: version(name) for name in ("hemozoin", "pillow", "onnxruntime")},
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
    }


def table(rows: list[Row]) -> str:
    """Return the rows as text in columns."""
    titles = list(rows[0])
    lines = [titles, *([str(row[title]) for title in titles] for row in rows)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(titles))]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
