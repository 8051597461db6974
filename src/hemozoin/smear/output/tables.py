"""The tables of a slide, written field by field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from hemozoin.files import replacing
from hemozoin.model.prediction_table import csv_line
from hemozoin.smear.counting.slide import OTHERS, Slide
from hemozoin.smear.field import Field
from hemozoin.smear.output.folder import CELLS, FIELDS

_CELL = ("x", "y", "width", "height", "p_parasitized", "decision", "reason")

CELL_COLUMNS = ("slide", "field", "cell", *_CELL)

FIELD_COLUMNS = (
    *("slide", "field", "width", "height", "diameter", "red_cells", "infected", "review"),
    *OTHERS.values(),
    *("usable", "flaws", "error"),
)


def write_tables(slide: str, fields: Iterable[Field], folder: Path) -> None:
    """Write cells.csv and fields.csv, a row each; both appear when they are whole.

    None is empty, as where a field couldn't be read; `usable` is true or false, and several
    flaws are set apart by "; ".
    """
    with replacing(folder / CELLS) as of_cells, replacing(folder / FIELDS) as of_fields:
        of_cells.write(csv_line(CELL_COLUMNS).encode())
        of_fields.write(csv_line(FIELD_COLUMNS).encode())
        for field in fields:
            of_cells.writelines(csv_line(row).encode() for row in _cell_rows(slide, field))
            of_fields.write(csv_line(_field_row(slide, field)).encode())


def _cell_rows(slide: str, field: Field) -> Iterator[tuple[object, ...]]:
    for cell in field.cells:
        yield slide, field.field, cell.cell, *(getattr(cell, name) for name in _CELL)


def _field_row(slide: str, field: Field) -> tuple[object, ...]:
    usable, flaws = str(field.usable).lower(), "; ".join(map(str, field.flaws))
    if field.error is not None:
        return slide, field.field, *[None] * (len(FIELD_COLUMNS) - 5), usable, flaws, field.error
    return (
        *(slide, field.field, field.width, field.height, round(field.diameter, 2)),
        *(len(field.cells), field.infected, field.review),
        *(field.count(kind) for kind in OTHERS),
        *(usable, flaws, None),
    )


def write_overview(slides: Iterable[Slide], path: Path) -> None:
    """Write a row a slide: what slide.json has, but for what is a list in itself."""
    rows = [_without(slide.to_dict(), "flaws", "false_positives") for slide in slides]
    with replacing(path) as file:
        file.write(csv_line(rows[0]).encode())
        file.writelines(csv_line(row.values()).encode() for row in rows)


def _without(values: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}
