"""What file names reveal: how often the label is guessed correctly without looking at the cell.

    python benchmarks/leaks.py cell_images.zip --labels corrections.csv

Each cell is given the more common label of its patient (or photo, or day). The accuracy of this
guess, which reads no pixel, is a row in benchmarks/results/leaks.csv. patients.csv gets one row:
how unevenly the parasitized cells and the corrected labels are distributed among the patients.
Both files are overwritten.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import polars as pl

import markdown_tables as md
import rows
from hemozoin.about import VERSION
from hemozoin.classes import PARASITIZED
from hemozoin.data.index import index_cells
from hemozoin.data.labels import with_corrections
from hemozoin.data.source import open_source

FILE, PATIENTS_FILE = "leaks.csv", "patients.csv"

#: NLM's names: C100P61ThinF_IMG_20150918_144104_cell_162; some days have a letter after the time.
_PHOTO, _DAY, _NUMBER = r"^(.*)_cell_\d+$", r"_IMG_(\d{8})_", r"_cell_(\d+)$"


def main() -> None:
    """Guess the labels from each part of the names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cells", type=Path)
    parser.add_argument("--labels", type=Path, required=True)
    given = parser.parse_args()
    cells = parse_names(index_cells(open_source(given.cells)))
    rows.remove(FILE)
    rows.remove(PATIENTS_FILE)
    by_patient = distribution(with_corrections(cells, given.labels))
    rows.append(PATIENTS_FILE, by_patient | {"hemozoin": VERSION})
    known = {"nothing": pl.lit(0), "day": pl.col("day"), "patient": pl.col("patient")}
    for name, by in (known | {"photo": pl.col("photo")}).items():
        row = {"known": name, **guess(cells, by), **order(cells)}
        rows.append(FILE, row | {"hemozoin": VERSION})


def parse_names(cells: pl.DataFrame) -> pl.DataFrame:
    """Add what the names contain, `photo`, `day` and `number`; and `infected`, from the label."""
    name = pl.col("cell")
    return cells.with_columns(
        infected=pl.col("label") == PARASITIZED,
        photo=name.str.extract(_PHOTO),
        day=name.str.extract(_DAY),
        number=name.str.extract(_NUMBER).cast(pl.Int64),
    ).drop_nulls(["photo", "day", "number"])


def guess(cells: pl.DataFrame, by: pl.Expr) -> rows.Row:
    """Return the number of groups and the share of cells with the majority label of their group."""
    groups = cells.group_by(by.alias("group")).agg(pl.len(), pl.col("infected").sum())
    right = groups.select(pl.max_horizontal("infected", pl.col("len") - pl.col("infected"))).sum()
    return {
        "groups": len(groups),
        "cells": len(cells),
        "patients": cells["patient"].n_unique(),
        "accuracy": round(right.item() / len(cells), 4),
    }


def order(cells: pl.DataFrame) -> rows.Row:
    """Count the photos with both classes, and those whose infected cells have the higher numbers.

    A photo is counted as `in_order` where every infected cell has a higher number than every
    uninfected one.
    """
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


def distribution(cells: pl.DataFrame) -> rows.Row:
    """Return how few patients have half of the parasitized cells, and half of the corrections."""
    corrected = pl.col("corrected").ne_missing(pl.col("label"))
    by_patient = cells.group_by("patient").agg(
        pl.len().alias("cells"), pl.col("infected").sum(), corrected.sum().alias("corrected")
    )
    most_corrected = by_patient.sort("corrected").row(-1, named=True)
    return {
        "cells": len(cells),
        "patients": len(by_patient),
        "patients_with_half_of_parasitized": fewest_with_half(by_patient["infected"]),
        "patients_without_parasitized": int((by_patient["infected"] == 0).sum()),
        "corrected": int(by_patient["corrected"].sum()),
        "patients_with_half_of_corrected": fewest_with_half(by_patient["corrected"]),
        "most_corrected_of_a_patient": most_corrected["corrected"],
        "cells_of_that_patient": most_corrected["cells"],
    }


def fewest_with_half(counts: pl.Series) -> int:
    """Return the smallest number of counts that together are at least half of the sum."""
    held = counts.sort(descending=True).cum_sum()
    return int((held < counts.sum() / 2).sum()) + 1


def table() -> str:
    """Return the results in Markdown: a line for each part of the names."""
    found = rows.read(FILE)
    lines = [
        (row["known"], f"{int(row['groups']):,}", md.share(row["accuracy"], 1)) for row in found
    ]
    last = found[-1]
    note = (
        f"{int(last['cells']):,} cells of {last['patients']} patients; no pixel was read. In"
        f" {last['in_order']} of {last['mixed_photos']} photos with both classes, every"
        " parasitized cell has a higher number than every uninfected one."
    )
    columns = ("known about a cell", "different values", "labels guessed correctly")
    return md.table(columns, lines, note)


def patients() -> str:
    """Return how unevenly cells and corrected labels are distributed, in words."""
    (row,) = rows.read(PATIENTS_FILE)
    corrected, cells = int(row["corrected"]), int(row["cells"])
    return (
        f"Of {row['patients']} patients, {row['patients_with_half_of_parasitized']} have half of"
        f" the parasitized cells, and {row['patients_without_parasitized']} have none. Fuhad et"
        f" al. corrected {corrected:,} of {cells:,} labels ({corrected / cells:.1%})."
        f" {row['patients_with_half_of_corrected']} patients have half of these corrections; of"
        f" one patient's {row['cells_of_that_patient']} labels,"
        f" {row['most_corrected_of_a_patient']} were corrected."
    )


if __name__ == "__main__":
    main()
