"""The CSV tables of a slide, and the table of all slides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from operator import attrgetter
from pathlib import Path
from typing import Any, BinaryIO

from hemozoin.csv_files import csv_line, csv_lines, read_csv
from hemozoin.files import remove_leftovers, replacing
from hemozoin.smear.counting.record.slide_record import MANUAL_KEYS, RECORD_KEYS
from hemozoin.smear.counting.slide import OTHERS, Slide
from hemozoin.smear.field import Field
from hemozoin.smear.output.folder import CELLS, CLUMPS, FIELDS

_CELL = ("x", "y", "width", "height", "p_parasitized", "decision", "reason")

_values_of_cell = attrgetter("cell", *_CELL)

CELL_COLUMNS = ("slide", "field", "cell", *_CELL, "answer")

_CLUMP = ("x", "y", "width", "height", "p_parasitized")

_values_of_clump = attrgetter(*_CLUMP)

CLUMP_COLUMNS = ("slide", "field", "cell", "red_cells", *_CLUMP, "answer")

FIELD_COLUMNS = (
    *("slide", "field", "width", "height", "diameter", "red_cells", "infected", "review"),
    *OTHERS.values(),
    *("log_odds_shift", "usable", "flaws", "error", "same_as"),
)


#: The tables of a slide and their columns.
_TABLES = {CELLS: CELL_COLUMNS, CLUMPS: CLUMP_COLUMNS, FIELDS: FIELD_COLUMNS}


class SlideTables:
    """Writes the rows of a slide's fields to three open files, in the order of the tables."""

    def __init__(
        self, slide: str, files: Sequence[BinaryIO], answers: Mapping[tuple[str, int], str] = {}
    ) -> None:
        self._slide, self._answers = slide, answers
        self._cells, self._clumps, self._fields = files
        for file, columns in zip(files, _TABLES.values(), strict=True):
            file.write(csv_line(columns).encode())

    def add(self, field: Field) -> None:
        """Write the rows of one more field."""
        of_field = self._slide, field, self._answers
        self._cells.write(csv_lines(_cell_rows(*of_field)).encode())
        self._clumps.write(csv_lines(_clump_rows(*of_field)).encode())
        self._fields.write(csv_line(_field_row(self._slide, field)).encode())


@contextmanager
def open_tables(
    slide: str, folder: Path, answers: Mapping[tuple[str, int], str] = {}
) -> Iterator[SlideTables]:
    """Yield the tables of a slide; the files appear when the block ends without an error.

    `answers` are those of people, by field and number of the cell. A value that is unknown, such as
    the size of a picture that could not be read, is empty. `usable` is true or false. Several flaws
    are separated by "; ".
    """
    with ExitStack() as stack:
        files = [stack.enter_context(replacing(folder / name)) for name in _TABLES]
        yield SlideTables(slide, files, answers)


def _cell_rows(
    slide: str, field: Field, answers: Mapping[tuple[str, int], str]
) -> Iterator[tuple[object, ...]]:
    for cell in field.cells:
        answer = answers.get((field.field, cell.cell))
        yield slide, field.field, *_values_of_cell(cell), answer


def _clump_rows(
    slide: str, field: Field, answers: Mapping[tuple[str, int], str]
) -> Iterator[tuple[object, ...]]:
    for number, clump in field.clumps():
        answer = answers.get((field.field, number))
        red_cells = round(field.red_cells_in(clump), 2)
        yield slide, field.field, number, red_cells, *_values_of_clump(clump), answer


def _field_row(slide: str, field: Field) -> tuple[object, ...]:
    usable, flaws = str(field.usable).lower(), "; ".join(map(str, field.flaws))
    if field.error is not None:
        return (
            slide,
            field.field,
            *[None] * (len(FIELD_COLUMNS) - 6),
            usable,
            flaws,
            field.error,
            None,
        )
    return (
        *(slide, field.field, field.width, field.height, round(field.diameter, 2)),
        *(len(field.cells), field.infected, field.review),
        *(field.count(kind) for kind in OTHERS),
        *(field.log_odds_shift, usable, flaws, None, field.same_as),
    )


def write_slides(slides: Iterable[Slide], path: Path) -> None:
    """Write slides.csv, one row per slide: the values of slide.json that are single values.

    The record comes last, from `record_patient` on, and its manual count, `record_manual_reader`.
    """
    rows = [slide_values(slide.to_dict()) for slide in slides]
    with replacing(path) as file:
        file.write(csv_line(rows[0]).encode())
        file.writelines(csv_line(row.values()).encode() for row in rows)


#: Values of slide.json that are objects, or null.
_OBJECTS = ("counting", "reviews", "reference")


def replace_slide_row(slide: Slide, path: Path) -> None:
    """Write slides.csv again with another row for one slide; the other rows stay."""
    header, *rows = read_csv(path)
    new = slide_values(slide.to_dict())
    remove_leftovers(path.parent, path.name)
    with replacing(path) as file:
        file.write(csv_line(new).encode())
        for row in rows:
            values = dict(zip(header, row, strict=True))
            own = values["slide"] == slide.slide
            line = new.values() if own else (values.get(name, "") for name in new)
            file.write(csv_line(line).encode())


def slide_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the single values of the content of slide.json; the record's come last."""
    record, manual = values["record"], values["record"].get("manual", {})
    return {
        **{k: v for k, v in values.items() if not isinstance(v, dict) and k not in _OBJECTS},
        **{f"record_{name}": record.get(name) for name in RECORD_KEYS if name != "manual"},
        **{f"record_manual_{name}": manual.get(name) for name in MANUAL_KEYS},
    }
