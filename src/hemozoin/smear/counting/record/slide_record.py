"""The record of a slide: what `slide.toml`, beside its pictures, says. Every key may be left out.

patient = "P-014"           # a code, never a name
date = 2026-03-11
site = "Kigali, ward 3"
stain = "Giemsa 3 %, 45 min"
magnification = "100x oil"
operator = "AB"
hematocrit = 38             # in %; or red_cells_per_ul = 4_200_000

[manual]                    # a count by eye, in one of three ways (manual_count.py)
infected = 12
red_cells = 2_000
reader = "AB"
"""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from hemozoin.errors import DataError
from hemozoin.progress import printable
from hemozoin.smear.counting.blood import Blood
from hemozoin.smear.counting.record.manual_count import ManualCount

#: Most bytes of a record, and most characters of a text in it.
_MOST_BYTES, _LONGEST = 65_536, 200

#: Largest number of cells counted by eye.
_MOST_CELLS = 10_000_000

#: Laveran saw the parasite in this year.
_FIRST_YEAR = 1880

#: The joiners of Persian and Indian scripts, which count as not printable.
_JOINERS = {"\u200c", "\u200d"}


@dataclass(frozen=True)
class SlideRecord:
    """What is known of a slide besides its pictures; None for what is not.

    `magnification` is text, or was a number. Raises DataError for a hematocrit in % or red cells
    per µL that are impossible in blood, and if both are given.
    """

    patient: str | None = None
    date: datetime.date | None = None
    site: str | None = None
    stain: str | None = None
    magnification: str | None = None
    operator: str | None = None
    hematocrit: float | None = None
    red_cells_per_ul: float | None = None
    manual: ManualCount | None = None

    def __post_init__(self) -> None:
        """Check the blood."""
        Blood(self.red_cells_per_ul, self.hematocrit)

    def blood(self, otherwise: Blood) -> Blood:
        """Return the patient's red cells per µL, or `otherwise` if the record has none."""
        own = Blood(self.red_cells_per_ul, self.hematocrit)
        return otherwise if own == Blood() else own

    def to_dict(self) -> dict[str, Any]:
        """Return what is known as plain data for JSON, with the keys of `slide.toml`."""
        known = {one.name: getattr(self, one.name) for one in fields(self)}
        return {
            name: value.isoformat() if isinstance(value, datetime.date) else _plain(value)
            for name, value in known.items()
            if value is not None
        }


def _plain(value: object) -> object:
    return value.to_dict() if isinstance(value, ManualCount) else value


def read_record(content: bytes, where: str) -> SlideRecord:
    """Return the record in the content of a `slide.toml`; `where` names the file in messages.

    Raises DataError where it is not TOML in UTF-8, has an unknown key, or a value of the wrong type
    or outside its range.
    """
    if len(content) > _MOST_BYTES:
        raise DataError(f"{where}: {len(content):,} bytes, too long for the record of a slide")
    try:
        table = tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: its text is not UTF-8; save it as UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not TOML ({error})") from error
    return record_from_dict(table, where)


def record_from_dict(table: object, where: str) -> SlideRecord:
    """Return the record with the keys and values of `slide.toml`; raises as `read_record` does."""
    if not isinstance(table, dict):
        raise DataError(f"{where}: the record is {_shown(table)}, not a table")
    try:
        return SlideRecord(**_read(table, RECORD_KEYS))
    except DataError as error:
        raise DataError(f"{where}: {error}") from error


def _read(table: Mapping[str, Any], keys: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
    """Return the values of a table, each read by the function for its key; raises DataError."""
    values: dict[str, Any] = {}
    for name, value in table.items():
        if name not in keys:
            raise DataError(f"unknown key {printable(name)[:40]!r}; the keys are {', '.join(keys)}")
        try:
            values[name] = keys[name](value)
        except ValueError as error:
            raise DataError(f"{name} is {_shown(value)}; give {error}") from error
    return values


def _shown(value: object) -> str:
    try:
        return f"{value!r:.40}"
    except ValueError:  # Python doesn't print a number of thousands of digits
        return "a number of thousands of digits"


def _text(value: object) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not text or len(text) > _LONGEST or not all(map(_is_printable, text)):
        raise ValueError(f"one line of text in quotes, of at most {_LONGEST} characters")
    return text


def _is_printable(character: str) -> bool:
    return character.isprintable() or character in _JOINERS


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
        raise ValueError("a number without quotes and without a unit")
    return value


def _count(value: object) -> int:
    if type(value) is not int or not 0 <= value <= _MOST_CELLS:
        raise ValueError(f"a whole number from 0 to {_MOST_CELLS:,}, without quotes")
    return value


def _counted(value: object) -> int:
    """Return the number of cells that were looked at, at least one."""
    if _count(value) == 0:
        raise ValueError("the number of cells that were counted, at least 1")
    return _count(value)


def _density(value: object) -> float:
    if _number(value) < 0:
        raise ValueError("a number from 0 on")
    return _number(value)


def _date(value: object) -> datetime.date:
    try:
        found = datetime.date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        found = None
    if isinstance(found, datetime.datetime):
        found = found.date()
    if not isinstance(found, datetime.date) or found.year < _FIRST_YEAR:
        raise ValueError("a date as year-month-day, such as 2026-03-11")
    return found


def _magnification(value: object) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{_number(value):g}" if is_number else _text(value)


def _manual(value: object) -> ManualCount:
    if not isinstance(value, dict):
        raise ValueError("a table: a line [manual], and the count below it")
    try:
        return ManualCount(**_read(value, MANUAL_KEYS))
    except DataError as error:
        raise DataError(f"[manual]: {error}") from error


#: The keys of a count by eye and of a record, each with the function that reads its value.
MANUAL_KEYS: dict[str, Callable[[Any], Any]] = {
    "infected": _count,
    "red_cells": _counted,
    "parasites": _count,
    "white_cells": _counted,
    "white_cells_per_ul": _number,
    "parasites_per_ul": _density,
    "reader": _text,
}

RECORD_KEYS: dict[str, Callable[[Any], Any]] = {
    "patient": _text,
    "date": _date,
    "site": _text,
    "stain": _text,
    "magnification": _magnification,
    "operator": _text,
    "hematocrit": _number,
    "red_cells_per_ul": _number,
    "manual": _manual,
}
