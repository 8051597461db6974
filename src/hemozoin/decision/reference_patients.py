"""Is a slide like those of the patients on whom the network's rates were measured?

The false-positive rate and the sensitivity hold for slides like those that they were measured on.
Whether a slide is like them is judged by its healthy bulk: the cells that are not called
parasitized, nearly all of them uninfected.

    log odds   quartiles and 90 % quantile of the network's log odds
    measures   medians of the detector's measures of stain and texture: sharpness, grain, tints
    review     share for review
    strange    share that does not look like a red cell to the detector

For the first two, twelve numbers, the Mahalanobis distance from the patients of the
cross-validation is compared with that of each of these patients from all others. For the shares,
the number of cells is compared with the distribution of an unseen patient's rate. Each limit is
set so that few slides of unseen patients are beyond it; benchmarks/counting.py measures how many,
and how many slides of other microscopes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from hemozoin.arrays import Bools, Floats
from hemozoin.decision.healthy_log_odds import HealthyLogOdds
from hemozoin.decision.ood import STAIN_AND_TEXTURE
from hemozoin.decision.patient_rate import PatientRate, fit_moments
from hemozoin.metrics.beta import mean_at_least

#: The quantiles of the log odds that are compared.
LOG_ODDS_QUANTILES = (0.25, 0.5, 0.75, 0.9)

#: Number of values whose distance is measured.
DIMENSIONS = len(LOG_ODDS_QUANTILES) + len(STAIN_AND_TEXTURE)

#: With fewer patients, or fewer cells of each, twelve variances and their covariances are a guess.
_FEWEST_PATIENTS, _FEWEST_CELLS = 40, 10

#: Decimals of means and covariances, which are of the order of 1 and .1.
_DECIMALS = 6

#: Share of the patients whose distance is beyond the limit.
_BEYOND = 0.025

#: Probability that an unseen patient has as many cells for review, or strange ones.
_RARE = 0.005


@dataclass(frozen=True)
class Appearance:
    """What the healthy bulk of a slide looks like to network and detector.

    `log_odds` are its quantiles and `measures` the medians of stain and texture, empty where
    they are not known. `review` and `strange` are numbers of cells among `cells`.
    """

    cells: int
    log_odds: tuple[float, ...]
    measures: tuple[float, ...]
    review: int
    strange: int


@dataclass(frozen=True, eq=False)
class ReferencePatients:
    """The appearance of known patients: mean `[12]` and covariance `[12, 12]`, and rates.

    `limit` is the largest distance of a slide that is like theirs. Raises ValueError for other
    shapes, and where the covariance is not positive definite.
    """

    mean: Floats
    covariance: Floats
    limit: float
    review: PatientRate
    strange: PatientRate

    def __post_init__(self) -> None:
        """Check shapes and values."""
        if self.mean.shape != (DIMENSIONS,) or self.covariance.shape != (DIMENSIONS, DIMENSIONS):
            raise ValueError(f"need {DIMENSIONS} means and as many rows of the covariance")
        if not (np.isfinite(self.mean).all() and 0 < self.limit < np.inf):
            raise ValueError("need finite means and a limit above 0")
        if not np.array_equal(self.covariance, self.covariance.T):
            raise ValueError("the covariance is not symmetric")
        if not np.linalg.eigvalsh(self.covariance).min() > 0:
            raise ValueError("the covariance is not positive definite")

    @property
    def healthy_log_odds(self) -> HealthyLogOdds:
        """The median log odds of their healthy cells."""
        median = LOG_ODDS_QUANTILES.index(0.5)
        sd = float(np.sqrt(self.covariance[median, median]))
        return HealthyLogOdds(float(self.mean[median]), sd, self.review.patients)

    def distance(self, appearance: Appearance) -> float:
        """Return the Mahalanobis distance of a slide with known measures."""
        return _mahalanobis(np.array(_values(appearance)), self.mean, self.covariance)

    def differences(self, appearance: Appearance) -> Iterator[str]:
        """Yield each measure by which a slide is unlike those of the known patients."""
        if not appearance.cells:
            yield "every red cell is called infected"
            return
        if appearance.measures and (distance := self.distance(appearance)) > self.limit:
            yield (
                f"its cells look unlike those of the {self.review.patients:,} known patients"
                f" (distance {distance:.1f}, limit {self.limit:.1f})"
            )
        yield from _too_many(appearance.review, appearance.cells, self.review, "for review")
        unlike = "not like the training cells"
        yield from _too_many(appearance.strange, appearance.cells, self.strange, unlike)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "mean": self.mean.tolist(),
            "covariance": self.covariance.tolist(),
            "limit": self.limit,
            "review": self.review.to_dict(),
            "strange": self.strange.to_dict(),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Read the values of `to_dict`; raises KeyError, TypeError or ValueError otherwise."""
        return cls(
            np.array(values["mean"], np.float64),
            np.array(values["covariance"], np.float64),
            float(values["limit"]),
            PatientRate.from_dict(values["review"]),
            PatientRate.from_dict(values["strange"]),
        )


@dataclass(frozen=True, eq=False)
class BulkCells:
    """Healthy cells that are not called parasitized, `[cells]` each; measures are `[cells, 8]`."""

    patient: npt.NDArray[np.str_]
    log_odds: Floats
    measures: Floats
    review: Bools
    strange: Bools

    def subset(self, selected: Bools) -> BulkCells:
        """Return the cells where `selected`, bool `[cells]`, is True."""
        return BulkCells(
            self.patient[selected],
            self.log_odds[selected],
            self.measures[selected],
            self.review[selected],
            self.strange[selected],
        )

    def appearance(self) -> Appearance:
        """Return the appearance of all cells as one slide."""
        return Appearance(
            len(self.patient),
            _quantiles(self.log_odds),
            tuple(np.median(self.measures, axis=0).tolist()),
            int(self.review.sum()),
            int(self.strange.sum()),
        )

    def patients(self) -> Iterator[Appearance]:
        """Yield the appearance of each patient."""
        for name in np.unique(self.patient):
            yield self.subset(self.patient == name).appearance()


def fit_reference_patients(cells: BulkCells) -> ReferencePatients | None:
    """Fit the reference on cells that the network was not trained on.

    Returns None for fewer than 40 patients with 10 cells or more.
    """
    values = np.array([_values(one) for one in cells.patients() if one.cells >= _FEWEST_CELLS])
    review, strange = (fit_moments(one, cells.patient) for one in (cells.review, cells.strange))
    if len(values) < _FEWEST_PATIENTS or not (review and strange):
        return None
    return ReferencePatients(
        np.round(values.mean(axis=0), _DECIMALS),
        np.round(np.cov(values.T), _DECIMALS),
        float(np.quantile(_distances_from_others(values), 1 - _BEYOND, method="higher")),
        review.of_unseen_patient(),
        strange.of_unseen_patient(),
    )


def _quantiles(log_odds: Floats) -> tuple[float, ...]:
    found = np.quantile(log_odds, LOG_ODDS_QUANTILES, method="inverted_cdf")
    return tuple(float(value) for value in found)


def _values(appearance: Appearance) -> tuple[float, ...]:
    return (*appearance.log_odds, *appearance.measures)


def _distances_from_others(values: Floats) -> list[float]:
    """Return the distance of each patient from all others."""
    others = (np.delete(values, row, axis=0) for row in range(len(values)))
    return [
        _mahalanobis(own, rest.mean(axis=0), np.cov(rest.T))
        for own, rest in zip(values, others, strict=True)
    ]


def _mahalanobis(values: Floats, mean: Floats, covariance: Floats) -> float:
    difference = values - mean
    return float(np.sqrt(difference @ np.linalg.solve(covariance, difference)))


def _too_many(count: int, cells: int, rate: PatientRate, what: str) -> Iterator[str]:
    if mean_at_least(count, cells, rate.quantiles) <= _RARE:
        yield (
            f"{count:,} of {cells:,} red cells not called infected are {what},"
            f" {count / cells:.1%}; of the known patients' {rate.rate:.1%}"
        )
