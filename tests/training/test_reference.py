"""The reference patients, from the cells of a cross-validation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hemozoin.arrays import Pixels, texts
from hemozoin.decision.conformal import ReviewBand
from hemozoin.decision.ood import fit_ood_detector
from hemozoin.decision.reference_patients import ReferencePatients
from hemozoin.training.reference import reference_patients_of
from tests.support.bundles import some_cells
from tests.support.tables import labelled_cells, without_patients

BAND = ReviewBand(0.3, 0.6, 0.03)
PATIENTS, CELLS = 42, 12


def some_data() -> tuple[Pixels, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    p = np.random.default_rng(0).beta(1, 30, PATIENTS * CELLS)
    return some_cells(PATIENTS * CELLS, 32), p


def fitted(stain: float = 1, **changes: object) -> ReferencePatients | None:
    pixels, p = some_data()
    names = [f"C{number // CELLS}" for number in range(len(p))]
    cells = replace(labelled_cells(["uninfected"] * len(p), names), **changes)  # type: ignore[arg-type]
    dyed = np.where(pixels == 0, 0, 255 * (pixels / 255.0) ** stain).astype(np.uint8)
    return reference_patients_of(cells, p, dyed, BAND, fit_ood_detector(pixels))


def test_it_is_of_uninfected_cells_with_checked_labels() -> None:
    reference = fitted()
    assert reference is not None
    assert (reference.review.patients, reference.review.cells) == (PATIENTS, PATIENTS * CELLS)
    corrected = texts(["parasitized", *["uninfected"] * (PATIENTS * CELLS - 1)])
    checked = fitted(corrected=corrected)
    assert checked is not None
    assert checked.review.cells == PATIENTS * CELLS - 1


def test_the_stain_is_one_of_its_measures() -> None:
    usual, weak = fitted(), fitted(stain=0.8)
    assert usual is not None
    assert weak is not None
    assert weak.mean[4] < usual.mean[4] - 0.1


def test_without_patients_there_is_none() -> None:
    pixels, p = some_data()
    cells = labelled_cells(["uninfected"] * len(p), ["C1"] * len(p))
    detector = fit_ood_detector(pixels)
    assert reference_patients_of(without_patients(cells), p, pixels, BAND, detector) is None
    assert reference_patients_of(cells, p, pixels, BAND, detector) is None
