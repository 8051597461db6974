"""Findings about a data set: counts, quantiles, duplicates, errors and advice.

They follow from the table `MeasuredCells`; counts need only its `label` and `patient`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hemozoin.arrays import Bools, Floats
from hemozoin.classes import PARASITIZED, UNINFECTED
from hemozoin.data.cells import Cells, LabelledCells, is_known

#: The order in which the classes are shown; that of the network's outputs is `classes.CLASSES`.
LABELS = (PARASITIZED, UNINFECTED)

#: The measures of a cell, and the quantiles that are shown.
MEASURES = ("width", "height", "red", "green", "blue")
QUANTILES = {"min": 0.0, "5 %": 0.05, "median": 0.5, "95 %": 0.95, "max": 1.0}

#: Class → name of the quantile → value.
Quantiles = dict[str, dict[str, float]]

#: Advice is given if the patient predicts the label by this much better than guessing.
_RELEVANT_GAIN = 0.05


@dataclass(frozen=True)
class ClassCount:
    """The number of cells and of patients of a class."""

    label: str
    cells: int
    patients: int


@dataclass(frozen=True)
class PatientCount:
    """The number of cells of a patient; `share` of them (0..1) are parasitized."""

    patient: str
    cells: int
    parasitized: int
    uninfected: int
    share: float


@dataclass(frozen=True)
class Duplicate:
    """Files with the same picture, and all labels and patients of these files."""

    files: tuple[str, ...]
    labels: tuple[str, ...]
    patients: tuple[str, ...]

    @property
    def across_classes(self) -> bool:
        """Whether the files are in both classes, so that a label is wrong."""
        return len(self.labels) > 1

    @property
    def across_patients(self) -> bool:
        """Whether the files have several patients, so that a split may put them in both parts."""
        return len(self.patients) > 1


@dataclass(frozen=True, eq=False, kw_only=True)
class MeasuredCells(Cells):
    """The table of cells with the measures of their pictures; all names are printable.

    The measures of a picture that can't be read are NaN; so are the colours of a black picture.
    """

    #: Size in px.
    width: Floats
    height: Floats
    #: Means over the pixels of the cell, 0..255.
    red: Floats
    green: Floats
    blue: Floats
    #: A hash of size and pixels, 0 where the picture can't be read.
    pixel_hash: npt.NDArray[np.uint64]

    def measure(self, name: str) -> Floats:
        """Return the column of one of `MEASURES`."""
        column: Floats = getattr(self, name)
        return column

    @property
    def is_readable(self) -> Bools:
        """Where the picture could be read, bool `[cells]`."""
        return ~np.isnan(self.width)


def count_classes(cells: LabelledCells) -> tuple[ClassCount, ...]:
    """Return the counts of both classes, in the order of `LABELS`."""
    return tuple(_count_class(cells, label) for label in LABELS)


def _count_class(cells: LabelledCells, label: str) -> ClassCount:
    of_class = cells.select(cells.label == label)
    return ClassCount(label, len(of_class), len({*of_class.patient} - {None}))


def count_patients(cells: LabelledCells) -> tuple[PatientCount, ...]:
    """Return the counts of each known patient, sorted by decreasing number of cells."""
    of_patient = Counter(patient for patient in cells.patient if patient is not None)
    infected = Counter(cells.patient[cells.label == PARASITIZED])
    counts = (
        PatientCount(name, count, infected[name], count - infected[name], infected[name] / count)
        for name, count in of_patient.items()
    )
    return tuple(sorted(counts, key=lambda one: (-one.cells, one.patient)))


def patient_facts(patients: Sequence[PatientCount]) -> dict[str, str]:
    """Return facts about the patients, as name → value; empty without patients."""
    if not patients:
        return {}
    cells = np.array([one.cells for one in patients])
    share = np.array([one.share for one in patients])
    return {
        "patients": f"{len(patients):,}",
        "patients with one class only": f"{np.isin(share, (0, 1)).sum():,}",
        "patients with half of all parasitized cells": f"{patients_with_half(patients):,}",
        "cells per patient": f"{cells.min():,} to {cells.max():,}, median {np.median(cells):,.0f}",
        "share parasitized per patient": f"{share.min():.0%} to {share.max():.0%},"
        f" median {np.median(share):.0%}",
    }


def patients_with_half(patients: Sequence[PatientCount]) -> int:
    """Return the smallest number of patients who together have half of the parasitized cells."""
    cells = np.sort([one.parasitized for one in patients])[::-1].cumsum()
    return int(np.searchsorted(cells, cells[-1] / 2)) + 1


def majority_accuracies(patients: Sequence[PatientCount]) -> tuple[float, float]:
    """Return the accuracy of predicting the majority label of each patient, and of all cells.

    Both are in [0, 1]. A network can gain their difference by recognising patients instead of
    parasites.
    """
    counts = np.array([(one.parasitized, one.uninfected) for one in patients])
    by_patient, overall = counts.max(axis=1).sum(), counts.sum(axis=0).max()
    return float(by_patient / counts.sum()), float(overall / counts.sum())


def quantiles(cells: MeasuredCells, measure: str) -> Quantiles:
    """Return the `QUANTILES` of a measure by class; a class without values is left out."""
    values = {label: measured_values(cells, measure, label) for label in LABELS}
    return {label: _quantiles(of_class) for label, of_class in values.items() if len(of_class)}


def measured_values(cells: MeasuredCells, measure: str, label: str) -> Floats:
    """Return the known values of a measure in one class."""
    column = cells.measure(measure)
    in_class: Bools = cells.label == label
    return column[in_class & ~np.isnan(column)]


def _quantiles(values: Floats) -> dict[str, float]:
    ordered, last = np.sort(values), len(values) - 1
    return {name: float(ordered[int(share * last + 0.5)]) for name, share in QUANTILES.items()}


def find_duplicates(cells: MeasuredCells) -> tuple[Duplicate, ...]:
    """Return the groups of files that hold the same pixels, label conflicts first."""
    rows_of = defaultdict[int, list[int]](list)
    for row in np.flatnonzero(cells.is_readable).tolist():
        rows_of[int(cells.pixel_hash[row])].append(row)
    found = (
        Duplicate(
            files=tuple(cells.file[rows]),
            labels=tuple(sorted({*cells.label[rows]})),
            patients=tuple(sorted({*cells.patient[rows]} - {None})),
        )
        for rows in rows_of.values()
        if len(rows) > 1
    )
    return tuple(sorted(found, key=lambda one: (-one.across_classes, -one.across_patients)))


def find_alarms(cells: MeasuredCells, duplicates: tuple[Duplicate, ...]) -> tuple[str, ...]:
    """Return the errors in the data, a sentence each."""
    conflicts = sum(one.across_classes for one in duplicates)
    leaks = sum(one.across_patients for one in duplicates)
    black = int((cells.is_readable & np.isnan(cells.red)).sum())
    counts = {
        f"Pictures in BOTH CLASSES: {conflicts:,}. One label of each is wrong; decide which, and"
        " remove that file.": conflicts,
        f"Pictures of several PATIENTS: {leaks:,}. Even a split by patient can put the same picture"
        " into training and test data; keep one file of each.": leaks,
        f"Black pictures: {black:,}. They are useless for training.": black,
    }
    return tuple(sentence for sentence, count in counts.items() if count)


def find_advice(cells: LabelledCells, patients: Sequence[PatientCount]) -> tuple[str, ...]:
    """Return advice for training and testing on these cells, a sentence each."""
    advice = []
    if patients:
        by_patient, guess = majority_accuracies(patients)
        if by_patient - guess > _RELEVANT_GAIN:
            advice.append(
                f"{by_patient:.1%} of the labels can be predicted from the patient alone, and"
                f" {guess:.1%} by guessing the larger class. Split by patient, never by cell."
            )
    unknown = int((~is_known(cells.patient)).sum())
    if unknown:
        advice.append(
            f"The patient of {unknown:,} of {len(cells):,} cells is unknown; give --patients CSV."
            " With a split by picture, the metrics are too good."
        )
    return tuple(advice)
