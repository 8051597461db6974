"""Infected cells of a whole slide, from a person's answers on some of its cells.

Cells that a person chose count as themselves. Cells that were drawn (`worklist.py`) stand for those
that were not: with chance π, a cell stands for w of them,

    w = 1 / π · N / Σ 1 / π        infected = Σ w y        red cells = Σ w [it is a red cell]

where the sum and N are over answered and all cells of one class: those with π = 1, and the others.
This is the estimator of Horvitz & Thompson 1952 (J. Am. Stat. Assoc. 47, 663) with the weights of
Hájek 1971, which also allow for drawn cells without an answer. It holds whatever the mistakes of
the network: its p only makes the chances, so a worse network costs width, not truth. Prediction-
powered inference (Angelopoulos et al. 2023, Science 382, 669) adds the network's p to the unseen
cells and corrects it by Σ w (y - p); on these slides its error was as large or larger, because
nearly all cells whose p is not close to 0 are seen.

The 95 % interval is that of Fay & Feuer 1997 (Stat. Med. 16, 791) for a weighted sum of rare
events, with the beta distribution in place of the gamma (Korn & Graubard 1998, Surv. Methodol. 24,
193). With m = Σ w y, v = Σ w² y, a = m² / v, and n red cells:

    lower end  2.5 % quantile of Beta(a, n a / m - a + 1)
    upper end  97.5 % quantile of the same, with m + w₀ for m and v + w₀² for v

w₀ is the weight of one more infected cell, not seen so far: the mean over the cells without an
answer, in proportion to (p / (1 - p))^1.5. With every cell answered, w = w₀ = 1 and this is the
interval of Clopper & Pearson 1934: what remains is that another drop of the blood has other cells.
It never has width 0.

A cell that nobody can tell is left out of the estimate. In the upper end it counts as infected, in
the lower end as uninfected.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hemozoin.arrays import Bools, Floats, Texts, texts
from hemozoin.classes import PARASITIZED, UNINFECTED
from hemozoin.decision.conformal import REVIEW
from hemozoin.metrics.beta import beta_quantiles
from hemozoin.metrics.bootstrap import Estimate
from hemozoin.review.agreement import Agreement, ReviewedCell, agreements
from hemozoin.review.found_cells import FoundCells
from hemozoin.review.reviews import Answer
from hemozoin.review.worklist import STRATA, sizes

#: The probability beyond each end of a 95 % interval.
_TAIL = 0.025

#: The answers of a reader who can tell.
_TOLD: list[Answer] = ["parasitized", "uninfected", "not a red cell"]

#: Where the estimate comes from: a random draw, or cells that a person chose.
Basis = Literal["drawn", "chosen"]


@dataclass(frozen=True)
class ReviewedCount:
    """The count of a slide by machine and person together.

    `parasitaemia` is the share of infected red cells, 0..1; `infected` and `red_cells` are its
    estimated numerator and denominator. `basis` is "drawn" if it follows from cells drawn at
    random, "chosen" if readers chose all cells. `called` and `close` are the numbers of cells that
    the network called infected and left for review, and `called_answered`, `close_answered` those
    with an answer. `answered` counts all cells with an answer, of which `parasitized`,
    `uninfected`, `not_red_cells` and `cannot_tell` are the answers, and `disputed` has those on
    which readers differ; where no answer has the most votes, the cell counts as "can't tell".
    """

    parasitaemia: Estimate
    infected: float
    red_cells: float
    basis: Basis
    answered: int
    parasitized: int
    uninfected: int
    not_red_cells: int
    cannot_tell: int
    disputed: int
    called: int
    called_answered: int
    close: int
    close_answered: int
    readers: tuple[str, ...]
    agreements: tuple[Agreement, ...]

    @property
    def is_confirmed(self) -> bool:
        """Return whether a person has answered for every called and every close cell."""
        return (self.called, self.close) == (self.called_answered, self.close_answered)


def count_with_reviews(
    cells: FoundCells, reviewed: Mapping[int, ReviewedCell]
) -> ReviewedCount | None:
    """Return the count; None if no cell has an answer other than "can't tell"."""
    answers = texts(reviewed[i].answer if i in reviewed else "" for i in range(len(cells)))
    told = np.isin(answers, _TOLD)
    if not told.any():
        return None
    chances = inclusion_probabilities(cells, reviewed)
    chosen = np.isin(
        np.arange(len(cells)), [i for i, c in reviewed.items() if c.probability is None]
    )
    seen = answers != ""
    if_infected = np.where(answers == "can't tell", PARASITIZED, answers)
    value = _weighted_sums(cells, answers, told, chosen, chances)
    low = _weighted_sums(cells, answers, seen, chosen, chances)
    high = _weighted_sums(cells, if_infected, seen, chosen, chances)
    estimate = Estimate(value.share, min(low.lower_end(), value.share), high.upper_end())
    decisions = texts(cells.decisions)
    called, close = decisions == PARASITIZED, decisions == REVIEW
    return ReviewedCount(
        parasitaemia=estimate,
        infected=value.infected,
        red_cells=value.red_cells,
        basis="chosen" if chances is None else "drawn",
        answered=len(reviewed),
        parasitized=int((answers == PARASITIZED).sum()),
        uninfected=int((answers == UNINFECTED).sum()),
        not_red_cells=int((answers == "not a red cell").sum()),
        cannot_tell=int((answers == "can't tell").sum()),
        disputed=sum(cell.is_disputed for cell in reviewed.values()),
        called=int(called.sum()),
        called_answered=int((called & seen).sum()),
        close=int(close.sum()),
        close_answered=int((close & seen).sum()),
        readers=tuple(sorted({name for cell in reviewed.values() for name in cell.reviews})),
        agreements=tuple(agreements(reviewed)),
    )


def inclusion_probabilities(
    cells: FoundCells, reviewed: Mapping[int, ReviewedCell]
) -> Floats | None:
    """Return the chance of each cell to be drawn in any round, float `[N]`; None without a draw.

    Several rounds are one draw (`worklist.py`), so all cells have the chances of the largest round:
    chance / size of a cell whose p is still what it was then. A cell drawn with a higher chance,
    when another network had screened the slide, keeps it.
    """
    drawn = {i: c.probability for i, c in reviewed.items() if c.probability is not None}
    size = sizes(cells.p_parasitized)
    ratios = [
        chance / size[index]
        for index, chance in drawn.items()
        if chance < 1 and _has_same_p(cells, index, reviewed[index])
    ]
    if not ratios:
        return None
    chances: Floats = np.minimum(1.0, max(ratios) * size)
    for index, chance in drawn.items():
        chances[index] = max(chances[index], chance)
    return chances


def _has_same_p(cells: FoundCells, index: int, cell: ReviewedCell) -> bool:
    p = float(cells.p_parasitized[index])
    return any(one.p_parasitized == p for one in cell.reviews.values())


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

    def lower_end(self) -> float:
        return self._end(self.infected, self.squares, _TAIL)

    def upper_end(self) -> float:
        infected, squares = self.infected + self.one_more, self.squares + self.one_more**2
        return self._end(infected, squares, 1 - _TAIL)

    def _end(self, infected: float, squares: float, probability: float) -> float:
        """Return a quantile of the beta distribution with this mean and effective count."""
        if not infected:
            return 0.0
        count = infected**2 / squares
        others = self.red_cells * count / infected - count + 1
        if others <= 0:
            return 1.0
        return float(beta_quantiles(count, others, np.array([probability]))[0])


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
    is_red = told & (answers != "not a red cell")
    unseen = weights == 0  # no answer stands for them
    return _WeightedSums(
        infected=float(infected.sum()),
        squares=float((infected**2).sum()),
        red_cells=float(weights[is_red].sum() + unseen.sum()),
        one_more=_weight_of_one_more(cells.p_parasitized, weights, ~told & ~unseen),
    )


def _weights_of_drawn(told: Bools, chosen: Bools, chances: Floats) -> Floats:
    """Return how many cells each one stands for, or would with an answer, float `[N]`."""
    weights = np.ones(len(told))
    certain, by_chance = (chances == 1) & ~chosen, (chances < 1) & ~chosen
    classes = [certain, by_chance]
    if not ((certain & told).any() and (by_chance & told).any()):
        classes = [certain | by_chance]
    for members in classes:
        inverse = 1 / chances[members]
        total = inverse[told[members]].sum()
        weights[members] = inverse * (members.sum() / total if total else 0.0)
    return weights


def _weights_of_chosen(cells: FoundCells, told: Bools) -> Floats:
    """Return the same where readers chose the cells; 0 for those that no answer stands for.

    An answer on a called or a close cell stands for all such cells, one on another cell for itself.
    """
    decisions = texts(cells.decisions)
    weights = told.astype(float)
    for decision in STRATA:
        members = decisions == decision
        if (told & members).any():
            weights[members] = members.sum() / (told & members).sum()
    return weights


def _weight_of_one_more(p: Floats, weights: Floats, unanswered: Bools) -> float:
    """Return the expected weight of an infected cell that no person has seen; at least 1."""
    if not unanswered.any():
        return 1.0
    odds = p[unanswered] / np.maximum(1 - p[unanswered], 1e-3)
    belief = np.maximum(odds, 1e-6) ** 1.5
    return max(1.0, float((weights[unanswered] * belief).sum() / belief.sum()))
