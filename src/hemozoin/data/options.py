"""What the user says about a data set, apart from its path."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

#: What training does with a cell whose label was corrected: use the new label, or omit the cell.
OnCorrection = Literal["relabel", "leave-out", "keep"]


@dataclass(frozen=True)
class CellOptions:
    """The meaning of the names in a data set, and what is allowed in it."""

    parasitized: str = "Parasitized"
    """Folder of the parasitized cells; several folders are separated by commas."""
    uninfected: str = "Uninfected"
    """Folder of the uninfected cells; several folders are separated by commas."""
    patients: tuple[Path, ...] = ()
    """CSV files with the patient of each cell; not needed for NLM's file names."""
    patient_column: str = "patient"
    """Column of the patient in these files."""
    labels: Path | None = None
    """CSV of label corrections, with the columns cell and corrected_label."""
    allow_unreadable: bool = False
    """Continue even if more than 1 % of the pictures can't be read."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values for JSON, with absolute paths."""
        return asdict(self) | {
            "patients": [str(path.resolve()) for path in self.patients],
            "labels": str(self.labels.resolve()) if self.labels else None,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> CellOptions:
        """Return the options that `to_dict` described.

        Raises LookupError, TypeError or ValueError where values are missing, unknown or no paths.
        """
        if not isinstance(values["patients"], list):
            raise TypeError("patients is no list")
        paths = {
            "patients": tuple(map(saved_path, values["patients"])),
            "labels": None if values["labels"] is None else saved_path(values["labels"]),
        }
        return cls(**{**values, **paths})


def saved_path(value: str) -> Path:
    """Return a path from a saved file; raises ValueError if it is empty or of no file system."""
    if not value or b"\0" in os.fsencode(value):
        raise ValueError("an empty path, or one with a NUL character")
    return Path(value)
