"""Chromatin: a cell that the network takes for infected, checked by the stain of its field.

The network has to work with stains of any strength, and sees one cell at a time. So a faint grey
spot looks to it like chromatin that is weakly stained, and it can't tell whether a cell has more
contrast than others. In a field both are known (optical densities, Beer-Lambert):

    no chromatin      Giemsa colours chromatin red-violet: it absorbs green light, and far less of
                      red. The edge of a drop that dried, and most platelets on a cell, absorb both
                      alike and are faint. Such a cell is for review, not called infected.
    much contrast     A cell full of parasite and pigment has more contrast than the training cells.
                      Where the network calls such a cell infected, its contrast isn't strange.

The numbers were chosen on NLM's infected cells, of which 0.6 to 0.8 % go to review for it, and on
the drops and platelets of BCCD. benchmarks/chromatin.py shows gain and cost in other places.
"""

from __future__ import annotations

import cv2
import numpy as np

from hemozoin.arrays import Bools, Floats, Pixels
from hemozoin.classes import PARASITIZED
from hemozoin.decision.conformal import REVIEW
from hemozoin.decision.ood import OutOfDistributionDetector
from hemozoin.model.bundle import Bundle
from hemozoin.model.prediction import NO_CHROMATIN, OUT_OF_DISTRIBUTION, CellDecision
from hemozoin.optics import optical_density

#: Red density of chromatin over its green density, at most. 95 % of NLM's infected cells are
#: below 0.35; drops and platelets on cells of BCCD are from 0.47 to 0.80.
_MAX_RED = 0.45

#: Density of chromatin relative to the rest of the cell, at least.
_MIN_DENSITY = 0.3

#: Share of a cell's pixels that are its densest spot: about the chromatin of one ring.
_SPOT = 0.01

#: Width of the cell's rim, as a share of the picture: the rim is dark in any cell.
_RIM = 1 / 32

_DENSITY = optical_density(np.arange(256))


def reconsider(
    decided: CellDecision, cell: Pixels, normalized: Pixels, stain: float, bundle: Bundle
) -> CellDecision:
    """Return the decision on a prepared cell, with what its field shows of it.

    `cell` is uint8 `[S, S, 3]` as in the picture, `normalized` the same as the detector sees it;
    `stain` is the mean density of the field's red cells, relative to the background.
    """
    if bundle.review_band.decide(decided.p_parasitized) != PARASITIZED:
        return decided
    if decided.reason == OUT_OF_DISTRIBUTION and _is_strange(normalized, bundle.ood_detector):
        return decided
    if not shows_chromatin(cell, stain):
        return decided._replace(decision=REVIEW, reason=NO_CHROMATIN)
    return decided._replace(decision=PARASITIZED, reason=None)


def _is_strange(normalized: Pixels, detector: OutOfDistributionDetector) -> bool:
    """Return whether a called cell is unlike the training cells in more than its contrast."""
    return bool(detector.ignoring_contrast().is_out_of_distribution(normalized[None])[0])


def shows_chromatin(cell: Pixels, stain: float) -> bool:
    """Return whether the densest spot of a prepared cell, uint8 `[S, S, 3]`, may be chromatin.

    It may be if it is red-violet, or dense: denser than the cells of its field, whose mean density
    is `stain`.
    """
    red, green, blue = _densest_spot(cell)
    is_dense = (red + green + blue) / 3 >= max(_MIN_DENSITY, stain)
    return bool(is_dense or red <= _MAX_RED * green)


def _densest_spot(cell: Pixels) -> Floats:
    """Return the density of the densest spot in red, green and blue, relative to the cell."""
    densities = _DENSITY[cell[_interior(cell)]]
    relative = densities - np.median(densities, axis=0)
    densest = np.argsort(relative.mean(axis=1))[-max(round(_SPOT * len(relative)), 3) :]
    return np.asarray(relative[densest].mean(axis=0))


def _interior(cell: Pixels) -> Bools:
    """Return which pixels of a cell are off its rim; all of the cell, where it is too narrow."""
    inside = (cell.max(axis=2) > 0).astype(np.uint8)
    rim = max(round(_RIM * len(cell)), 1)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * rim + 1, 2 * rim + 1))
    edge = cv2.BORDER_CONSTANT
    interior: Bools = np.asarray(cv2.erode(inside, disc, borderType=edge, borderValue=0)) > 0
    return interior if interior.sum() >= 1 / _SPOT else inside.view(np.bool_)
