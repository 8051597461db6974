"""A screened field with its pictures, as it is kept and reported."""

from __future__ import annotations

from dataclasses import dataclass

from hemozoin.data.source import utf8
from hemozoin.errors import DataError
from hemozoin.smear.field import Field


@dataclass(frozen=True)
class ScreenedField:
    """A field with its pictures, as JPEGs: the overlay, and each cell that a person should see.

    `pictures` goes by the number of the cell. A field that couldn't be read has none.
    """

    field: Field
    overlay: bytes | None
    pictures: dict[int, bytes]


def unreadable(name: str, error: DataError) -> ScreenedField:
    """Return what stands for a picture that can't be read."""
    return ScreenedField(Field(name, error=utf8(str(error))), None, {})
