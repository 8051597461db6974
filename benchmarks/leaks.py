"""What the file names give away: how often a label is guessed right without looking at the cell.

    python benchmarks/leaks.py cell_images.zip --labels corrections.csv

Whoever knows a cell's patient (photo, day) and says that patient's commoner label is right so
often. No pixel is read. A row for each thing known goes to benchmarks/results/leaks.csv, and one
to patients.csv: how unevenly parasitized cells and doubted labels lie among the patients. Both are
written anew.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import polars as pl

import rows
from hemozoin.about import VERSION
from hemozoin.classes import PARASITIZED
from hemozoin.data.index import index_cells
from hemozoin.data.labels import with_corrections
from hemozoin.data.source import open_source

#: NLM's names: C100P61ThinF_IMG_20150918_144104_cell_162; some days have a letter behind the time.
_PHOTO, _DAY, _NUMBER = r"^(.*)_cell_\d+$", r"_IMG_(\d{8})_", r"_cell_(\d+)$"


def main() -> None:
    """Count for each thing known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cells", type=Path)
    parser.add_argument("--labels", type=Path, required=True)
    given = parser.parse_args()
    cells = named(index_cells(open_source(given.cells)))
    for name in ("leaks.csv", "patients.csv"):
        (rows.RESULTS / name).unlink(missing_ok=True)
    uneven = spread(with_corrections(cells, given.labels))
    rows.append("patients.csv", uneven | {"hemozoin": VERSION})
    known = {"nothing": pl.lit(0), "day": pl.col("day"), "patient": pl.col("patient")}
    for name, by in (known | {"photo": pl.col("photo")}).items():
        row = {"known": name, **guessed(cells, by), **order(cells)}
        rows.append("leaks.csv", row | {"hemozoin": VERSION})


def named(cells: pl.DataFrame) -> pl.DataFrame:
    """Add what the names say: `photo`, `day`, `number`, and whether the cell is `infected`."""
    name = pl.col("cell")
    return cells.with_columns(
        infected=pl.col("label") == PARASITIZED,
        photo=name.str.extract(_PHOTO),
        day=name.str.extract(_DAY),
        number=name.str.extract(_NUMBER).cast(pl.Int64),
    ).drop_nulls(["photo", "day", "number"])


def guessed(cells: pl.DataFrame, by: pl.Expr) -> rows.Row:
    """Return the number of groups, and the share of cells with their group's commoner label."""
    groups = cells.group_by(by.alias("group")).agg(pl.len(), pl.col("infected").sum())
    right = groups.select(pl.max_horizontal("infected", pl.col("len") - pl.col("infected"))).sum()
    return {
        "groups": len(groups),
        "cells": len(cells),
        "patients": cells["patient"].n_unique(),
        "right": round(right.item() / len(cells), 4),
    }


def order(cells: pl.DataFrame) -> rows.Row:
    """Return in how many photos with both classes all infected cells have the higher numbers."""
    number, infected = pl.col("number"), pl.col("infected")
    mixed = (
        cells.group_by("photo")
        .agg(
            lowest=number.filter(infected).min(),
            highest=number.filter(~infected).max(),
        )
        .drop_nulls()
    )
    return {
        "mixed_photos": len(mixed),
        "in_order": int((mixed["lowest"] > mixed["highest"]).sum()),
    }


def spread(cells: pl.DataFrame) -> rows.Row:
    """Return by how few patients half of the parasitized cells, and of the doubted labels, are."""
    doubted = pl.col("corrected").ne_missing(pl.col("label"))
    by_patient = cells.group_by("patient").agg(
        pl.len().alias("cells"), pl.col("infected").sum(), doubted.sum().alias("doubted")
    )
    worst = by_patient.sort("doubted").row(-1, named=True)
    return {
        "cells": len(cells),
        "patients": len(by_patient),
        "hold_half_of_the_parasitized": holders(by_patient["infected"]),
        "without_parasitized": int((by_patient["infected"] == 0).sum()),
        "doubted": int(by_patient["doubted"].sum()),
        "hold_half_of_the_doubted": holders(by_patient["doubted"]),
        "most_doubted": worst["doubted"],
        "of_cells": worst["cells"],
    }


def holders(counts: pl.Series) -> int:
    """Return how few hold half of all between them."""
    held = counts.sort(descending=True).cum_sum()
    return int((held < counts.sum() / 2).sum()) + 1


if __name__ == "__main__":
    main()
