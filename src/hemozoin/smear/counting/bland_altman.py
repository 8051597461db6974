"""How well automatic counts agree with manual ones, over many slides.

Parasite densities span four decades, and the difference between two counts of a slide grows with
the density. So the ratio of the counts is studied, on a logarithmic scale, as Bland & Altman 1999
(Stat. Methods Med. Res. 8, 135, section 3) advise for such data. With d = ln(automatic / manual) of
n slides, mean m and standard deviation s:

    bias                   exp(m),            95 % interval exp(m ± t s / √n)
    limits of agreement    exp(m ± 1.96 s),   each with the interval ± t s √(3 / n)

t is the 97.5 % quantile of Student's distribution with n - 1 degrees of freedom. A count of zero
has no logarithm: such slides are left out here. Alexander et al. 2010 (Malar. J. 9, 4) prefer
square roots, which keep zeros, for two readings of a film. A ratio is what WHO grades, and it does
not depend on the patient's red cells per µL where both counts are of the thin film.

WHO grades microscopists by the share of slides with a parasite density within 25 % of the true one
(Malaria microscopy quality assurance manual, version 2, 2016, ISBN 978 92 4 154939 4): level 1 from
50 % on, level 2 from 40 %, level 3 from 30 %, otherwise level 4. Detection and species, which WHO
grades too, are not graded here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from hemozoin.metrics.beta import beta_quantiles
from hemozoin.metrics.bootstrap import Estimate
from hemozoin.smear.counting.precision import TOLERANCE
from hemozoin.smear.counting.slide import Slide

#: WHO's levels of competence: the least share of slides within the tolerance.
WHO_LEVELS = {1: 0.5, 2: 0.4, 3: 0.3, 4: 0.0}

#: Fewest slides of which a standard deviation is given.
_FEWEST = 3


@dataclass(frozen=True)
class CountPair:
    """The two counts of a slide in parasites per µL; `automatic` is None if there is none."""

    slide: str
    manual: float
    automatic: float | None

    @property
    def ratio(self) -> float | None:
        """Return automatic over manual; None where one is missing, or the manual one is zero."""
        return self.automatic / self.manual if self.manual and self.automatic is not None else None

    @property
    def is_within(self) -> bool:
        """Return whether the automatic count is within 25 % of the manual one."""
        return self.ratio is not None and abs(self.ratio - 1) <= TOLERANCE


def count_pairs(slides: Iterable[Slide]) -> list[CountPair]:
    """Return the counts of the slides that have a manual one."""
    return [
        CountPair(one.slide, one.manual_per_ul, one.automatic_per_ul)
        for one in slides
        if one.manual_per_ul is not None
    ]


@dataclass(frozen=True)
class BlandAltman:
    """Bland and Altman's analysis of ratios, automatic over manual.

    `slides` is the number of slides on which both counts are above zero. `limits` are the lower and
    the upper limit of agreement.
    """

    slides: int
    bias: Estimate
    limits: tuple[Estimate, Estimate]


def bland_altman(pairs: Sequence[CountPair]) -> BlandAltman | None:
    """Return the analysis that the module describes; None with fewer than 3 slides."""
    logarithms = [math.log(pair.ratio) for pair in pairs if pair.ratio]
    n = len(logarithms)
    if n < _FEWEST:
        return None
    mean, sd = float(np.mean(logarithms)), float(np.std(logarithms, ddof=1))
    error = _student_quantile(n - 1) * sd / math.sqrt(n)
    low, high = (_exponential(mean + side * 1.96 * sd, error * math.sqrt(3)) for side in (-1, 1))
    return BlandAltman(n, _exponential(mean, error), (low, high))


def _exponential(middle: float, half_width: float) -> Estimate:
    low, value, high = (math.exp(middle + one) for one in (-half_width, 0, half_width))
    return Estimate(value, low, high)


def _student_quantile(degrees: int) -> float:
    """Return the 97.5 % quantile of Student's distribution (DLMF 8.17, by the beta function)."""
    x = float(beta_quantiles(degrees / 2, 0.5, np.array([0.05]))[0])
    return math.sqrt(degrees * (1 / x - 1))


@dataclass(frozen=True)
class Grade:
    """WHO's grade: `within` of `slides` are within 25 % of the manual count.

    `slides` have a manual count above zero; one without an automatic count is not within 25 %.
    """

    within: int
    slides: int

    @property
    def level(self) -> int:
        """Return WHO's level of competence in counting, 1 (best) to 4."""
        return next(level for level, least in WHO_LEVELS.items() if self.share >= least)

    @property
    def share(self) -> float:
        """Return the share of slides within 25 %, 0..1."""
        return self.within / self.slides


def who_grade(pairs: Iterable[CountPair]) -> Grade | None:
    """Return WHO's grade; None if no slide has both a manual count above zero and another one."""
    graded = [pair for pair in pairs if pair.manual]
    if all(pair.automatic is None for pair in graded):
        return None
    return Grade(sum(pair.is_within for pair in graded), len(graded))
