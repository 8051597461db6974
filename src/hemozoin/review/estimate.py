"""Infected cells of a whole slide, from a person's answers on some of its cells.

Cells that a person chose count as themselves. Cells that were drawn (`worklist.py`) stand for those
that were not: with chance π, a cell stands for w of them,

    w = 1 / π · Σ π / answered        infected = Σ w y        red cells = N - Σ w [it is none]

This is the estimator of Horvitz & Thompson 1952 (J. Am. Stat. Assoc. 47, 663). The second factor is
the number of cells that are expected to be drawn over the number of answers (Grosenbaugh 1965,
adjusted 3P sampling), in one class for the cells with π = 1 and in one for the others: so a
worklist may be half done. It holds whatever the mistakes of the network, whose p only makes the
chances: a worse network costs width, not truth. Prediction-powered inference (Angelopoulos et al.
2023, Science 382, 669) starts from the same design; it adds a prediction for the cells not seen and
corrects it by Σ w (y - prediction). With p recalibrated on the answers as the prediction, its error
on other microscopes was larger (docs/audit.md): nearly all cells with p far from 0 are seen.

The 95 % interval is that of Fay & Feuer 1997 (Stat. Med. 16, 791) for a weighted sum of rare
events, with the beta distribution in place of the gamma (Korn & Graubard 1998, Surv. Methodol. 24,
193). With m = Σ w y, v = Σ w² y, a = m² / v, and n red cells:

    lower end  2.5 % quantile of Beta(a, n a / m - a + 1)
    upper end  97.5 % quantile of the same, with m + w₀ for m and v + w₀² for v

w₀ is the expected weight of one more infected cell: a mean over all cells, those with an answer at
weight 1, in proportion to size², since chances in proportion to the sizes are the best ones for
shares of infected cells in proportion to size². v takes the cells as drawn independently of each
other; they are drawn more evenly (`worklist.py`), so the interval is a little wider than it need
be. With every cell answered, w = w₀ = 1 and this is the interval of Clopper & Pearson 1934: what
remains is that another drop of the blood has other cells. It never has width 0.

Where readers chose all cells, those that the network is sure to be uninfected are not seen. Then
the estimate is a lower bound, and the upper end is that of the infected cells that are shown, a
share s of all: its probability is a mean over s, the network's sensitivity for unseen patients.

A clump is drawn like a cell, and counts like one: as one infected cell if a person sees a parasite
in it, and in the number of red cells by its area. Where readers chose all cells, a clump without an
answer is in neither.

A cell that was not found, but drawn by a reader, counts as itself, in numerator and denominator.
Together with the found cells this is unbiased for all that readers have seen: for the whole slide,
if they drew every missed cell of every field. If they drew only infected ones, those are right, and
the denominator lacks the uninfected missed ones.

A cell that nobody can tell is left out of the estimate. In the upper end it counts as infected, in
the lower end as uninfected.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hemozoin.arrays import Bools, Floats, Texts, texts
from hemozoin.classes import CLASSES, PARASITIZED
from hemozoin.decision.conformal import REVIEW
from hemozoin.metrics.beta import incomplete_beta
from hemozoin.metrics.bootstrap import Estimate
from hemozoin.metrics.root import find_root
from hemozoin.review.agreement import (
    ReviewedCell,
    agreements,
    missed_cells,
    undecided_cells,
)
from hemozoin.review.found_cells import FoundCells
from hemozoin.review.reviews import Answer, Review
from hemozoin.review.worklist import sizes
from hemozoin.smear.counting.reviewed_count import ReviewedCount

#: The probability beyond each end of a 95 % interval.
_TAIL = 0.025

#: The sensitivity if every infected cell can be seen by the person.
_ALL_SEEN: Floats = np.ones(1)

#: The share of slides that show an infected cell at the limit of detection.
_DETECTED = 0.95

#: The answers of a reader who can tell.
_TOLD: list[Answer] = ["parasitized", "uninfected", "not a red cell"]


def count_with_reviews(
    cells: FoundCells,
    reviewed: Mapping[int, ReviewedCell],
    sensitivities: Floats = _ALL_SEEN,
    elsewhere: Sequence[Review] = (),
) -> ReviewedCount | None:
    """Return the count; None if no cell has an answer other than "can't tell".

    `sensitivities` are those of equally likely patients, float `[Q]` in 0..1: the shares of
    infected cells that the network calls infected or leaves for review. `elsewhere` are the reviews
    that fit no found cell.
    """
    missed = missed_cells(cells, elsewhere)
    answers = texts(reviewed[i].answer if i in reviewed else "" for i in range(len(cells)))
    if not np.isin(answers, _TOLD).any():
        return None
    chances = inclusion_probabilities(cells, reviewed)
    said = texts(cell.answer for cell in missed)
    value, share = _estimate(cells, answers, said, reviewed, chances, sensitivities)
    shown = _by_decision(cells, answers != "")
    confirmed = (
        shown["called"] + shown["close"] == shown["called_answered"] + shown["close_answered"]
    )
    return ReviewedCount(
        parasitaemia=share,
        infected=value.infected,
        red_cells=value.red_cells,
        basis="chosen" if chances is None else "drawn",
        answered=len(reviewed),
        **_by_answer(answers),
        disputed=sum(cell.is_disputed for cell in [*reviewed.values(), *missed]),
        undecided=tuple(undecided_cells(cells, reviewed, missed)),
        missed=len(missed),
        missed_parasitized=int((said == PARASITIZED).sum()),
        elsewhere=sum(review.field not in cells.fields for review in elsewhere),
        **shown,
        readers=tuple(sorted({name for cell in reviewed.values() for name in cell.reviews})),
        agreements=tuple(agreements(reviewed)),
        limit_of_detection=_limit(value.red_cells, sensitivities) if confirmed else None,
    )


def _by_decision(cells: FoundCells, seen: Bools) -> dict[str, int]:
    """Return the number of called and of close cells, and of those a person has seen."""
    decisions = texts(cells.decisions)
    called, close = decisions == PARASITIZED, decisions == REVIEW
    return {
        "called": int(called.sum()),
        "called_answered": int((called & seen).sum()),
        "close": int(close.sum()),
        "close_answered": int((close & seen).sum()),
    }


def _by_answer(answers: Texts) -> dict[str, int]:
    """Return the number of cells with each answer, by the name in ReviewedCount."""
    names = {
        "parasitized": "parasitized",
        "uninfected": "uninfected",
        "not_red_cells": "not a red cell",
        "cannot_tell": "can't tell",
    }
    return {name: int((answers == answer).sum()) for name, answer in names.items()}


def _estimate(
    cells: FoundCells,
    answers: Texts,
    missed: Texts,
    reviewed: Mapping[int, ReviewedCell],
    chances: Floats | None,
    sensitivities: Floats,
) -> tuple[_WeightedSums, Estimate]:
    """Return the sums behind the estimate, and the estimate with its interval."""
    by_choice = [index for index, one in reviewed.items() if one.chance(cells, index) is None]
    chosen = np.isin(np.arange(len(cells)), by_choice)
    told, seen = np.isin(answers, _TOLD), answers != ""
    if_infected, missed_if = (
        np.where(one == "can't tell", PARASITIZED, one) for one in (answers, missed)
    )
    value = _weighted_sums(cells, answers, told, chosen, chances).plus(missed)
    low = _weighted_sums(cells, answers, seen, chosen, chances).plus(missed)
    high = _weighted_sums(cells, if_infected, seen, chosen, chances).plus(missed_if)
    shown = sensitivities if chances is None else _ALL_SEEN
    return value, Estimate(
        value.share,
        min(low.end(_TAIL), value.share),
        max(high.end(1 - _TAIL, shown), value.share),
    )


def _limit(red_cells: float, sensitivities: Floats) -> float:
    """Return the share of infected cells at which 95 % of slides show one: 1 - (1 - π s)^n."""
    return share_at(lambda share: 1 - (1 - share) ** red_cells, _DETECTED, sensitivities)


def inclusion_probabilities(
    cells: FoundCells, reviewed: Mapping[int, ReviewedCell]
) -> Floats | None:
    """Return the chance of each cell to be drawn in any round, float `[N]`; None without a draw.

    Several rounds are one draw (`worklist.py`), so all cells have the chances of the largest round.
    """
    size = sizes(cells.p_parasitized)
    ratios = [
        chance / size[index]
        for index, cell in reviewed.items()
        if (chance := cell.chance(cells, index)) is not None and chance < 1
    ]
    return np.minimum(1.0, max(ratios) * size) if ratios else None


@dataclass(frozen=True)
class _WeightedSums:
    """Infected and red cells with the sums of the module, and the weight of one more."""

    infected: float
    squares: float
    red_cells: float
    one_more: float

    @property
    def share(self) -> float:
        return min(1.0, self.infected / self.red_cells) if self.red_cells else 0.0

    def plus(self, missed: Texts) -> _WeightedSums:
        """Return the sums with the answers on cells that were not found: each counts as itself."""
        infected, cells = (missed == PARASITIZED).sum(), np.isin(missed, CLASSES).sum()
        return replace(
            self,
            infected=self.infected + float(infected),
            squares=self.squares + float(infected),
            red_cells=self.red_cells + float(cells),
        )

    def end(self, probability: float, sensitivities: Floats = _ALL_SEEN) -> float:
        """Return an end of the interval: the quantile of the beta distribution.

        It is that of the share of infected cells that are shown; the share of all infected cells
        has the quantile as its mean over the sensitivities.
        """
        is_upper = probability > 0.5
        infected = self.infected + is_upper * self.one_more
        if not infected:
            return 0.0
        count = infected**2 / (self.squares + is_upper * self.one_more**2)
        others = self.red_cells * count / infected - count + 1
        if others <= 0:
            return 1.0
        return share_at(
            lambda share: incomplete_beta(count, others, share), probability, sensitivities
        )


def share_at(
    distribution: Callable[[Floats], Floats], probability: float, sensitivities: Floats
) -> float:
    """Return the share π in 0..1 at which the mean of distribution(π s) over s is a probability.

    `distribution` increases from 0 to 1. Returns 1 where no share has the probability.
    """

    def above(share: float) -> float:
        return float(distribution(share * sensitivities).mean()) - probability

    return find_root(above) if above(1) > 0 else 1.0


def _weighted_sums(
    cells: FoundCells, answers: Texts, told: Bools, chosen: Bools, chances: Floats | None
) -> _WeightedSums:
    """Return the sums over the cells in `told`."""
    weights = (
        _weights_of_chosen(cells, told)
        if chances is None
        else _weights_of_drawn(told, chosen & told, chances)
    )
    infected = weights[told & (answers == PARASITIZED)]
    no_red_cells = (weights * cells.red_cells)[told & (answers == "not a red cell")]
    counted = cells.red_cells[~cells.is_clump | told] if chances is None else cells.red_cells
    return _WeightedSums(
        infected=float(infected.sum()),
        squares=float((infected**2).sum()),
        red_cells=max(float(counted.sum() - no_red_cells.sum()), float(infected.sum())),
        one_more=_weight_of_one_more(cells.p_parasitized, weights, ~told & (weights > 0)),
    )


def _weights_of_drawn(told: Bools, chosen: Bools, chances: Floats) -> Floats:
    """Return how many cells each one stands for, or would with an answer, float `[N]`."""
    weights = np.ones(len(told))
    certain, by_chance = (chances == 1) & ~chosen, (chances < 1) & ~chosen
    classes = [certain, by_chance]
    if not ((certain & told).any() and (by_chance & told).any()):
        classes = [certain | by_chance]
    for members in classes:
        answered = max(1, int((members & told).sum()))
        expected = chances[members].sum()
        weights[members] = np.maximum(1, expected / answered / chances[members])
    return weights


def _weights_of_chosen(cells: FoundCells, told: Bools) -> Floats:
    """Return the same where readers chose the cells; 0 for those that no answer stands for.

    An answer on a called or a close cell stands for all such cells, one on another cell for itself.
    """
    decisions = texts(cells.decisions)
    weights = told.astype(float)
    for decision in (PARASITIZED, REVIEW):
        members = decisions == decision
        if (told & members).any():
            weights[members] = members.sum() / (told & members).sum()
    return weights


def _weight_of_one_more(p: Floats, weights: Floats, unanswered: Bools) -> float:
    """Return the expected weight of one more infected cell; an answered cell has weight 1."""
    belief = np.where(weights > 0, sizes(p) ** 2, 0.0)
    return float(np.average(np.where(unanswered, weights, 1.0), weights=belief))
