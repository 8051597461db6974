"""The record of an uploaded slide: `slide.toml` beside its pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hemozoin.files import read_regular_file, replace_file
from hemozoin.smear.counting.record.slide_record import read_record, record_from_dict
from hemozoin.smear.slides import RECORD


def checked_record(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record's values that are given, as plain data; raises DataError for a wrong one."""
    given = {name: value for name, value in values.items() if value not in (None, "", {})}
    return record_from_dict(given, "record").to_dict()


def write_record(values: Mapping[str, Any], pictures: Path) -> None:
    """Write a checked record into the folder of a slide's pictures; an empty one is removed."""
    if values:
        replace_file(pictures / RECORD, "\n".join(_lines(values)) + "\n")
    else:
        (pictures / RECORD).unlink(missing_ok=True)


def saved_record(pictures: Path) -> dict[str, Any]:
    """Return the record beside a slide's pictures; an empty one where there is none."""
    path = pictures / RECORD
    if not path.is_file():
        return {}
    return read_record(read_regular_file(path), RECORD).to_dict()


def _lines(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of TOML: its numbers and its texts in quotes are those of JSON."""
    tables = {name: value for name, value in values.items() if isinstance(value, dict)}
    for name in values.keys() - tables.keys():
        yield f"{name} = {json.dumps(values[name], ensure_ascii=False)}"
    for name, table in tables.items():
        yield f"[{name}]"
        yield from _lines(table)
