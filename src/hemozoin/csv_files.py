"""CSV files: the rows of one that a user gave, and a line of one that the package writes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from hemozoin.errors import DataError


def read_csv(path: Path) -> list[list[str]]:
    """Return the rows of a CSV, without empty rows and without spaces around the values.

    Raises DataError where the file can't be read or has no row.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [[value.strip() for value in row] for row in csv.reader(file)]
    except (OSError, ValueError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: not a readable CSV ({reason})") from error
    rows = [row for row in rows if any(row)]
    if not rows:
        raise DataError(f"{path}: an empty file, not a CSV")
    return rows


def csv_line(values: Iterable[object]) -> str:
    """Return the values as one line of CSV that ends in LF.

    Python's writer ends a line in CR LF. This end is removed afterwards, because a writer that
    is told to end lines in LF leaves a CR within a value unquoted.
    """
    line = io.StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue().removesuffix("\r\n") + "\n"
