"""Findings about a data set: counts, quantiles, duplicates, errors and advice.

The functions take the table `MeasuredCells.cells`: one row per cell with `file`, `label`,
`patient` (null if unknown), `width`, `height` (px), `red`, `green`, `blue` (0..255, means over
the pixels of the cell) and `pixels` (a hash). The measures of a picture that can't be read are
null; so are the colours of a black picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from hemozoin.classes import PARASITIZED, UNINFECTED

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


def count_classes(cells: pl.DataFrame) -> tuple[ClassCount, ...]:
    """Return the counts of both classes, in the order of `LABELS`."""
    return tuple(_count_class(cells, label) for label in LABELS)


def _count_class(cells: pl.DataFrame, label: str) -> ClassCount:
    of_class = cells.filter(pl.col("label") == label)
    return ClassCount(label, len(of_class), of_class["patient"].drop_nulls().n_unique())


def count_patients(cells: pl.DataFrame) -> pl.DataFrame:
    """Return a row per known patient, sorted by decreasing number of cells.

    Columns: `patient`, `cells`, `parasitized`, `uninfected`, `share` (parasitized, 0..1).
    """
    infected = pl.col("label") == PARASITIZED
    return (
        cells.drop_nulls("patient")
        .group_by("patient")
        .agg(
            cells=pl.len().cast(pl.Int64),
            parasitized=infected.sum().cast(pl.Int64),
            uninfected=(~infected).sum().cast(pl.Int64),
            share=infected.mean(),
        )
        .sort("cells", "patient", descending=[True, False])
    )


def patient_facts(patients: pl.DataFrame) -> dict[str, str]:
    """Return facts about the patients, as name → value; empty without patients."""
    if patients.is_empty():
        return {}
    cells, share = patients["cells"].to_numpy(), patients["share"].to_numpy()
    return {
        "patients": f"{len(patients):,}",
        "patients with one class only": f"{np.isin(share, (0, 1)).sum():,}",
        "patients with half of all parasitized cells": f"{patients_with_half(patients):,}",
        "cells per patient": f"{cells.min():,} to {cells.max():,}, median {np.median(cells):,.0f}",
        "share parasitized per patient": f"{share.min():.0%} to {share.max():.0%},"
        f" median {np.median(share):.0%}",
    }


def patients_with_half(patients: pl.DataFrame) -> int:
    """Return the smallest number of patients who together have half of the parasitized cells."""
    cells = np.sort(patients["parasitized"].to_numpy())[::-1].cumsum()
    return int(np.searchsorted(cells, cells[-1] / 2)) + 1


def majority_accuracies(patients: pl.DataFrame) -> tuple[float, float]:
    """Return the accuracy of predicting the majority label of each patient, and of all cells.

    Both are in [0, 1]. A network can gain their difference by recognising patients instead of
    parasites.
    """
    counts = patients.select("parasitized", "uninfected").to_numpy()
    by_patient, overall = counts.max(axis=1).sum(), counts.sum(axis=0).max()
    return float(by_patient / counts.sum()), float(overall / counts.sum())


def quantiles(cells: pl.DataFrame, measure: str) -> Quantiles:
    """Return the `QUANTILES` of a measure by class; a class without values is left out."""
    expressions = [pl.col(measure).quantile(q).alias(name) for name, q in QUANTILES.items()]
    table = cells.drop_nulls(measure).group_by("label").agg(expressions)
    rows = {row.pop("label"): row for row in table.iter_rows(named=True)}
    return {label: rows[label] for label in LABELS if label in rows}


def find_duplicates(cells: pl.DataFrame) -> tuple[Duplicate, ...]:
    """Return the groups of files that hold the same pixels, label conflicts first."""
    distinct = pl.col("label", "patient").drop_nulls().unique().sort()
    groups = (
        cells.drop_nulls("pixels")
        .group_by("pixels", maintain_order=True)
        .agg("file", distinct)
        .filter(pl.col("file").list.len() > 1)
    )
    found = [
        Duplicate(tuple(files), tuple(labels), tuple(patients))
        for files, labels, patients in groups.select("file", "label", "patient").iter_rows()
    ]
    return tuple(sorted(found, key=lambda one: (-one.across_classes, -one.across_patients)))


def find_alarms(cells: pl.DataFrame, duplicates: tuple[Duplicate, ...]) -> tuple[str, ...]:
    """Return the errors in the data, a sentence each."""
    conflicts = sum(one.across_classes for one in duplicates)
    leaks = sum(one.across_patients for one in duplicates)
    black = len(cells.drop_nulls("width")) - len(cells.drop_nulls("red"))
    counts = {
        f"Pictures in BOTH CLASSES: {conflicts:,}. One label of each is wrong; decide which, and"
        " remove that file.": conflicts,
        f"Pictures of several PATIENTS: {leaks:,}. Even a split by patient can put the same picture"
        " into training and test data; keep one file of each.": leaks,
        f"Black pictures: {black:,}. They are useless for training.": black,
    }
    return tuple(sentence for sentence, count in counts.items() if count)


def find_advice(cells: pl.DataFrame, patients: pl.DataFrame) -> tuple[str, ...]:
    """Return advice for training and testing on these cells, a sentence each."""
    advice = []
    if len(patients):
        by_patient, guess = majority_accuracies(patients)
        if by_patient - guess > _RELEVANT_GAIN:
            advice.append(
                f"{by_patient:.1%} of the labels can be predicted from the patient alone, and"
                f" {guess:.1%} by guessing the larger class. Split by patient, never by cell."
            )
    unknown = cells["patient"].null_count()
    if unknown:
        advice.append(
            f"The patient of {unknown:,} of {len(cells):,} cells is unknown; give --patients CSV."
            " With a split by picture, the metrics are too good."
        )
    return tuple(advice)
