"""Write the tables of the benchmarks into the Markdown files, between their markers.

    python benchmarks/readme.py

A test compares the files with what this would write, so no number in them can be typed by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import abstention
import audits
import capacity
import cell_stages
import counting
import distillation
import export
import few_cells
import field_context
import fields
import fine_tuning
import growth
import headline
import install
import leaks
import microscope
import minute
import out_of_distribution
import picture_processing
import ppi
import pretrained
import quantification
import recipes
import replicas
import robustness
import scale
import serve
import speed
import stages
import stippling
import sweep
import threshold
import world

ROOT = Path(__file__).parents[1]

TABLES: dict[str, Callable[[], str]] = {
    "abstention": abstention.table,
    "audits": audits.table,
    "capacity": capacity.table,
    "cell_stages": cell_stages.table,
    "compressed_cells": picture_processing.table,
    "processed_fields": picture_processing.fields_table,
    "counting": counting.table,
    "counting_places": counting.places_table,
    "distillation": distillation.table,
    "few_cells": few_cells.table,
    "field_context": field_context.table,
    "fields": fields.table,
    "fine_tuning": fine_tuning.table,
    "found": fields.found_table,
    "growth": growth.table,
    "headline": headline.table,
    "install": install.size_table,
    "int8": export.table,
    "leaks": leaks.table,
    "microscope": microscope.table,
    "minute": minute.table,
    "minute_steps": minute.steps_table,
    "out_of_distribution": out_of_distribution.table,
    "patients": leaks.patients,
    "recipes": recipes.table,
    "replicas": replicas.table,
    "scale": scale.table,
    "ppi": ppi.table,
    "pretrained": pretrained.table,
    "quantification": quantification.table,
    "serve": serve.table,
    "robustness": robustness.table,
    "speed": speed.table,
    "stages": stages.table,
    "stippling": stippling.table,
    "startup": install.startup_table,
    "sweep": sweep.table,
    "sweep_agreed": sweep.agreed_table,
    "threshold": threshold.table,
    "world": world.table,
}

#: The tables that each file shows.
SHOWN: dict[str, tuple[str, ...]] = {
    "README.md": ("pretrained", "microscope", "fields", "headline", "speed"),
    "benchmarks/README.md": ("recipes", "abstention", "out_of_distribution", "threshold"),
    "docs/results.md": (
        *("pretrained", "microscope", "headline", "speed", "cell_stages", "scale", "int8"),
        *("abstention", "out_of_distribution", "threshold", "recipes", "distillation"),
        *("capacity", "fields"),
        *("found", "stages", "robustness"),
    ),
    "docs/audit.md": ("audits", "ppi"),
    "docs/counting.md": ("counting", "counting_places", "quantification", "audits"),
    "docs/microscopes.md": (
        "field_context",
        "stippling",
        "world",
        "compressed_cells",
        "processed_fields",
    ),
    "docs/minute.md": ("minute", "replicas", "minute_steps", "growth"),
    "docs/quick-start.md": ("install", "startup"),
    "docs/serve.md": ("serve",),
    "docs/train.md": ("few_cells", "fine_tuning"),
    "docs/traps.md": ("leaks", "patients"),
    "docs/paper-on-malaria.md": ("sweep", "sweep_agreed"),
}

PLACES = tuple((ROOT / file, name) for file, names in SHOWN.items() for name in names)


def main() -> None:
    """Update every file."""
    for path, name in PLACES:
        path.write_text(updated(path, name), encoding="utf-8")


def updated(path: Path, name: str) -> str:
    """Return the text of a file with the table `name` updated."""
    opening, closing = f"<!-- table: {name} -->", "<!-- end -->"
    before, found, rest = path.read_text(encoding="utf-8").partition(opening)
    if not found:
        raise SystemExit(f"{path}: no {opening}")
    after = rest.partition(closing)[2]
    return f"{before}{opening}\n{TABLES[name]()}\n{closing}{after}"


if __name__ == "__main__":
    main()
