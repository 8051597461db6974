"""What slides of the patients of a cross-validation look like, from their cells.

Cells of a patient stand for a slide: of four photos from which NLM cut out cells, the cells that
`smear` finds are as like the patients as a patient is (benchmarks/counting.py, "NLM's photos").
"""

from __future__ import annotations

import numpy as np

from hemozoin.arrays import Floats, Pixels
from hemozoin.classes import UNINFECTED
from hemozoin.data.cells import LabelledCells
from hemozoin.data.split import has_patients
from hemozoin.decision.conformal import REVIEW, ReviewBand
from hemozoin.decision.ood import OutOfDistributionDetector, cell_measures, stain_and_texture
from hemozoin.decision.reference_patients import (
    BulkCells,
    ReferencePatients,
    fit_reference_patients,
)
from hemozoin.decision.temperature import log_odds


def reference_patients_of(
    cells: LabelledCells,
    p_parasitized: Floats,
    pixels: Pixels,
    review_band: ReviewBand,
    detector: OutOfDistributionDetector,
) -> ReferencePatients | None:
    """Fit the reference on the cells of `bulk_cells`; None for few or unknown patients."""
    if not has_patients(cells):
        return None
    return fit_reference_patients(bulk_cells(cells, p_parasitized, pixels, review_band, detector))


def bulk_cells(
    cells: LabelledCells,
    p_parasitized: Floats,
    pixels: Pixels,
    review_band: ReviewBand,
    detector: OutOfDistributionDetector,
) -> BulkCells:
    """Return the uninfected cells that are not called parasitized, of known patients.

    `pixels`, uint8 `[cells, S, S, 3]`, and `p_parasitized` are of the same cells. Where corrected
    labels are known, both labels have to be uninfected.
    """
    bulk = (cells.label == UNINFECTED) & (p_parasitized <= review_band.high)
    if cells.corrected is not None:
        bulk &= cells.corrected == cells.label
    patient, p = cells.patient[bulk].astype(np.str_), p_parasitized[bulk]
    measures = cell_measures(pixels[bulk])
    strange = detector.is_outside(measures)
    review = (review_band.decide_all(p) == REVIEW) | strange
    return BulkCells(patient, log_odds(p), stain_and_texture(measures), review, strange)
