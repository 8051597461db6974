"""A screened field with its pictures."""

from __future__ import annotations

from dataclasses import dataclass

from hemozoin.data.source import as_utf8
from hemozoin.errors import DataError
from hemozoin.smear.field import Field


@dataclass(frozen=True)
class ScreenedField:
    """A field, its overlay, and crops of its infected cells and its cells for review, as JPEGs.

    `crops` has the number of the cell as key. If the picture could not be read, `overlay` is None
    and `crops` is empty.
    """

    field: Field
    overlay: bytes | None
    crops: dict[int, bytes]


def unreadable_field(name: str, error: DataError) -> ScreenedField:
    """Return the result for a picture that can't be read: a field with the error."""
    return ScreenedField(Field(name, error=as_utf8(str(error))), None, {})
