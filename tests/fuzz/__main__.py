"""Run the campaign: damaged and hostile input for every verb. Exit code 1 where a case failed."""

from __future__ import annotations

import argparse
import csv
import math
import sys
from pathlib import Path

from tests.fuzz.campaign import FAILED, Row, conditions, run_kind, table
from tests.fuzz.kinds import KINDS, available


def main() -> int:
    """Run the cases that the options say."""
    given = _options()
    kinds = given.kind or available()
    shares = sum(KINDS[kind][1] for kind in kinds)
    minutes = math.inf if given.count or given.case is not None else given.minutes
    rows = []
    for kind in kinds:
        numbers = [given.case] if given.case is not None else range(given.count or sys.maxsize)
        summary = run_kind(kind, numbers, given.seed, minutes * KINDS[kind][1] / shares)
        rows.append(summary.row())
        if given.csv:
            append(given.csv, {**rows[-1], "seed": given.seed, **conditions()})
    print(f"seed {given.seed}\n{table(rows)}")
    failed = any(row["failures"] for row in rows)
    if failed:
        print(f"the input of each failure, and the command that repeats it, are in {FAILED}")
    return int(failed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60, help="for all kinds together")
    parser.add_argument("--seed", type=int, default=0, help="determines every input")
    parser.add_argument("--kind", action="append", choices=list(KINDS), help="only this kind")
    parser.add_argument("--count", type=int, help="cases of each kind, instead of --minutes")
    parser.add_argument("--case", type=int, help="only the case with this number")
    parser.add_argument("--csv", type=Path, help="file to which a row for each kind is added")
    return parser.parse_args()


def append(path: Path, row: Row) -> None:
    """Add a row to a CSV."""
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row), lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)


if __name__ == "__main__":
    sys.exit(main())
