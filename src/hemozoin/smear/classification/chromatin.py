"""Chromatin: cells that the network takes for infected or can't tell, checked by their field.

The network has to work with stains of any strength, and sees one cell at a time. So a faint grey
spot looks to it like chromatin that is weakly stained, and it can't tell whether a cell has more
contrast than others. In a field both are known (optical densities, Beer-Lambert):

    no chromatin      Giemsa colours chromatin red-violet: it absorbs green light, and far less of
                      red. The edge of a drop that dried, and most platelets on a cell, absorb both
                      alike and are faint.
    plain             Folds, a bumpy outline, grain and a dark stain give every cell of a field dark
                      spots. A cell whose densest spot is hardly denser than that of the field's
                      healthy cells shows nothing that they don't; a grey and faint one must be
                      twice as dense.
    much contrast     A cell full of parasite and pigment has more contrast than the training cells.
                      Where the network calls such a cell infected, its contrast isn't strange.
    red-violet        An old parasite fills its cell, has no distinct spot, and makes the whole cell
                      more red-violet than the others. A platelet is so, too, but is smaller.
    enlarged          A cell with P. vivax or P. ovale grows (CDC, DPDx). One that is larger than
                      the healthy ones and has a dark spot may hold a parasite.

A called cell that is plain or has no chromatin is for review, unless it is red-violet as a whole;
then it is called even if it is not like the training cells. A plain cell that is too close to call
is uninfected, if that is its label. In a field with few cells to compare with, a cell is called
only where p is beyond the threshold for counting. A cell that is red-violet or enlarged is for
review, not uninfected, also where p is too low for that by itself.

The numbers for chromatin were chosen on NLM's infected cells, of which 0.6 to 0.8 % go to review
for it, and on the drops and platelets of BCCD; those for plain cells on NLM's cells and BBBC041;
those for distinct spots and for enlarged cells on all places. A whole cell is red-violet by the
usual three standard deviations. benchmarks/field_context.py shows gain and cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import NamedTuple

import cv2
import numpy as np

from hemozoin.arrays import Bools, Floats, Pixels
from hemozoin.classes import PARASITIZED, UNINFECTED
from hemozoin.data.cutout import brightest, interior
from hemozoin.decision.conformal import REVIEW
from hemozoin.model.bundle import Bundle
from hemozoin.model.prediction import NO_CHROMATIN, OUT_OF_DISTRIBUTION, TOO_CLOSE, CellDecision
from hemozoin.optics import optical_density
from hemozoin.smear.quality import MANY_CELLS
from hemozoin.smear.segmentation.color import TypicalColor, typical_color

#: Red density of chromatin over its green density, at most. 95 % of NLM's infected cells are
#: below 0.35; drops and platelets on cells of BCCD are from 0.47 to 0.80.
_MAX_RED = 0.45

#: The same for a spot that is distinct: denser than that of healthy cells by this factor.
#: Gametocytes are so, with little red-violet; dark spots of healthy cells reach 2.8.
_MAX_RED_IF_DISTINCT, _DISTINCT = 0.55, 3.0

#: Least density over the largest, of the three channels, from which a spot is black: ink, dirt, a
#: scale bar in the picture, which has 0.87 to 0.98.
_BLACK = 0.85

#: Density of chromatin relative to the rest of the cell, at least.
_MIN_DENSITY = 0.3

#: A cell is plain below this density of its spot, as a multiple of that of healthy cells: where
#: the spot may be chromatin by its colour or density, and where it is grey and faint. Of NLM's
#: infected cells, 0.2 % are below the first.
_PLAIN, _PLAIN_IF_GREY = 1.4, 2.0

#: A whole cell is red-violet where its colour is this many standard deviations from that of healthy
#: cells, and its area at least this share of theirs. Platelets have 0.3 to 0.4 of it.
_RED_VIOLET, _NOT_PLATELET = 3.0, 0.6

#: A cell is enlarged from this multiple of the area of healthy ones on, if its spot is at least so
#: many times as dense as theirs.
_ENLARGED, _DARK_SPOT = 1.3, 2.0

#: Least p of a red-violet or enlarged cell for review. In eleven versions of the fields of all
#: places, 16 of 32 infected cells that were taken for uninfected, and 176 of 104,000 others.
SUSPECT = 0.12

#: Fewest healthy cells that show what is typical of a field.
_FEWEST = 5

#: Share of a cell's pixels that are its densest spot: about the chromatin of one ring.
_SPOT = 0.01

#: Width of the cell's rim, as a share of the picture: the rim is dark in any cell.
_RIM = 1 / 32

_DENSITY = optical_density(np.arange(256))


class CellStain(NamedTuple):
    """What a cell shows of its stain: optical densities in red, green and blue, `[3]`.

    `spot` is the density of its densest spot, relative to its median; `mean` that of the whole
    cell, relative to the background. `area` is in px².
    """

    spot: Floats
    mean: Floats
    area: float


@dataclass(frozen=True)
class FieldContext:
    """What a field shows of its cells.

    `stain` is the mean density of its red cells, relative to the background; `red_cells` their
    number; `healthy` what healthy ones of them show.
    """

    stain: float
    red_cells: int
    healthy: Sequence[CellStain] = ()

    @property
    def is_small(self) -> bool:
        """Whether there are too few red cells to compare one with."""
        return self.red_cells < MANY_CELLS

    @cached_property
    def typical(self) -> float | None:
        """The median density of healthy cells' densest spots; None for too few cells."""
        spots = [cell.spot for cell in self.healthy]
        return float(np.median(np.mean(spots, axis=1))) if len(spots) >= _FEWEST else None

    @cached_property
    def color(self) -> TypicalColor:
        """The typical colour of healthy cells, from which none is far for too few cells."""
        return typical_color([cell.mean.tolist() for cell in self.healthy])

    @cached_property
    def area(self) -> float:
        """The median area of healthy cells, at least one, in px²."""
        return median(cell.area for cell in self.healthy)


def allow_contrast(decided: CellDecision, normalized: Pixels, bundle: Bundle) -> CellDecision:
    """Return the decision on a cell, parasitized where only its contrast is strange.

    `normalized` is the prepared cell, uint8 `[S, S, 3]`, as the detector sees it.
    """
    if not _is_called_but_strange(decided, bundle):
        return decided
    if bundle.ood_detector.ignoring_contrast().is_out_of_distribution(normalized[None])[0]:
        return decided
    return decided._replace(decision=PARASITIZED, reason=None)


def reconsider(
    decided: CellDecision, cell: CellStain, context: FieldContext, bundle: Bundle
) -> CellDecision:
    """Return the decision on a cell with what the field shows of it."""
    plain, red_violet = is_plain(cell.spot, context), is_red_violet(cell, context)
    if red_violet and _is_called_but_strange(decided, bundle):
        decided = decided._replace(decision=PARASITIZED, reason=None)
    has_none = not red_violet and (plain or not may_be_chromatin(cell.spot, context))
    if decided.decision == PARASITIZED and has_none:
        return decided._replace(decision=REVIEW, reason=NO_CHROMATIN)
    if decided.decision == PARASITIZED and context.is_small and not _is_counted(decided, bundle):
        return decided._replace(decision=REVIEW, reason=TOO_CLOSE)
    label = bundle.label(decided.p_parasitized)
    if decided.reason == TOO_CLOSE and plain and label == UNINFECTED:
        decided = decided._replace(decision=UNINFECTED, reason=None)
    suspect = decided.p_parasitized >= SUSPECT and (red_violet or is_enlarged(cell, context))
    if decided.decision == UNINFECTED and suspect:
        return decided._replace(decision=REVIEW, reason=TOO_CLOSE)
    return decided


def _is_called_but_strange(decided: CellDecision, bundle: Bundle) -> bool:
    """Return whether a cell is for review only because it is not like the training cells."""
    called = bundle.review_band.decide(decided.p_parasitized) == PARASITIZED
    return called and decided.reason == OUT_OF_DISTRIBUTION


def _is_counted(decided: CellDecision, bundle: Bundle) -> bool:
    """Return whether p is beyond the stricter threshold for counting, where a model has one."""
    threshold = bundle.counting_point.threshold if bundle.counting_point else None
    return threshold is None or decided.p_parasitized >= threshold


def may_be_chromatin(spot: Floats, context: FieldContext) -> bool:
    """Return whether the densest spot of a cell, `[3]`, may be chromatin.

    It may be if it is red-violet, or dense and not black: denser than the cells of its field. One
    that is distinct from the spots of healthy cells may have more red.
    """
    red, green, _ = spot
    typical = context.typical
    distinct = typical is not None and spot.mean() >= _DISTINCT * typical
    max_red = _MAX_RED_IF_DISTINCT if distinct else _MAX_RED
    is_dense = spot.mean() >= max(_MIN_DENSITY, context.stain)
    is_black = spot.min() >= _BLACK * spot.max()
    return bool(red <= max_red * green or (is_dense and not is_black))


def is_plain(spot: Floats, context: FieldContext) -> bool:
    """Return whether a cell shows nothing that the field's healthy cells don't show as well."""
    if context.typical is None:
        return False
    limit = _PLAIN if may_be_chromatin(spot, context) else _PLAIN_IF_GREY
    return bool(spot.mean() < limit * context.typical)


def is_red_violet(cell: CellStain, context: FieldContext) -> bool:
    """Return whether a cell as a whole is more red-violet than healthy ones, and no platelet."""
    if context.color.red_violet(cell.mean.tolist()) < _RED_VIOLET:
        return False
    return cell.area >= _NOT_PLATELET * context.area


def is_enlarged(cell: CellStain, context: FieldContext) -> bool:
    """Return whether a cell is larger than healthy ones, and has a spot darker than theirs."""
    if context.typical is None or cell.area < _ENLARGED * context.area:
        return False
    return bool(cell.spot.mean() >= _DARK_SPOT * context.typical)


def stain_of(cell: Pixels, background: Floats, area: float) -> CellStain:
    """Return what a prepared cell, uint8 `[S, S, 3]`, shows of its stain.

    `background` is the density next to it, `[3]`, and `area` its area in px². All is 0 where the
    cell is empty, as the densities of a black object are.
    """
    inside = np.flatnonzero(_interior(cell))
    if not len(inside):
        return CellStain(np.zeros(3, np.float32), np.zeros(3, np.float32), area)
    levels = np.take(cell.reshape(-1, 3), inside, axis=0)  # a mask takes four times as long
    middle = len(levels) // 2
    median_density = _DENSITY[np.partition(levels, middle, axis=0)[middle]]
    density = np.take(_DENSITY, levels)
    count = min(max(round(_SPOT * len(levels)), 3), len(levels))
    densest = np.argpartition(density @ np.ones(3, np.float32), -count)[-count:]
    spot = density[densest].mean(axis=0) - median_density
    return CellStain(spot, density.mean(axis=0) - background, area)


def _interior(cell: Pixels) -> Bools:
    """Return which pixels of a cell are off its rim; all of the cell, where it is too narrow."""
    rim = max(round(_RIM * len(cell)), 1)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * rim + 1, 2 * rim + 1))
    inner = interior(cell, np.asarray(disc, np.uint8))
    return inner if inner.sum() >= 1 / _SPOT else brightest(cell) > 0
