"""Recalibration: the network's probabilities in a field, by the field's own healthy majority.

A network is calibrated for slides like those that it has learned from. Under another microscope
all cells, healthy ones too, can look more infected to it: its log odds are too high by about the
same amount. The usual correction is another intercept (recalibration in the large: Janssen et al.
2008, J Clin Epidemiol 61, 76; Steyerberg 2019, Clinical Prediction Models, chapter 20). It needs
labels elsewhere, but not here: in nearly all fields most red cells are healthy, so the median cell
is a healthy one, and its log odds are known of patients that the network was not trained on. Where
the median is above those of nearly all of them, the log odds of the field's cells are lowered until
it is not. In a severe malaria the median of all cells is too high for a healthy one: where many are
called even then, these are left out, and the median is taken again. The log odds are never raised,
and other fields stay as they are. So do those in which so many cells are called infected that they
are no thin smear of a mammal's blood (see `quality`).

benchmarks/field_context.py shows gain and cost in other places.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hemozoin.arrays import Bools, Floats
from hemozoin.classes import PARASITIZED
from hemozoin.decision.conformal import ReviewBand
from hemozoin.decision.temperature import log_odds, sigmoid
from hemozoin.model.prediction import OUT_OF_DISTRIBUTION, CellDecision, decide

#: With fewer cells, the median is too uncertain.
_FEWEST_CELLS = 10

#: Largest share of the cells that may be called infected: with more, the median is no healthy cell.
_MAX_CALLED = 0.6

#: Share of the cells from which on so many are called that the median is taken without them. It is
#: up to 0.21 in BBBC041, where most of them are healthy, and 0.24 to 0.44 in fields in which an eye
#: sees as many.
_MANY_CALLED = 0.25


def log_odds_shift(
    p_parasitized: Sequence[float], highest: float | None, band: ReviewBand
) -> float:
    """Return by how much the log odds of a field's red cells are too high, 0 or more.

    `highest` is the highest median of the log odds that healthy slides have. The shift is 0 where
    it is not known, for fewer than 10 cells, and for more than 60 % of them called. A median cell
    that is called is taken for one that is just too close to call.
    """
    if highest is None or len(p_parasitized) < _FEWEST_CELLS:
        return 0.0
    p = np.array(p_parasitized)
    if _called(p, band).mean() > _MAX_CALLED:
        return 0.0
    before, shift = np.inf, _excess(np.minimum(p, band.high), highest)
    while 0 < shift < before:
        called = _called(sigmoid(log_odds(p) - shift), band)
        if called.mean() <= _MANY_CALLED:
            break
        before, shift = shift, _excess(p[~called], highest)
    return round(shift, 4)


def _called(p: Floats, band: ReviewBand) -> Bools:
    """Return which cells are called."""
    return np.asarray(band.decide_all(p) == PARASITIZED)


def _excess(p: Floats, highest: float) -> float:
    """Return by how much the median of the log odds is above the highest one, 0 or more."""
    return max(float(log_odds(np.array(np.median(p)))) - highest, 0.0)


def shifted(p_parasitized: float, shift: float) -> float:
    """Return a probability after `shift` was taken from its log odds."""
    if not shift:
        return p_parasitized
    return round(float(sigmoid(log_odds(np.array(p_parasitized)) - shift)), 6)


def recalibrate(decided: CellDecision, shift: float, band: ReviewBand) -> CellDecision:
    """Return the decision on a cell with the log odds lowered by `shift`.

    A cell that is not like the training cells stays for review.
    """
    if not shift:
        return decided
    p = shifted(decided.p_parasitized, shift)
    decision, reason = decide(p, decided.reason == OUT_OF_DISTRIBUTION, band)
    return decided._replace(p_parasitized=p, decision=decision, reason=reason)
