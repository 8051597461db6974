"""The inspection of a data set: its content, its errors, and advice for training and testing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from textwrap import fill

from hemozoin.data.cells import Cells
from hemozoin.data.inspect import findings
from hemozoin.data.inspect.contact_sheet import Tile
from hemozoin.data.inspect.findings import (
    MEASURES,
    QUANTILES,
    ClassCount,
    Duplicate,
    MeasuredCells,
    PatientCount,
    Quantiles,
)
from hemozoin.data.inspect.measurement import measure_cells
from hemozoin.data.source import Source
from hemozoin.progress import printable

#: Number of unreadable or duplicate pictures listed on a terminal; JSON has all of them.
_LISTED = 10


@dataclass(frozen=True, eq=False)
class Inspection:
    """All findings about a data set.

    `measures` maps each of `MEASURES` to its quantiles by class. `unreadable` has a line per
    picture that can't be read. `alarms` are errors in the data, `advice` is for training and
    testing on them. `sheet` has the cells of the contact sheet.
    """

    source: str
    cells: MeasuredCells
    classes: tuple[ClassCount, ...]
    patients: tuple[PatientCount, ...]
    measures: dict[str, Quantiles]
    duplicates: tuple[Duplicate, ...]
    unreadable: tuple[str, ...]
    alarms: tuple[str, ...]
    advice: tuple[str, ...]
    sheet: tuple[Tile, ...]

    def text(self) -> str:
        """Return everything except the pictures as text for a terminal of 80 columns."""
        parts = [
            _classes_text(self),
            _patients_text(self.patients),
            _measures_text(self.measures),
            _files_text(self),
            *(_sentence("!!", alarm) for alarm in self.alarms),
            *(_sentence("!", advice) for advice in self.advice),
        ]
        return "\n\n".join(part for part in parts if part)

    def to_dict(self) -> dict[str, object]:
        """Return everything except the pictures as plain values for JSON."""
        return {
            "source": self.source,
            "cells": len(self.cells),
            "classes": [asdict(count) for count in self.classes],
            "patients": [asdict(one) for one in self.patients],
            "measures": self.measures,
            "duplicates": [asdict(one) for one in self.duplicates],
            "unreadable": list(self.unreadable),
            "alarms": list(self.alarms),
            "advice": list(self.advice),
        }


def inspect(source: Source, cells: Cells) -> Inspection:
    """Decode every picture once, and return the findings.

    `cells` are those of `index_cells` for this `source`. Pictures that can't be read are
    listed.
    """
    measured = measure_cells(source, cells)
    patients = findings.count_patients(measured.cells)
    duplicates = findings.find_duplicates(measured.cells)
    return Inspection(
        source=printable(source.path.resolve().name),
        cells=measured.cells,
        classes=findings.count_classes(measured.cells),
        patients=patients,
        measures={name: findings.quantiles(measured.cells, name) for name in MEASURES},
        duplicates=duplicates,
        unreadable=measured.unreadable,
        alarms=findings.find_alarms(measured.cells, duplicates),
        advice=findings.find_advice(measured.cells, patients),
        sheet=measured.sheet,
    )


def _classes_text(inspection: Inspection) -> str:
    heading = f"{inspection.source}: {len(inspection.cells):,} cells\n"
    lines = [f"{one.label:20}{one.cells:9,}{one.patients:9,}" for one in inspection.classes]
    return "\n".join([heading, f"{'':20}{'cells':>9}{'patients':>9}", *lines])


def _patients_text(patients: Sequence[PatientCount]) -> str:
    facts = findings.patient_facts(patients)
    return "\n".join(f"{name:44}{value}" for name, value in facts.items())


def _measures_text(measures: dict[str, Quantiles]) -> str:
    lines = [f"{'':20}" + "".join(f"{name:>9}" for name in QUANTILES)]
    for name, by_class in measures.items():
        for label, values in by_class.items():
            lines.append(f"{name:8}{label:12}" + "".join(f"{v:9.0f}" for v in values.values()))
    lines.append("width, height in px; colours 0 to 255, means over the cell without background")
    return "\n".join(lines)


def _files_text(inspection: Inspection) -> str:
    duplicates = ["\n  = ".join(one.files) + _marks(one) for one in inspection.duplicates]
    return "\n".join(
        [
            *_listing("unreadable pictures", inspection.unreadable),
            *_listing("pictures stored more than once", duplicates),
        ]
    )


def _marks(one: Duplicate) -> str:
    across = [(one.across_classes, "BOTH CLASSES"), (one.across_patients, "SEVERAL PATIENTS")]
    marks = ", ".join(mark for is_across, mark in across if is_across)
    return f" ({marks})" if marks else ""


def _listing(title: str, lines: Sequence[str]) -> list[str]:
    more = [f"  and {len(lines) - _LISTED:,} more"] if len(lines) > _LISTED else []
    return [f"{len(lines):,} {title}", *(f"  {line}" for line in lines[:_LISTED]), *more]


def _sentence(mark: str, sentence: str) -> str:
    return fill(f"{mark} {sentence}", 80, subsequent_indent=" " * (len(mark) + 1))
