"""The default run of the README: the real command, timed from an empty cache, seed by seed.

    python benchmarks/headline.py cell_images.zip --labels corrections.csv --preset default

Each run is `hemozoin train` in a process of its own with an empty cache, so its time includes
everything: start, decoding, training, test and report. Each seed splits the patients differently.
One row per run goes to benchmarks/results/headline.csv; runs that have a row are not repeated.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import markdown_tables as md
import rows
from hemozoin.data.options import CellOptions
from hemozoin.evaluation.evaluate import evaluate
from hemozoin.model.predictor import Predictor

FILE = "headline.csv"

#: The runs are kept there, with their reports.
RUNS = Path("runs") / "headline"


def main() -> None:
    """Run the seeds that are missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--preset", default="default")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    given = parser.parse_args()
    done = rows.measured(FILE, "preset", "seed")
    for seed in given.seeds:
        if (given.preset, str(seed)) not in done:
            row = {"preset": given.preset, "seed": seed}
            rows.append(FILE, row | measure(given.data, given.labels, given.preset, seed))


def measure(data: Path, labels: Path, preset: str, seed: int) -> rows.Row:
    """Train with an empty cache, test on the test patients; return metrics, time and memory."""
    run = RUNS / f"{preset}-{seed}"
    with tempfile.TemporaryDirectory() as cache:
        os.environ["HEMOZOIN_CACHE"] = cache
        options = ["--preset", preset, "--seed", str(seed), "--out", str(run), "--overwrite"]
        seconds, used = _timed(["train", str(data), *options])
        predictor = Predictor.load(run / "model")
        report = evaluate(data, CellOptions(labels=labels), predictor, split=run / "split.csv")
    cost: rows.Row = {
        "seconds": round(seconds, 1),
        "processor_seconds": round(used.ru_utime + used.ru_stime, 1),
        "peak_mb": round(used.ru_maxrss / 1024),
    }
    return rows.metrics(report.evaluation) | cost | rows.conditions()


def _timed(arguments: list[str]) -> tuple[float, resource.struct_rusage]:
    """Run the command; return its wall time in seconds, and what its process used."""
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "hemozoin", *arguments])
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"hemozoin {' '.join(arguments)} ended with {status}")
    return time.monotonic() - started, used


def table() -> str:
    """Return the results in Markdown: a line per preset."""
    found = rows.read(FILE)
    lines = [
        (
            f"`{preset}` (n = {len(runs)})",
            *md.spreads(runs, ("accuracy", "auc", "accuracy_agreed")),
            *md.spreads(runs, ["calibration_error"], 3),
            f"{md.spreads(runs, ['seconds'], 0)[0]} s",
            f"{max(int(run['peak_mb']) for run in runs):,} MB",
        )
        for (preset,), runs in md.groups(found, "preset").items()
    ]
    columns = (
        *("preset", "accuracy", "AUC", "accuracy where both labels agree"),
        *("calibration error", "whole run", "peak memory"),
    )
    return md.table(columns, lines, md.splits_and_machine(found))


if __name__ == "__main__":
    main()
