"""All that is found out about a network on cells it never saw."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from hemozoin.arrays import Floats, Ints
from hemozoin.classes import PARASITIZED
from hemozoin.decision.conformal import ReviewBand, SelectiveMetrics, selective_metrics
from hemozoin.decision.threshold import Threshold
from hemozoin.metrics.bootstrap import RESAMPLES, Intervals, bootstrap
from hemozoin.metrics.classification import (
    PREVALENCE,
    LabelledPredictions,
    confusion_counts,
    metrics_by_patient,
)

AS_GIVEN, CORRECTED, AGREED = "labels as given", "corrected labels", "where both agree"


@dataclass(frozen=True, eq=False)
class LabelSet:
    """The test cells under one set of labels."""

    #: AS_GIVEN, CORRECTED or AGREED.
    name: str
    predictions: LabelledPredictions
    intervals: Intervals
    #: What the review band came to, where there is one.
    decided: SelectiveMetrics | None = None


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What `judge` found."""

    #: First the labels as given; with corrections also CORRECTED and AGREED.
    label_sets: tuple[LabelSet, ...]
    threshold: Threshold
    #: Share of parasitized cells at which PPV and NPV are given.
    prevalence: float
    #: Where the network leaves a cell to a person, if it may.
    band: ReviewBand | None = None

    @property
    def predictions(self) -> LabelledPredictions:
        """The test cells under the labels as given."""
        return self.label_sets[0].predictions

    @property
    def intervals(self) -> Intervals:
        """Figures and curves under the labels as given."""
        return self.label_sets[0].intervals

    @property
    def how(self) -> str:
        """Tell what the intervals resampled."""
        return f"{RESAMPLES:,} resamples of {self.intervals.units:,} {self.intervals.unit}"

    def confusion_counts(self) -> tuple[int, ...]:
        """Return true positives, false negatives, false positives, true negatives."""
        counts = confusion_counts(
            self.predictions, self.threshold.value, np.ones((1, len(self.predictions)))
        )
        return tuple(int(count[0]) for count in counts)

    def metrics_by_patient(self) -> pl.DataFrame | None:
        """Return the table of `metrics.by_patient`, or None where no patient is known."""
        known = self.predictions.patient is not None
        return metrics_by_patient(self.predictions, self.threshold.value) if known else None

    def worst_mistakes(self, count: int = 12) -> Ints:
        """Return the rows of the most confident mistakes, int `[≤ 2 count]`.

        At most `count` missed cells, the lowest p first, then as many false alarms, the highest
        p first.
        """
        truth, p = self.predictions.truth, self.predictions.p
        missed = np.flatnonzero(truth & (p < self.threshold.value))
        alarms = np.flatnonzero(~truth & (p >= self.threshold.value))
        missed = missed[np.argsort(p[missed], kind="stable")][:count]
        alarms = alarms[np.argsort(-p[alarms], kind="stable")][:count]
        return np.concatenate([missed, alarms])

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as plain values for JSON, None where a figure is not defined."""
        threshold = self.threshold.to_dict() | {"aim": str(self.threshold.operating_point)}
        return {
            "threshold": {key: _plain(value) for key, value in threshold.items()},
            "prevalence": self.prevalence,
            "intervals": f"95 %, {self.how}",
            "band": self.band.to_dict() if self.band else None,
            **{labels.name.replace(" ", "_"): _set_to_dict(labels) for labels in self.label_sets},
        }


def evaluate_predictions(
    cells: pl.DataFrame,
    p: Floats,
    threshold: Threshold,
    prevalence: float = PREVALENCE,
    band: ReviewBand | None = None,
    seed: int = 0,
) -> Evaluation:
    """Judge `p` (p_parasitized, float `[cells]`) on test cells with 95 % intervals.

    The figures are those of a network that has to decide on every cell; with a `band` there is
    also what it came to where it may leave some of them to a person.

    `cells` has the columns `label`, `patient` and, where corrections were given, `corrected`
    (null: can't be told). Raises DataError where only some of the cells have a patient.
    """
    label_sets = tuple(
        LabelSet(
            name,
            predictions,
            bootstrap(predictions, threshold.value, prevalence, seed),
            selective_metrics(predictions, band) if band else None,
        )
        for name, predictions in _label_sets(cells, LabelledPredictions.from_cells(cells, p))
    )
    return Evaluation(label_sets, threshold, prevalence, band)


def _label_sets(
    cells: pl.DataFrame, given: LabelledPredictions
) -> Iterator[tuple[str, LabelledPredictions]]:
    yield AS_GIVEN, given
    if "corrected" not in cells.columns:
        return
    known = cells["corrected"].is_not_null().to_numpy()
    agreed = (cells["corrected"] == cells["label"]).fill_null(value=False).to_numpy()
    truth = (cells["corrected"] == PARASITIZED).fill_null(value=False).to_numpy()
    yield CORRECTED, LabelledPredictions(truth, given.p, given.patient).only(known)
    yield AGREED, given.only(agreed)


def _set_to_dict(labels: LabelSet) -> dict[str, Any]:
    figures = {
        name: {key: _plain(value) for key, value in asdict(estimate).items()}
        for name, estimate in labels.intervals.metrics.items()
    }
    cells = {"cells": len(labels.predictions), "parasitized": int(labels.predictions.truth.sum())}
    patients = labels.intervals.units if labels.intervals.unit == "patients" else None
    return {**cells, "patients": patients, **figures, "decided": _decided_to_dict(labels.decided)}


def _decided_to_dict(decided: SelectiveMetrics | None) -> dict[str, Any] | None:
    if decided is None:
        return None
    return {name: _plain(value) for name, value in asdict(decided).items()}


def _plain(value: Any) -> Any:
    """Replace NaN, which JSON does not have."""
    return None if isinstance(value, float) and math.isnan(value) else value
