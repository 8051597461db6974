"""Metrics with 95 % intervals from the labels and the probabilities of test cells."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hemozoin.arrays import Floats, Ints
from hemozoin.classes import PARASITIZED, PREVALENCE
from hemozoin.data.cells import LabelledCells, is_known
from hemozoin.decision.conformal import ReviewBand, SelectiveMetrics, selective_metrics
from hemozoin.decision.threshold import Threshold
from hemozoin.metrics.bootstrap import MIN_UNITS, RESAMPLES, Intervals, bootstrap
from hemozoin.metrics.classification import (
    PatientMetrics,
    confusion_counts,
    metrics_by_patient,
)
from hemozoin.metrics.predictions import LabelledPredictions
from hemozoin.metrics.seen_patients import TrainingOverlap

AS_GIVEN, CORRECTED, AGREED = "labels as given", "corrected labels", "where both agree"


@dataclass(frozen=True, eq=False)
class LabelSet:
    """The test cells under one set of labels."""

    #: AS_GIVEN, CORRECTED or AGREED.
    name: str
    predictions: LabelledPredictions
    intervals: Intervals
    #: The metrics of the cells outside the review band, if there is one.
    selective: SelectiveMetrics | None = None

    def decimals(self, metric: str, most: int = 4) -> int:
        """Return how many decimals of a metric the number of cells justifies, at most `most`.

        "A decimal quotient should contain no more than the number of digits in the denominator"
        (AMA Manual of Style, 10th edition, 4.2): 9 of 28 cells are 0.32. The denominator is the
        number of cells, of parasitized cells (sensitivity) or of uninfected cells (specificity).
        """
        parasitized = int(self.predictions.truth.sum())
        cells = {"sensitivity": parasitized, "specificity": len(self.predictions) - parasitized}
        return min(len(str(cells.get(metric, len(self.predictions)))), most)

    def units_of_class(self, label: str) -> int:
        """Return the number of patients, or of cells if no patient is known, with this label."""
        of_class = self.predictions.truth == (label == PARASITIZED)
        return len(np.unique(self.predictions.independent_unit[of_class]))

    @property
    def interval_description(self) -> str:
        """How the intervals were computed, such as "1,000 resamples of 32 patients"."""
        units = f"{self.intervals.units:,} {self.intervals.unit}"
        if self.intervals.units < MIN_UNITS:
            return f"none, because {units} are too few"
        return f"{RESAMPLES:,} resamples of {units}"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The result of a test: metrics, intervals and curves for each set of labels."""

    #: First the labels as given; if there are corrections, also CORRECTED and AGREED.
    label_sets: tuple[LabelSet, ...]
    threshold: Threshold
    #: Share of parasitized cells for which PPV and NPV are computed.
    prevalence: float
    #: The probabilities for which the network abstains, if it may.
    review_band: ReviewBand | None = None
    #: The tested cells of patients that the network has seen; None where this can't be told.
    overlap: TrainingOverlap | None = None

    @property
    def tested_on(self) -> str:
        """What the metrics are of: "test", "seen in training" or "perhaps seen in training"."""
        if self.overlap is None:
            return "perhaps seen in training"
        return "seen in training" if self.overlap.cells else "test"

    @property
    def predictions(self) -> LabelledPredictions:
        """The test cells under the labels as given."""
        return self.label_sets[0].predictions

    @property
    def intervals(self) -> Intervals:
        """Metrics and curves under the labels as given."""
        return self.label_sets[0].intervals

    @property
    def interval_description(self) -> str:
        """How the intervals were computed."""
        return self.label_sets[0].interval_description

    def confusion_counts(self) -> tuple[int, ...]:
        """Return true positives, false negatives, false positives, true negatives."""
        counts = confusion_counts(
            self.predictions, self.threshold.value, np.ones((1, len(self.predictions)))
        )
        return tuple(int(count[0]) for count in counts)

    def metrics_by_patient(self) -> tuple[PatientMetrics, ...]:
        """Return the metrics of each patient; none if no patient is known."""
        known = self.predictions.patient is not None
        return metrics_by_patient(self.predictions, self.threshold.value) if known else ()

    def worst_mistakes(self, count: int = 12) -> Ints:
        """Return the rows of the most confident mistakes, int `[≤ 2 count]`.

        First at most `count` missed cells, by increasing p; then at most `count` false alarms, by
        decreasing p.
        """
        truth, p = self.predictions.truth, self.predictions.p
        missed = np.flatnonzero(truth & (p < self.threshold.value))
        alarms = np.flatnonzero(~truth & (p >= self.threshold.value))
        missed = missed[np.argsort(p[missed], kind="stable")][:count]
        alarms = alarms[np.argsort(-p[alarms], kind="stable")][:count]
        return np.concatenate([missed, alarms])

    def to_dict(self) -> dict[str, Any]:
        """Return all metrics as plain values for JSON, None for a metric that is not defined."""
        threshold = self.threshold.to_dict() | {"aim": str(self.threshold.operating_point)}
        return {
            "threshold": {key: _plain(value) for key, value in threshold.items()},
            "prevalence": self.prevalence,
            "intervals": f"95 %, {self.interval_description}",
            "band": self.review_band.to_dict() if self.review_band else None,
            "tested_on": self.tested_on,
            "seen_in_training": asdict(self.overlap) if self.overlap else None,
            **{labels.name.replace(" ", "_"): _set_to_dict(labels) for labels in self.label_sets},
        }


def evaluate_predictions(
    cells: LabelledCells,
    p: Floats,
    threshold: Threshold,
    prevalence: float = PREVALENCE,
    review_band: ReviewBand | None = None,
    overlap: TrainingOverlap | None = None,
) -> Evaluation:
    """Compare `p` (p_parasitized, float `[cells]`) with the labels of the test cells.

    The metrics are those of a network that decides on every cell; with a `review_band` there are
    also those of a network that abstains inside the band.

    `overlap` says how many of the cells the network has seen, None if this can't be told.
    Raises DataError if only some of the cells have a patient.
    """
    label_sets = tuple(
        LabelSet(
            name,
            predictions,
            bootstrap(predictions, threshold.value, prevalence),
            selective_metrics(predictions, review_band) if review_band else None,
        )
        for name, predictions in _label_sets(cells, LabelledPredictions.from_cells(cells, p))
    )
    return Evaluation(label_sets, threshold, prevalence, review_band, overlap)


def _label_sets(
    cells: LabelledCells, given: LabelledPredictions
) -> Iterator[tuple[str, LabelledPredictions]]:
    yield AS_GIVEN, given
    if cells.corrected is None:
        return
    corrected = LabelledPredictions(cells.corrected == PARASITIZED, given.p, given.patient)
    yield CORRECTED, corrected.subset(is_known(cells.corrected))
    yield AGREED, given.subset(cells.corrected == cells.label)


def _set_to_dict(labels: LabelSet) -> dict[str, Any]:
    metrics = {
        name: {key: _plain(value) for key, value in asdict(estimate).items()}
        for name, estimate in labels.intervals.metrics.items()
    }
    cells = {"cells": len(labels.predictions), "parasitized": int(labels.predictions.truth.sum())}
    patients = labels.intervals.units if labels.intervals.unit == "patients" else None
    selective = _selective_to_dict(labels.selective)
    return {**cells, "patients": patients, **metrics, "decided": selective}


def _selective_to_dict(selective: SelectiveMetrics | None) -> dict[str, Any] | None:
    if selective is None:
        return None
    return {name: _plain(value) for name, value in asdict(selective).items()}


def _plain(value: Any) -> Any:
    """Replace NaN, which JSON does not have, by None."""
    return None if isinstance(value, float) and math.isnan(value) else value
