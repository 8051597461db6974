"""What the user says about a data set besides where it lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class CellOptions:
    """What the names in a data set mean."""

    parasitized: str = "Parasitized"
    """Folder of the parasitized cells."""
    uninfected: str = "Uninfected"
    """Folder of the uninfected cells."""
    patients: tuple[Path, ...] = ()
    """CSV files that name each cell's patient; NLM's names need none."""
    patient_column: str = "patient"
    """Column of the patient in those files."""
    labels: Path | None = None
    """CSV of label corrections: cell, corrected_label."""
    allow_unreadable: bool = False
    """Go on even if more than 1 % of the pictures can't be read."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, paths made absolute, ready for JSON."""
        return asdict(self) | {
            "patients": [str(path.resolve()) for path in self.patients],
            "labels": str(self.labels.resolve()) if self.labels else None,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> CellOptions:
        """Read back what `to_dict` gave."""
        paths = {
            "patients": tuple(map(Path, values["patients"])),
            "labels": Path(values["labels"]) if values["labels"] else None,
        }
        return cls(**{**values, **paths})
