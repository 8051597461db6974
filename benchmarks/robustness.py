"""What damaged and hostile input does to the commands: the rows of the campaign in tests/fuzz.

    python -m tests.fuzz --minutes 60 --csv benchmarks/results/robustness.csv

This module shows the rows; `tests/fuzz/campaign.py` measures them.
"""

from __future__ import annotations

import markdown_tables as md
import rows

FILE = "robustness.csv"

#: What each kind of the campaign is.
_SHOWN = {
    "cells": "pictures of cells, ten for each `predict`",
    "fields": "pictures of fields, `screen`",
    "real cells": "the same, from NLM's cells",
    "real fields": "the same, from photographed fields",
    "zips": "zips of cells, `inspect` and others",
    "folders": "folders of cells, `inspect` and others",
    "tables": "tables of patients, labels, splits",
    "models": "model folders with new checksums",
    "states": "saved state, the command given again",
    "kills": "commands killed, or the disk full, and given again",
}


def table() -> str:
    """Return the results in Markdown: a line for each kind of input."""
    found = rows.read(FILE)
    lines = [
        (
            _SHOWN[row["kind"]],
            f"{int(row['inputs']):,}",
            row["failures"],
            row["slowest_seconds"],
            f"{int(row['peak_mb']):,}",
        )
        for row in found
    ]
    last = found[-1]
    note = (
        "Failures: an exception, a traceback, more than 10 s of a process's own time or 2 GB for a"
        " command, a process started, a connection, a file written elsewhere, or a command that"
        " can't be given again. The peak is that of the whole process, with all that it has"
        f" imported. Seed {last['seed']}; {last['cores']} cores ({last['machine']}), Python"
        f" {last['python']}, Pillow {last['pillow']}, ONNX Runtime {last['onnxruntime']}, hemozoin"
        f" {last['hemozoin']}."
    )
    columns = ("input", "n", "failures", "slowest command, seconds", "peak memory, MB")
    return md.table(columns, lines, note)
