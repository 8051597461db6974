"""Labelled predictions: the input of every metric and of every fitted decision rule."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hemozoin.arrays import Array, Bools, Floats
from hemozoin.classes import PARASITIZED
from hemozoin.data.cells import LabelledCells
from hemozoin.data.split import has_patients


@dataclass(frozen=True, eq=False)
class LabelledPredictions:
    """The true class, the predicted probability and the patient of each cell.

    Raises ValueError where the arrays differ in length, `truth` is not boolean or `p` leaves
    [0, 1]: each of these is a bug in the calling code.
    """

    #: bool `[cells]`, True for parasitized.
    truth: Bools
    #: float `[cells]`, the predicted probability of parasitized.
    p: Floats
    #: str `[cells]`, or None where no patient is known.
    patient: npt.NDArray[np.str_] | None = None

    def __post_init__(self) -> None:
        """Check the shapes and ranges."""
        columns = [self.truth, self.p] + ([] if self.patient is None else [self.patient])
        if {column.shape for column in columns} != {(len(self.p),)}:
            raise ValueError(f"shapes differ: {[column.shape for column in columns]}")
        if self.truth.dtype != np.bool_:
            raise ValueError(f"truth is {self.truth.dtype}, not bool: True means parasitized")
        if not np.all((self.p >= 0) & (self.p <= 1)):
            raise ValueError("p has values outside [0, 1]")

    @classmethod
    def from_cells(cls, cells: LabelledCells, p: Floats) -> LabelledPredictions:
        """Join the labels and patients of cells with their `p`, in the same order.

        Raises DataError where only some of the cells have a patient.
        """
        patient = cells.patient.astype(np.str_) if has_patients(cells) else None
        return cls(cells.label == PARASITIZED, np.asarray(p, np.float64), patient)

    def __len__(self) -> int:
        """Return the number of cells."""
        return len(self.p)

    @property
    def has_both_classes(self) -> bool:
        """Whether there are parasitized and uninfected cells."""
        return bool(self.truth.any() and not self.truth.all())

    @property
    def independent_unit(self) -> Array:
        """The patient of each cell, or the cell's own number where no patient is known.

        `[cells]`. Cells of one patient depend on each other, so patients are the units that
        statistics may treat as independent.
        """
        return np.arange(len(self)) if self.patient is None else self.patient

    def subset(self, selected: Bools) -> LabelledPredictions:
        """Return the cells where `selected` (bool `[cells]`) is True."""
        patient = None if self.patient is None else self.patient[selected]
        return LabelledPredictions(self.truth[selected], self.p[selected], patient)
