"""What the table of measured cells says about a data set, before any network has seen it.

The functions take the table that `measure` makes: one row per cell with `file`, `label`,
`patient` (null if unknown), `width`, `height` (px), `red`, `green`, `blue` (0..255, means over
the cell's own pixels) and `pixels` (a hash). A picture that can't be read has null for all of
the latter, one that is wholly black has no colour.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from hemozoin.classes import PARASITIZED, UNINFECTED

LABELS = (PARASITIZED, UNINFECTED)

#: What is measured on a cell, and the quantiles that are told of it.
MEASURES = ("width", "height", "red", "green", "blue")
QUANTILES = {"min": 0.0, "5 %": 0.05, "median": 0.5, "95 %": 0.95, "max": 1.0}

#: Class -> name of the quantile -> value.
Quantiles = dict[str, dict[str, float]]

#: By so much must the patient beat a blind guess before it is worth a warning.
_TELLING = 0.05


@dataclass(frozen=True)
class ClassCount:
    """How many cells a class has, and of how many patients."""

    label: str
    cells: int
    patients: int


@dataclass(frozen=True)
class Duplicate:
    """Files that hold one and the same picture, with every label and patient it goes by."""

    files: tuple[str, ...]
    labels: tuple[str, ...]
    patients: tuple[str, ...]

    @property
    def across_classes(self) -> bool:
        """Whether one of its labels must be wrong."""
        return len(self.labels) > 1

    @property
    def across_patients(self) -> bool:
        """Whether a split by patient can still put it on both sides."""
        return len(self.patients) > 1


def count_classes(cells: pl.DataFrame) -> tuple[ClassCount, ...]:
    """Return the counts of both classes, parasitized first."""
    return tuple(_count_class(cells, label) for label in LABELS)


def _count_class(cells: pl.DataFrame, label: str) -> ClassCount:
    of_class = cells.filter(pl.col("label") == label)
    return ClassCount(label, len(of_class), of_class["patient"].drop_nulls().n_unique())


def count_patients(cells: pl.DataFrame) -> pl.DataFrame:
    """Return `patient`, `cells`, `parasitized`, `uninfected`, `share` (parasitized, 0..1).

    One row per known patient, the one with the most cells first.
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
    """Return what is worth knowing about the patients, as name -> value; nothing for none."""
    if patients.is_empty():
        return {}
    cells, share = patients["cells"].to_numpy(), patients["share"].to_numpy()
    return {
        "patients": f"{len(patients):,}",
        "with one class only": f"{np.isin(share, (0, 1)).sum():,}",
        "holding half of all parasitized cells": f"{holders_of_half(patients):,}",
        "cells of each": f"{cells.min():,} to {cells.max():,}, median {np.median(cells):,.0f}",
        "parasitized of each": f"{share.min():.0%} to {share.max():.0%},"
        f" median {np.median(share):.0%}",
    }


def holders_of_half(patients: pl.DataFrame) -> int:
    """Return how few patients hold half of the parasitized cells between them."""
    held = np.sort(patients["parasitized"].to_numpy())[::-1].cumsum()
    return int(np.searchsorted(held, held[-1] / 2)) + 1


def patient_alone(patients: pl.DataFrame) -> tuple[float, float]:
    """Return how often each patient's commoner label is right, and how often the commoner of all.

    Both are shares of the cells, 0..1. The gap between them is what a network can gain by
    recognising patients instead of parasites.
    """
    counts = patients.select("parasitized", "uninfected").to_numpy()
    right, overall = counts.max(axis=1).sum(), counts.sum(axis=0).max()
    return float(right / counts.sum()), float(overall / counts.sum())


def quantiles(cells: pl.DataFrame, measure: str) -> Quantiles:
    """Return the `QUANTILES` of a measure by class; a class without values is left out."""
    told = [pl.col(measure).quantile(q).alias(name) for name, q in QUANTILES.items()]
    table = cells.drop_nulls(measure).group_by("label").agg(told)
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
    """Return what is wrong with the cells themselves, one sentence each."""
    conflicts = sum(one.across_classes for one in duplicates)
    leaks = sum(one.across_patients for one in duplicates)
    black = len(cells.drop_nulls("width")) - len(cells.drop_nulls("red"))
    found = {
        f"Pictures that stand in BOTH CLASSES: {conflicts:,}. One label of each must be wrong;"
        " decide which, and take the other file out.": conflicts,
        f"Pictures that stand under several PATIENTS: {leaks:,}. Even a split by patient can put"
        " them into training and test; keep one of each.": leaks,
        f"Pictures that are wholly black: {black:,}. There is nothing to learn from them.": black,
    }
    return tuple(sentence for sentence, count in found.items() if count)


def find_advice(cells: pl.DataFrame, patients: pl.DataFrame) -> tuple[str, ...]:
    """Return what to mind when figures are measured on these cells, one sentence each."""
    advice = []
    if len(patients):
        alone, guess = patient_alone(patients)
        if alone - guess > _TELLING:
            advice.append(
                f"The patient alone predicts the label with {alone:.1%} (a blind guess:"
                f" {guess:.1%}). Split by patient, never by cell."
            )
    unknown = cells["patient"].null_count()
    if unknown:
        advice.append(
            f"The patient of {unknown:,} of {len(cells):,} cells is unknown; name them with"
            " --patients CSV. A split by picture gives figures that are too good."
        )
    return tuple(advice)
