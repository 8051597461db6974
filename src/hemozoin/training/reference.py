"""What slides of the patients of a cross-validation look like, from their cells.

Cells of a patient stand for a slide. Before the detector sees them, their stain is normalized as
that of the cells of a slide is (`smear/normalization.py`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hemozoin.arrays import Floats, Pixels
from hemozoin.classes import UNINFECTED
from hemozoin.data.cells import LabelledCells
from hemozoin.data.split import has_patients
from hemozoin.decision.conformal import REVIEW, ReviewBand
from hemozoin.decision.ood import OutOfDistributionDetector, cell_measures, texture_of
from hemozoin.decision.reference_patients import (
    BulkCells,
    ReferencePatients,
    fit_reference_patients,
)
from hemozoin.decision.temperature import log_odds
from hemozoin.smear.field import SmearObject
from hemozoin.smear.normalization import FieldStain

#: A cell that fills its picture; its place is of no importance where the background is the same.
_ANYWHERE = SmearObject("red cell", 0, 0, 1, 1, ())


def reference_patients_of(
    cells: LabelledCells,
    p_parasitized: Floats,
    pixels: Pixels,
    review_band: ReviewBand,
    detector: OutOfDistributionDetector,
) -> ReferencePatients | None:
    """Fit the reference on the uninfected cells that are not called parasitized.

    `pixels`, uint8 `[cells, S, S, 3]`, and `p_parasitized` are of the same cells. Where corrected
    labels are known, both labels have to be uninfected. Returns None for few or unknown patients.
    """
    if not has_patients(cells):
        return None
    bulk = (cells.label == UNINFECTED) & (p_parasitized <= review_band.high)
    if cells.corrected is not None:
        bulk &= cells.corrected == cells.label
    patient, p = cells.patient[bulk].astype(np.str_), p_parasitized[bulk]
    measures = _measures(pixels[bulk], patient)
    strange = detector.is_outside(measures)
    review = (review_band.decide_all(p) == REVIEW) | strange
    return fit_reference_patients(
        BulkCells(patient, log_odds(p), texture_of(measures), review, strange)
    )


def _measures(pixels: Pixels, patient: npt.NDArray[np.str_]) -> Floats:
    """Return the detector's measures of cells whose stain is normalized, patient by patient."""
    normalized = pixels.copy()
    for name in np.unique(patient):
        stain = FieldStain.of_cells(pixels[patient == name])
        for row in np.flatnonzero(patient == name):
            normalized[row] = stain.for_detector(pixels[row], _ANYWHERE)
    return cell_measures(normalized)
