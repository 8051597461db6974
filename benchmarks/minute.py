# A network in a minute: `hemozoin train` on 22,066 cells of 160 patients, from zip to report.
# 48 ± 1 s, n = 3, 2 cores, plain step 2578 ± 263/s; labels agree: 0.9923 ± 0.0026.
"""The default run, timed from an empty cache, beside a plain step of torch.

    python benchmarks/minute.py cell_images.zip --labels corrections.csv

Each run is `hemozoin train` in a process of its own with an empty cache, as in `headline.py`; each
seed splits the patients differently. Before and after each run, another process counts the cells
per second of a plain step of torch: the same network of torch's own convolutions, the same batch
and size on constant random input, forward, backward and AdamW, without decoding, input transform
and augmentation. A machine is as fast as this step: so that runs on different machines can be
compared, `seconds_at_2000` is the time of the run on a machine on which the plain step makes 2,000
cells per second. One row per run goes to benchmarks/results/minute.csv; runs that have a row are
not repeated.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import headline
import markdown_tables as md
import rows

FILE, STEPS = "minute.csv", "minute_steps.csv"

#: Cells per second of the plain step on the machine to which times are converted.
REFERENCE = 2000

#: Prints the cells per second of a plain step of torch.
PLAIN_STEP = """
import time, torch
from hemozoin import Architecture
from hemozoin.mobilenet import network as module
module.DepthwiseConv2d = torch.nn.Conv2d
network = module.MobileNet(Architecture(alpha=0.25, classes=2))
network.to(memory_format=torch.channels_last)
optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True)
inputs = torch.randn(128, 3, 64, 64).contiguous(memory_format=torch.channels_last)
targets = torch.arange(128) % 2
for step in range(60):
    if step == 10:
        started = time.monotonic()
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(network(inputs), targets).backward()
    optimizer.step()
print(50 * 128 / (time.monotonic() - started))
"""


def main() -> None:
    """Run the seeds that are missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    given = parser.parse_args()
    done = rows.measured(FILE, "seed")
    for seed in given.seeds:
        if (str(seed),) not in done:
            before = _plain_step()
            run = headline.measure(given.data, given.labels, "default", seed)
            plain = (before + _plain_step()) / 2
            at_reference = round(float(str(run["seconds"])) * plain / REFERENCE, 1)
            speed: rows.Row = {"plain_step": round(plain), "seconds_at_2000": at_reference}
            rows.append(FILE, {"seed": seed} | run | speed)
    print(f"Line 2 of this file:\n# {claim()}")


def _plain_step() -> float:
    """Return the cells per second of a plain step, on all cores."""
    done = subprocess.run([sys.executable, "-c", PLAIN_STEP], capture_output=True, check=True)
    return float(done.stdout)


def claim() -> str:
    """Return the result in a sentence: the second line of this file."""
    if not (found := rows.read(FILE)):
        return "Not measured on a quiet machine yet."
    seconds, plain = md.spreads(found, ("seconds", "plain_step"), 0)
    (accuracy,) = md.spreads(found, ["accuracy_agreed"])
    cores, runs = found[-1]["cores"], len(found)
    return (
        f"{seconds} s, n = {runs}, {cores} cores, plain step {plain}/s; labels agree: {accuracy}."
    )


def table() -> str:
    """Return the results in Markdown: a line per seed, and their mean."""
    if not (found := rows.read(FILE)):
        return claim()
    lines = [_line(row["seed"], [row]) for row in found]
    columns = (
        *("seed", "AUC, corrected labels", "accuracy, corrected labels"),
        *("accuracy where both labels agree", "whole run", "processor time", "peak memory"),
        *("plain step, cells per second", f"whole run at {REFERENCE:,} cells per second"),
    )
    lines.append(_line(f"all (n = {len(found)})", found))
    return md.table(columns, lines, md.splits_and_machine(found))


def _line(name: str, found: md.Rows) -> tuple[str, ...]:
    seconds, processor, at_reference = md.spreads(
        found, ("seconds", "processor_seconds", "seconds_at_2000"), 0
    )
    return (
        name,
        *md.spreads(found, ("auc_corrected", "accuracy_corrected", "accuracy_agreed")),
        f"{seconds} s",
        f"{processor} s",
        f"{max(int(row['peak_mb']) for row in found):,} MB",
        *md.spreads(found, ["plain_step"], 0),
        f"{at_reference} s",
    )


def steps_table() -> str:
    """Return what was tried in Markdown: a line per recipe; the CSV has a row per seed."""
    metrics = ("auc", "auc_corrected", "accuracy_corrected", "accuracy_agreed", "iml_auc")
    shown = ("train_loss", "validation_auc_corrected", *metrics, "processor_seconds")
    recipe = ("epochs", "optimizer", "batch", "learning_rate")
    lines = [
        (*name, len(runs), *(_mean(runs, column) for column in shown))
        for name, runs in md.groups(rows.read(STEPS), *recipe).items()
    ]
    columns = (
        *("epochs", "optimizer", "batch", "highest rate", "n", "training loss"),
        *("validation: AUC, corrected", "test: AUC", "AUC, corrected", "accuracy, corrected"),
        *("accuracy where both labels agree", "IML: AUC", "processor seconds of training"),
    )
    note = (
        "n splits by patient; mean, and ± standard deviation. The first row is the benchmark of"
        " 0.2.0's default. The others were trained by an exploratory script that was not kept, with"
        " the same functions, on one thread of a busy machine. Two epochs: one orientation, tested"
        " at 48 px. Longer ones: four, at 64 px, with the threshold that packaging fits."
    )
    return md.table(columns, lines, note)


def _mean(runs: md.Rows, column: str) -> str:
    """Return the mean of a column and its spread; nothing where it was not measured."""
    values = [float(run[column]) for run in runs if run[column]]
    return md.spread(values, 0 if column == "processor_seconds" else 4) if values else ""


if __name__ == "__main__":
    main()
