"""The pictures of a field's cells: one zip per field, with one JPEG per cell."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from zipfile import ZipFile, ZipInfo, is_zipfile

from hemozoin.files import replacing

#: The date of every member, so that equal crops give equal bytes.
_DATE = (1980, 1, 1, 0, 0, 0)


def write_crops(crops: Mapping[int, bytes], path: Path) -> None:
    """Write JPEGs by the number of their cell, uncompressed: 12.jpg is the crop of cell 12."""
    with replacing(path) as file, ZipFile(file, "w") as archive:
        for cell, jpeg in crops.items():
            member = ZipInfo(_member(cell), _DATE)
            member.create_system = 3  # Unix, on every system
            archive.writestr(member, jpeg)


def read_crop(path: Path, cell: int) -> bytes | None:
    """Return the JPEG of a cell; None if it is missing or damaged."""
    try:
        with ZipFile(path) as archive:
            return archive.read(_member(cell))
    except Exception:  # a damaged zip can cause any error
        return None


def has_crops(path: Path) -> bool:
    """Return whether there is a zip at `path` that was not cut short."""
    return path.is_file() and is_zipfile(path)


def _member(cell: int) -> str:
    return f"{cell}.jpg"
