"""What people said about cells: reviews.csv in a slide's folder, which is only ever added to.

A row is one review. It holds by place (the field and the cell's box), so that it stays true when
the slide is screened again with another network. A reader who answers again for the same cell
replaces their own answer; an empty answer takes it back. Nothing is ever changed or removed.

Rows are written and synced to the disk together, under a lock. If the process is killed, or the
disk is full, the last row may be cut short; it counts as not written, and the next append removes
it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from hemozoin.csv_files import csv_line, parse_csv_table
from hemozoin.errors import DataError
from hemozoin.files import append_lines, read_whole_lines

#: Largest difference of numbers that a spreadsheet has rounded.
ROUNDING = 1e-6

#: The name of the file in a slide's folder.
REVIEWS = "reviews.csv"

#: What a reader can say about a cell; "" takes back what the reader said before.
Answer = Literal["parasitized", "uninfected", "not a red cell", "can't tell", ""]

ANSWERS: tuple[str, ...] = tuple(answer for answer in get_args(Answer) if answer)

REVIEW_COLUMNS = (
    *("time", "reader", "field", "middle_x", "middle_y", "x", "y", "width", "height"),
    *("answer", "note", "p_parasitized", "probability", "cells"),
)

_HEADER = csv_line(REVIEW_COLUMNS)


@dataclass(frozen=True)
class Review:
    """A reader's answer about one cell of a field.

    `x`, `y`, `width` and `height` are the cell's box in px; `time` is in UTC, as ISO 8601.
    `p_parasitized` is what the network said, 0..1. `probability` is the chance, above 0, at most
    1, with which the cell was drawn for a person out of `cells` cells of the slide; both are None
    if it was not drawn but chosen.
    """

    reader: str
    field: str
    x: float
    y: float
    width: float
    height: float
    answer: Answer
    note: str = ""
    p_parasitized: float | None = None
    probability: float | None = None
    cells: int | None = None
    time: str = ""

    @property
    def middle(self) -> tuple[float, float]:
        """Return the middle of the cell's box, in px."""
        return self.x + self.width / 2, self.y + self.height / 2


def append_reviews(folder: Path, reviews: Iterable[Review]) -> None:
    """Add reviews to the reviews.csv of a slide's folder: all of them, or none.

    A review without a time gets the present one. Raises DataError where the file has another form,
    and OSError where it can't be written.
    """
    now = time_of_review()
    lines = "".join(csv_line(_row(review, now)) for review in reviews)
    if lines:
        try:
            append_lines(folder / REVIEWS, lines.encode(errors="replace"), _HEADER.encode())
        except ValueError as error:
            raise DataError(f"{error}; was it saved by another program?") from error


def read_reviews(folder: Path) -> list[Review]:
    """Return all reviews of a slide, the oldest first; none if there is no reviews.csv.

    Raises DataError where the file was changed so that it can't be read.
    """
    path = folder / REVIEWS
    if not path.exists():
        return []
    try:
        content = read_whole_lines(path)
        columns = parse_csv_table(content, REVIEW_COLUMNS) if content else {}
        return [
            _review(dict(zip(columns, row, strict=True)))
            for row in zip(*columns.values(), strict=True)
        ]
    except ValueError as error:
        raise DataError(f"{path}: not as hemozoin wrote it ({error})") from error


def time_of_review() -> str:
    """Return the time in UTC, as ISO 8601: 2026-03-11T09:30:00Z."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _row(review: Review, now: str) -> list[object]:
    middle_x, middle_y = review.middle
    values: dict[str, object] = {
        **vars(review),
        "time": review.time or now,
        "middle_x": _short(middle_x),
        "middle_y": _short(middle_y),
        **{name: _short(getattr(review, name)) for name in ("x", "y", "width", "height")},
        **{name: " ".join(getattr(review, name).split()) for name in ("reader", "note")},
    }
    return [values[name] for name in REVIEW_COLUMNS]


def _short(value: float) -> float:
    """Return a number without ".0" where it is whole."""
    return int(value) if value == int(value) else value


def _review(row: dict[str, str]) -> Review:
    answer = row["answer"]
    if answer and answer not in ANSWERS:
        raise ValueError(f"answer {answer!r:.40}")
    x, y, width, height = (float(row[name]) for name in ("x", "y", "width", "height"))
    return Review(
        reader=row["reader"],
        field=row["field"],
        x=x,
        y=y,
        width=width,
        height=height,
        answer=answer,  # type: ignore[arg-type]  # checked above
        note=row["note"],
        p_parasitized=float(row["p_parasitized"]) if row["p_parasitized"] else None,
        probability=float(row["probability"]) if row["probability"] else None,
        cells=int(row["cells"]) if row["cells"] else None,
        time=row["time"],
    )
