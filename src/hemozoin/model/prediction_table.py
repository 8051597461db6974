"""Predictions as a table: CSV, JSON or Parquet, written as they come."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, astuple, fields
from pathlib import Path
from typing import TextIO

import polars as pl

from hemozoin.errors import RunError
from hemozoin.model.prediction import Prediction

_COLUMNS = [field.name for field in fields(Prediction)]

Writer = Callable[[Iterable[Prediction], TextIO], None]


def write_csv(predictions: Iterable[Prediction], file: TextIO) -> None:
    """Write one line per prediction, under a line of names; None is empty."""
    file.write(csv_line(_COLUMNS))
    for prediction in predictions:
        file.write(csv_line(astuple(prediction)))


def csv_line(values: Iterable[object]) -> str:
    """Return a line of CSV that ends in LF.

    The writer's own end, CR LF, is cut off: told to end in LF, it leaves a CR in a name unquoted.
    """
    line = io.StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue().removesuffix("\r\n") + "\n"


def write_json_lines(predictions: Iterable[Prediction], file: TextIO) -> None:
    """Write one JSON object per line, so that it can be read as it comes."""
    for prediction in predictions:
        file.write(json.dumps(asdict(prediction)) + "\n")


def write_json(predictions: Iterable[Prediction], file: TextIO) -> None:
    """Write a JSON list with one object per line."""
    between = "[\n"
    for prediction in predictions:
        file.write(between + json.dumps(asdict(prediction)))
        between = ",\n"
    file.write("\n]\n")


#: What the ending of a file asks for. Parquet is made from JSON Lines when those are whole.
WRITERS: dict[str, Writer] = {
    ".csv": write_csv,
    ".parquet": write_json_lines,
    ".json": write_json,
    ".jsonl": write_json_lines,
}


def write_table(predictions: Iterable[Prediction], out: Path) -> None:
    """Write the table to a file, which appears when it is whole.

    Raises RunError for an unknown ending, before anything is predicted.
    """
    form = out.suffix.lower()
    if form not in WRITERS or out.is_dir():
        raise RunError(f"{out}: give a file that ends in one of {', '.join(WRITERS)}")
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f"{out.name}.{os.getpid()}.partial")
    try:
        with partial.open("w", newline="", encoding="utf-8") as file:
            WRITERS[form](predictions, file)
        if form == ".parquet":
            _to_parquet(partial)
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)


def _to_parquet(path: Path) -> None:
    """Turn JSON Lines into Parquet in their place, streaming."""
    table = path.with_name(path.name + ".parquet.partial")
    types = {"p_parasitized": pl.Float64}
    schema = {name: types.get(name, pl.String()) for name in _COLUMNS}
    try:
        pl.scan_ndjson(path, schema=schema).sink_parquet(table)
        table.replace(path)
    except pl.exceptions.PolarsError as error:  # what it makes of a full disk
        raise RunError(f"{table}: can't be written ({error})") from error
    finally:
        table.unlink(missing_ok=True)
