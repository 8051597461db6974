"""All that is found out about a network on cells it never saw."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from hemozoin.cells.index import PARASITIZED
from hemozoin.judging.conformal import Band, Decided, measure_decided
from hemozoin.judging.intervals import RESAMPLES, Intervals, bootstrap
from hemozoin.judging.metrics import PREVALENCE, Floats, Judged, by_patient, confusion
from hemozoin.judging.threshold import Threshold

AS_GIVEN, CORRECTED, AGREED = "labels as given", "corrected labels", "where both agree"


@dataclass(frozen=True, eq=False)
class LabelSet:
    """The test cells under one set of labels."""

    #: AS_GIVEN, CORRECTED or AGREED.
    name: str
    judged: Judged
    intervals: Intervals
    #: What the review band came to, where there is one.
    decided: Decided | None = None


@dataclass(frozen=True, eq=False)
class Judgement:
    """What `judge` found."""

    #: First the labels as given; with corrections also CORRECTED and AGREED.
    label_sets: tuple[LabelSet, ...]
    threshold: Threshold
    #: Share of parasitized cells at which PPV and NPV are given.
    prevalence: float
    #: Where the network leaves a cell to a person, if it may.
    band: Band | None = None

    @property
    def judged(self) -> Judged:
        """The test cells under the labels as given."""
        return self.label_sets[0].judged

    @property
    def intervals(self) -> Intervals:
        """Figures and curves under the labels as given."""
        return self.label_sets[0].intervals

    @property
    def how(self) -> str:
        """Tell what the intervals resampled."""
        return f"{RESAMPLES:,} resamples of {self.intervals.units:,} {self.intervals.unit}"

    def confusion(self) -> tuple[int, ...]:
        """Return true positives, false negatives, false positives, true negatives."""
        counts = confusion(self.judged, self.threshold.value, np.ones((1, len(self.judged))))
        return tuple(int(count[0]) for count in counts)

    def by_patient(self) -> pl.DataFrame | None:
        """Return the table of `metrics.by_patient`, or None where no patient is known."""
        known = self.judged.patient is not None
        return by_patient(self.judged, self.threshold.value) if known else None

    def worst_mistakes(self, count: int = 12) -> npt.NDArray[np.int64]:
        """Return the rows of the most confident mistakes, int `[≤ 2 count]`.

        At most `count` missed cells, the lowest p first, then as many false alarms, the highest
        p first.
        """
        truth, p = self.judged.truth, self.judged.p
        missed = np.flatnonzero(truth & (p < self.threshold.value))
        alarms = np.flatnonzero(~truth & (p >= self.threshold.value))
        missed = missed[np.argsort(p[missed], kind="stable")][:count]
        alarms = alarms[np.argsort(-p[alarms], kind="stable")][:count]
        return np.concatenate([missed, alarms])

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as plain values for JSON, None where a figure is not defined."""
        threshold = {**asdict(self.threshold), "aim": str(self.threshold.aim)}
        return {
            "threshold": {key: _plain(value) for key, value in threshold.items()},
            "prevalence": self.prevalence,
            "intervals": f"95 %, {self.how}",
            "band": self.band.to_dict() if self.band else None,
            **{labels.name.replace(" ", "_"): _set_to_dict(labels) for labels in self.label_sets},
        }


def judge(
    cells: pl.DataFrame,
    p: Floats,
    threshold: Threshold,
    prevalence: float = PREVALENCE,
    band: Band | None = None,
    seed: int = 0,
) -> Judgement:
    """Judge `p` (p_parasitized, float `[cells]`) on test cells with 95 % intervals.

    The figures are those of a network that has to decide on every cell; with a `band` there is
    also what it came to where it may leave some of them to a person.

    `cells` has the columns `label`, `patient` and, where corrections were given, `corrected`
    (null: can't be told). Raises DataError where only some of the cells have a patient.
    """
    label_sets = tuple(
        LabelSet(
            name,
            judged,
            bootstrap(judged, threshold.value, prevalence, seed),
            measure_decided(judged, band) if band else None,
        )
        for name, judged in _label_sets(cells, Judged.from_cells(cells, p))
    )
    return Judgement(label_sets, threshold, prevalence, band)


def _label_sets(cells: pl.DataFrame, given: Judged) -> Iterator[tuple[str, Judged]]:
    yield AS_GIVEN, given
    if "corrected" not in cells.columns:
        return
    known = cells["corrected"].is_not_null().to_numpy()
    agreed = (cells["corrected"] == cells["label"]).fill_null(value=False).to_numpy()
    truth = (cells["corrected"] == PARASITIZED).fill_null(value=False).to_numpy()
    yield CORRECTED, Judged(truth, given.p, given.patient).only(known)
    yield AGREED, given.only(agreed)


def _set_to_dict(labels: LabelSet) -> dict[str, Any]:
    figures = {
        name: {key: _plain(value) for key, value in asdict(estimate).items()}
        for name, estimate in labels.intervals.figures.items()
    }
    cells = {"cells": len(labels.judged), "parasitized": int(labels.judged.truth.sum())}
    patients = labels.intervals.units if labels.intervals.unit == "patients" else None
    return {**cells, "patients": patients, **figures, "decided": _decided_to_dict(labels.decided)}


def _decided_to_dict(decided: Decided | None) -> dict[str, Any] | None:
    if decided is None:
        return None
    return {name: _plain(value) for name, value in asdict(decided).items()}


def _plain(value: Any) -> Any:
    """Replace NaN, which JSON does not have."""
    return None if isinstance(value, float) and math.isnan(value) else value
