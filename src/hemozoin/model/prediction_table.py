"""Predictions as a table: CSV, JSON or Parquet, written row by row."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, astuple, fields
from pathlib import Path
from typing import TextIO

import polars as pl

from hemozoin.csv_files import csv_line
from hemozoin.errors import RunError
from hemozoin.files import partial_file, remove_leftovers
from hemozoin.model.prediction import Prediction

_COLUMNS = [field.name for field in fields(Prediction)]

Writer = Callable[[Iterable[Prediction], TextIO], None]


def write_csv(predictions: Iterable[Prediction], file: TextIO) -> None:
    """Write a header and one line per prediction; None is an empty field."""
    file.write(csv_line(_COLUMNS))
    for prediction in predictions:
        file.write(csv_line(astuple(prediction)))


def write_json_lines(predictions: Iterable[Prediction], file: TextIO) -> None:
    """Write one JSON object per line, so that a program can read each line at once."""
    for prediction in predictions:
        file.write(json.dumps(asdict(prediction)) + "\n")


def write_json(predictions: Iterable[Prediction], file: TextIO) -> None:
    """Write a JSON list with one object per line."""
    separator = "[\n"
    for prediction in predictions:
        file.write(separator + json.dumps(asdict(prediction)))
        separator = ",\n"
    file.write("\n]\n")


#: The writer for each file suffix. Parquet is converted from complete JSON Lines.
WRITERS: dict[str, Writer] = {
    ".csv": write_csv,
    ".parquet": write_json_lines,
    ".json": write_json,
    ".jsonl": write_json_lines,
}


def write_table(predictions: Iterable[Prediction], out: Path) -> None:
    """Write the table to a file, which appears when it is complete.

    Raises RunError for an unknown suffix, before the first prediction.
    """
    suffix = out.suffix.lower()
    if suffix not in WRITERS or out.is_dir():
        raise RunError(f"{out}: give a file that ends in one of {', '.join(WRITERS)}")
    out.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(out.parent, out.name)
    with partial_file(out) as partial:
        with partial.open("w", newline="", encoding="utf-8") as file:
            WRITERS[suffix](predictions, file)
        if suffix == ".parquet":
            _to_parquet(partial, out)


def _to_parquet(path: Path, out: Path) -> None:
    """Replace a JSON Lines file by Parquet, streaming; `out` is the name for error messages."""
    types = {"p_parasitized": pl.Float64}
    schema = {name: types.get(name, pl.String()) for name in _COLUMNS}
    with partial_file(path) as table:
        try:
            pl.scan_ndjson(path, schema=schema).sink_parquet(table)
        except pl.exceptions.PolarsError as error:  # polars' error for a full disk
            raise RunError(f"{out}: can't be written ({error})") from error
