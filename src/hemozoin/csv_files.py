"""CSV files: the rows of one that a user gave, and the lines of those that the package writes.

Excel and LibreOffice evaluate a cell that begins with = + - or @ as a formula, even one that came
from the name of a file ("CSV injection"). Text that begins like this is written with an apostrophe
in front, and `read_csv` removes it. Numbers are written as they are.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from hemozoin.errors import DataError
from hemozoin.files import read_regular_file

#: The first characters of a formula (OWASP, "CSV Injection"), with the wide ones of Asian fonts.
_FORMULA = r"[=+\-@\t\r\n＝＋－＠]"

#: Text that needs an apostrophe in front; with apostrophes of its own it needs one more.
_UNSAFE = re.compile(f"^('*{_FORMULA})")

#: Text that begins with an apostrophe which `_escaped` has added.
_ESCAPED = re.compile(f"'+{_FORMULA}")

#: A value in quotes.
_QUOTED = re.compile(r'(?:^|(?<=[,;\t\r\n]))"[^"]*(?:""[^"]*)*"')

#: The line with which Excel is told the delimiter.
_SEP = re.compile(r'"?sep=([,;\t|])"?(?:\r\n|\r|\n|$)', re.IGNORECASE)

_UTF16 = (b"\xff\xfe", b"\xfe\xff")

_ZIP = b"PK\x03\x04"

#: The first bytes of the Office files from before 2007.
_OLE = b"\xd0\xcf\x11\xe0"

_SAVE_EXCEL = "an Excel workbook; save it as CSV (File > Save as > CSV UTF-8)"
_SAVE_OTHER = "an OpenDocument table; save it as CSV (File > Save as > Text CSV, UTF-8)"


def read_csv(path: Path) -> list[list[str]]:
    """Return the rows of a CSV, without empty rows and without spaces around the values.

    The encoding is UTF-8, or UTF-16 with a byte-order mark. The delimiter is the one of comma,
    semicolon and tab that the first line has most of, or that of a line `sep=;`. Raises DataError
    where the file can't be read, is a workbook, or has no row.
    """
    try:
        content = read_regular_file(path)
        _require_no_workbook(content, path)
        text, delimiter = _without_sep(_decoded(content))
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        rows = [[_unescaped(value).strip() for value in row] for row in reader]
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{path}: not a readable CSV ({_reason(error)})") from error
    rows = [row for row in rows if any(row)]
    if not rows:
        raise DataError(f"{path}: an empty file, not a CSV")
    return rows


def csv_line(values: Iterable[object]) -> str:
    """Return the values as one line of CSV that ends in LF."""
    return csv_lines([values])


def csv_lines(rows: Iterable[Iterable[object]]) -> str:
    """Return rows as lines of CSV, each as `csv_line` returns it, in less time."""
    return _lines(
        [_escaped(value) if isinstance(value, str) else value for value in values]
        for values in rows
    )


def csv_table(columns: Mapping[str, Iterable[object]]) -> str:
    """Return a table as CSV with a header; text is written as in `csv_line`.

    The columns have the same length. A floating-point number has the fewest digits that give the
    same number, and is a decimal from 0.00001 on.
    """
    written = [[_as_written(value) for value in column] for column in columns.values()]
    return csv_line(columns) + _lines(zip(*written, strict=True))


def read_csv_table(path: Path, titles: Sequence[str]) -> dict[str, list[str]]:
    """Return the columns of a table that `csv_table` has written, by their titles.

    Raises OSError where the file can't be read, ValueError where it is another file.
    """
    try:
        return parse_csv_table(read_regular_file(path), titles)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def parse_csv_table(content: bytes, titles: Sequence[str]) -> dict[str, list[str]]:
    """Return the columns of the content of such a table; raises ValueError for another content."""
    try:
        text = io.StringIO(content.decode(), newline="")
        header, *rows = [*csv.reader(text, strict=True)] or [[]]
    except csv.Error as error:
        raise ValueError(str(error)) from error
    if header != [*titles] or any(len(row) != len(titles) for row in rows):
        raise ValueError(f"not a table of {', '.join(titles)}")
    return {title: [_unescaped(row[column]) for row in rows] for column, title in enumerate(titles)}


def _lines(rows: Iterable[Iterable[object]]) -> str:
    """Return the rows as they are.

    Python's writer ends a line in CR LF. This end is removed afterwards, because a writer that
    is told to end lines in LF leaves a CR within a value unquoted.
    """
    lines = _Written()
    csv.writer(lines).writerows(rows)
    return "".join([line.removesuffix("\r\n") + "\n" for line in lines])


class _Written(list[str]):
    """The lines of a csv.writer, which writes them one by one."""

    write = list.append


def _as_written(value: object) -> object:
    """Return text as it is escaped, and a float as text; Python would write 0.00001 as 1e-05."""
    if isinstance(value, str):
        return _escaped(value)
    if not isinstance(value, float):
        return value
    if 1e-5 <= abs(value) < 1e-4:
        return np.format_float_positional(value, trim="0")
    return float.__repr__(value).replace("e-0", "e-")


def is_like_formula(value: str) -> bool:
    """Return whether a table program may take a text for a formula, as the module describes."""
    return bool(_UNSAFE.match(value))


@lru_cache
def _escaped(value: str) -> str:
    """Return text as it is written; a column of a table has the same few values again and again."""
    return _UNSAFE.sub(r"'\1", value)


def _unescaped(value: str) -> str:
    return value[1:] if _ESCAPED.match(value) else value


# ---- reading -----------------------------------------------------------------------------------


def _require_no_workbook(content: bytes, path: Path) -> None:
    """Raise DataError for a workbook, whatever its name."""
    if content.startswith(_OLE):
        raise DataError(f"{path}: {_SAVE_EXCEL}")
    if content.startswith(_ZIP):
        raise DataError(f"{path}: {_kind_of_zip(content)}")


def _kind_of_zip(content: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
    except Exception:  # a damaged directory can cause any error
        names = []
    if any(name.startswith("xl/") for name in names):
        return _SAVE_EXCEL
    return _SAVE_OTHER if {"mimetype", "content.xml"} <= {*names} else "a zip, not a CSV"


def _decoded(content: bytes) -> str:
    return content.decode("utf-16" if content.startswith(_UTF16) else "utf-8-sig")


def _without_sep(text: str) -> tuple[str, str]:
    """Return the text without a line `sep=;`, and its delimiter."""
    if found := _SEP.match(text):
        return text[found.end() :], found[1]
    first = re.split(r"[\r\n]", _QUOTED.sub("", text.lstrip("\r\n ")), maxsplit=1)[0]
    return text, max(",;\t", key=first.count)


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeError):
        return "its text is not UTF-8; save it as CSV UTF-8"
    return getattr(error, "strerror", None) or str(error)
