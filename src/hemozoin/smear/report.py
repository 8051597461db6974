"""The report on one slide: one HTML page that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hemozoin.smear.counting import Slide
from hemozoin.smear.field import Field


@dataclass(frozen=True)
class Shown:
    """A field and its pictures: `overlay` a JPEG beside the report or None, `pictures` JPEGs.

    `pictures` holds those of infected cells and of cells for review, by the number of the cell.
    """

    field: Field
    overlay: Path | None = None
    pictures: dict[int, bytes] = field(default_factory=dict)


def render_report(slide: Slide, shown: Iterable[Shown], about: Mapping[str, str]) -> str:
    """Return the page as HTML; goes through `shown` once and holds what the page shows.

    `about` says what the count rests on, line by line: model, digest, version, settings.
    """
    raise NotImplementedError
