"""The figures of the README: the real command, timed from a cold start, seed by seed.

    python benchmarks/headline.py cell_images.zip --labels corrections.csv --preset default

Each run is `hemozoin train` in a process of its own with an empty cache, so its seconds hold
everything: start, decoding, training, test and report. Every seed deals the patients out anew.
A row a run goes to benchmarks/results/headline.csv; rows that are there are not run again.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import rows
from hemozoin.data.options import CellOptions
from hemozoin.evaluation.evaluate import evaluate
from hemozoin.model.predictor import Predictor

#: The runs are kept there, with their reports.
RUNS = Path("runs") / "headline"


def main() -> None:
    """Run what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--preset", default="default")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    given = parser.parse_args()
    done = {(row["preset"], row["seed"]) for row in rows.read("headline.csv")}
    for seed in given.seeds:
        if (given.preset, str(seed)) not in done:
            row = {"preset": given.preset, "seed": seed}
            rows.append("headline.csv", row | _measure(given, seed))


def _measure(given: argparse.Namespace, seed: int) -> rows.Row:
    run = RUNS / f"{given.preset}-{seed}"
    with tempfile.TemporaryDirectory() as cache:
        os.environ["HEMOZOIN_CACHE"] = cache
        options = ["--preset", given.preset, "--seed", str(seed), "--out", str(run), "--overwrite"]
        seconds, megabytes = _timed(["train", str(given.data), *options])
        predictor = Predictor.load(run / "model")
        labels = CellOptions(labels=given.labels)
        report = evaluate(given.data, labels, predictor, split=run / "split.csv")
    cost: rows.Row = {"seconds": round(seconds, 1), "peak_mb": round(megabytes)}
    return rows.figures(report.evaluation) | cost | rows.conditions()


def _timed(arguments: list[str]) -> tuple[float, float]:
    """Run the command; return its wall seconds and the peak memory of its process in MB."""
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "hemozoin", *arguments])
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"hemozoin {' '.join(arguments)} ended with {status}")
    return time.monotonic() - started, used.ru_maxrss / 1024


if __name__ == "__main__":
    main()
