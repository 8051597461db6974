"""Predictions as a table: CSV, JSON or Parquet, written row by row."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, fields
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import TextIO

from hemozoin.csv_files import csv_line
from hemozoin.errors import MissingExtraError, RunError
from hemozoin.files import partial_file, remove_leftovers
from hemozoin.model.prediction import Prediction

_COLUMNS = [field.name for field in fields(Prediction)]

#: Predictions in a row group of Parquet.
_ROW_GROUP = 5_000

Writer = Callable[[Iterable[Prediction], TextIO], None]


def write_csv(predictions: Iterable[Prediction], file: TextIO) -> None:
    """Write a header and one line per prediction; None is an empty field."""
    file.write(csv_line(_COLUMNS))
    for prediction in predictions:
        file.write(csv_line(getattr(prediction, column) for column in _COLUMNS))


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


def _write_parquet(predictions: Iterable[Prediction], path: Path) -> None:
    """Write Parquet, a group of rows at a time."""
    import pyarrow as pa  # noqa: PLC0415 - optional
    from pyarrow.parquet import ParquetWriter  # noqa: PLC0415

    types = {"p_parasitized": pa.float64()}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in _COLUMNS])
    remaining = map(asdict, predictions)
    with ParquetWriter(path, schema) as writer:
        while rows := list(islice(remaining, _ROW_GROUP)):
            writer.write_table(pa.Table.from_pylist(rows, schema))


#: The writer for each suffix of a text file.
WRITERS: dict[str, Writer] = {
    ".csv": write_csv,
    ".json": write_json,
    ".jsonl": write_json_lines,
}

PARQUET = ".parquet"


def write_table(predictions: Iterable[Prediction], out: Path) -> None:
    """Write the table to a file, which appears when it is complete.

    Raises RunError for an unknown suffix, and MissingExtraError for Parquet without its library,
    both before the first prediction.
    """
    suffix = out.suffix.lower()
    if suffix not in (*WRITERS, PARQUET) or out.is_dir():
        raise RunError(f"{out}: give a file that ends in one of {', '.join((*WRITERS, PARQUET))}")
    if suffix == PARQUET and find_spec("pyarrow") is None:
        raise MissingExtraError(f"{out}: Parquet needs: pip install 'hemozoin[parquet]'")
    out.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(out.parent, out.name)
    with partial_file(out) as partial:
        if suffix == PARQUET:
            _write_parquet(predictions, partial)
            return
        with partial.open("w", newline="", encoding="utf-8") as file:
            WRITERS[suffix](predictions, file)
