"""Predictions as a table: CSV, JSON lines or Parquet, written as they come."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import TextIO

import polars as pl

from hemozoin.errors import RunError
from hemozoin.model.predict import Prediction

Writer = Callable[[Iterable[Prediction], TextIO], None]


def write_csv(predictions: Iterable[Prediction], file: TextIO) -> None:
    """Write one line per prediction, under a line of names; None is empty."""
    writer = csv.DictWriter(file, [field.name for field in fields(Prediction)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(prediction) for prediction in predictions)


def write_json(predictions: Iterable[Prediction], file: TextIO) -> None:
    """Write one JSON object per line (JSON Lines), so that it can be read as it comes."""
    for prediction in predictions:
        file.write(json.dumps(asdict(prediction)) + "\n")


#: What the ending of a file asks for. Parquet is made from CSV when that is whole.
WRITERS: dict[str, Writer] = {
    ".csv": write_csv,
    ".parquet": write_csv,
    ".json": write_json,
    ".jsonl": write_json,
}


def write_table(predictions: Iterable[Prediction], out: Path) -> None:
    """Write the table to a file, which appears when it is whole.

    Raises RunError for an unknown ending or a folder that is not there.
    """
    if out.suffix.lower() not in WRITERS:
        raise RunError(f"{out}: unknown ending; use one of {', '.join(WRITERS)}")
    if not out.absolute().parent.is_dir():
        raise RunError(f"{out}: the folder {out.absolute().parent} doesn't exist")
    partial = out.with_name(f"{out.name}.{os.getpid()}.partial")
    try:
        with partial.open("w", newline="", encoding="utf-8") as file:
            WRITERS[out.suffix.lower()](predictions, file)
        if out.suffix.lower() == ".parquet":
            _to_parquet(partial)
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)


def _to_parquet(path: Path) -> None:
    """Turn a CSV into Parquet in its place, streaming."""
    table = path.with_name(path.name + ".parquet.partial")
    types = {"p_parasitized": pl.Float64}
    names = [field.name for field in fields(Prediction)]
    schema = {name: types.get(name, pl.String()) for name in names}
    try:
        pl.scan_csv(path, schema=schema).sink_parquet(table)
        table.replace(path)
    finally:
        table.unlink(missing_ok=True)
