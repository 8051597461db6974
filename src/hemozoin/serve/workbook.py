"""One Excel workbook of a slide: its count, fields and cells, as the files beside it have them.

Text is always written as text, and marked as such (Excel's quote prefix) where it begins like a
formula: so it stays text when somebody edits the cell. Rows go to temporary files one by one.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from xlsxwriter import Workbook
from xlsxwriter.exceptions import FileCreateError
from xlsxwriter.worksheet import Worksheet

from hemozoin.csv_files import is_like_formula, read_csv
from hemozoin.errors import DataError
from hemozoin.files import read_regular_file
from hemozoin.json_files import parse_json
from hemozoin.smear.output.folder import CELLS, FIELDS, SLIDE
from hemozoin.smear.output.tables import slide_values

#: Most rows of a sheet, by the format.
_MOST_ROWS = 2**20

#: The columns of the tables that have text, even where it looks like a number.
_TEXTS = {"slide", "field", "decision", "reason", "answer", "flaws", "error", "same_as"}

#: Width of a column, in characters.
_WIDTH = 14


def slide_workbook(results: Path) -> bytes:
    """Return the workbook of a slide's folder, with the sheets slide, fields and cells.

    Raises DataError for more cells than a sheet has rows, and OSError where a file can't be read or
    the disk is full.
    """
    content = io.BytesIO()
    book = Workbook(content, {"constant_memory": True})
    try:
        sheet = _Sheet(book, "slide", ("name", "value"))
        for number, row in enumerate(_values(results), 1):
            sheet.add(number, row)
        for name in (FIELDS, CELLS):
            _add_table(book, results / name)
        book.close()
    except FileCreateError as error:
        raise OSError(*error.args[0].args) from error
    return content.getvalue()


def _values(results: Path) -> Iterator[tuple[str, Any]]:
    """Yield the single values of slide.json, and what the results depend on."""
    saved = parse_json(read_regular_file(results / SLIDE))
    yield from slide_values(saved).items()
    yield from saved["about"].items()


def _add_table(book: Workbook, path: Path) -> None:
    header, *rows = read_csv(path)
    if len(rows) >= _MOST_ROWS:
        raise DataError(f"a sheet has at most {_MOST_ROWS - 1:,} cells; use {path.name}")
    sheet = _Sheet(book, path.stem, header)
    kinds = [_text if title in _TEXTS else _number_or_truth for title in header]
    for number, row in enumerate(rows, 1):
        sheet.add(number, (kind(value) for kind, value in zip(kinds, row, strict=True)))


def _text(value: str) -> str | None:
    return value or None


def _number_or_truth(value: str) -> float | bool | None:
    if value in ("true", "false"):
        return value == "true"
    return float(value) if value else None


class _Sheet:
    """A sheet with a bold header that stays in view; rows are added in order."""

    def __init__(self, book: Workbook, name: str, header: Sequence[str]) -> None:
        self._sheet: Worksheet = book.add_worksheet(name)
        self._quoted = book.add_format({"quote_prefix": True})
        self._sheet.freeze_panes(1, 0)
        self._sheet.set_column(0, len(header) - 1, _WIDTH)
        bold = book.add_format({"bold": True})
        for column, title in enumerate(header):
            self._sheet.write_string(0, column, title, bold)

    def add(self, row: int, values: Iterable[str | float | bool | None]) -> None:
        for column, value in enumerate(values):
            if isinstance(value, str):
                quoted = self._quoted if is_like_formula(value) else None
                self._sheet.write_string(row, column, value, quoted)
            elif isinstance(value, bool):
                self._sheet.write_boolean(row, column, value)
            elif value is not None:
                self._sheet.write_number(row, column, value)
