"""Where the threshold is set: rules compared, each on 16 validation patients drawn many times.

    python benchmarks/threshold.py cell_images.zip --labels corrections.csv \\
        --fields fields/iml runs/headline/default-0 runs/headline/default-1 runs/headline/default-2

A run's network was not trained on its validation and test patients. Of these about 40 patients 16
are drawn at random: temperature and threshold are fitted on their labels as given, and tested on
the other patients, and on the marked cells of another microscope (`microscope.py`). One row per
rule and run goes to benchmarks/results/threshold.csv, which is overwritten: means over the draws.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

import markdown_tables as md
import rows
from hemozoin.arrays import Array, Bools, Floats
from hemozoin.classes import PARASITIZED
from hemozoin.data.cells import is_known
from hemozoin.decision.temperature import calibrate, fit_temperature, log_odds
from hemozoin.decision.threshold import OperatingPoint, choose_threshold
from hemozoin.metrics.predictions import LabelledPredictions
from hemozoin.model.predictor import Predictor
from microscope import marked_cells
from split_cells import cells_of

FILE = "threshold.csv"

#: Draws for each run, and patients that the threshold is fitted on.
DRAWS, PATIENTS = 40, 16

#: From validation cells to the log odds of the threshold.
Rule = Callable[[LabelledPredictions], float]

METRICS = ("accuracy", "accuracy_corrected", "accuracy_agreed", "sensitivity", "specificity")


def kept(validation: LabelledPredictions) -> float:
    """The rule of the package; half of NLM's training cells are parasitized."""
    return _odds(choose_threshold(validation, OperatingPoint(), trained_share=0.5).value)


def regression(validation: LabelledPredictions, most: float = 3.0) -> float:
    """Where a logistic regression on log odds, clipped to ± `most`, is 1/2 (version 0.2.0)."""
    odds = log_odds(validation.p).clip(-most, most)[:, None]
    fitted = LogisticRegression(class_weight="balanced").fit(odds, validation.truth)
    return float((-fitted.intercept_ / fitted.coef_[:, 0]).clip(-most, most)[0])


def confident(validation: LabelledPredictions) -> float:
    """The same without cells whose label the network contradicts with the confidence that it has
    in cells of the other class (confident learning: Northcutt et al. 2021, arXiv 1911.00068)."""
    p, truth = validation.p, validation.truth
    doubted = np.where(truth, p <= p[~truth].mean(), p >= p[truth].mean())
    return regression(validation.subset(~doubted))


def best_cut(validation: LabelledPredictions) -> float:
    """The best mean of sensitivity and specificity (Youden 1950)."""
    cuts = np.linspace(-3, 3, 121)
    odds, truth = log_odds(validation.p), validation.truth
    means = [(odds[truth] >= cut).mean() + (odds[~truth] < cut).mean() for cut in cuts]
    return float(cuts[np.argmax(means)])


RULES: dict[str, Rule] = {
    "best mean of sensitivity and specificity": best_cut,
    "logistic regression (0.2.0)": regression,
    "the same, without doubted labels": confident,
    "1/2, always": lambda _: 0.0,
    "the nearest to the share in training within the regression's interval (kept)": kept,
}


@dataclass(frozen=True)
class HeldOut:
    """Cells that a run's network was not trained on; `odds`: uncalibrated log odds `[cells]`."""

    odds: Floats
    label: Bools
    patient: Array
    corrected: Bools
    has_correction: Bools
    agreed: Bools
    #: Of the cells of another microscope.
    other_odds: Floats
    other_label: Bools


def main() -> None:
    """Compare the rules on every run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--fields", type=Path, required=True)
    given = parser.parse_args()
    rows.remove(FILE)
    for run in given.runs:
        held_out = _held_out(run, given.data, given.labels, given.fields)
        for name, rule in RULES.items():
            row = {"rule": name, "run": run.name, **_measure(held_out, rule)}
            rows.append(FILE, row | rows.conditions())


def _held_out(run: Path, data: Path, labels: Path, fields: Path) -> HeldOut:
    predictor = Predictor.load(run)
    temperature = predictor.bundle.temperature
    parts = [
        cells_of(run, split, data, predictor.bundle.preprocessing, labels)
        for split in ("validation", "test")
    ]
    p = np.concatenate([predictor(pixels) for _, pixels in parts])
    label, corrected, patient = (
        np.concatenate([getattr(cells, name) for cells, _ in parts])
        for name in ("label", "corrected", "patient")
    )
    marked = list(marked_cells(fields))
    found = predictor.predict_stream(picture for picture, _, _ in marked)
    other = [
        (one.p_parasitized, kind == PARASITIZED)
        for one, (_, kind, _) in zip(found, marked, strict=True)
        if one.p_parasitized is not None
    ]
    other_p, other_label = (np.array(column) for column in zip(*other, strict=True))
    return HeldOut(
        log_odds(p.astype(np.float64)) * temperature,
        label == PARASITIZED,
        patient.astype(str),
        corrected == PARASITIZED,
        is_known(corrected),
        corrected == label,
        log_odds(other_p) * temperature,
        other_label,
    )


def _measure(cells: HeldOut, rule: Rule) -> rows.Row:
    """Return the means over the draws, and the standard deviation of the threshold."""
    rng, patients = np.random.default_rng(0), np.unique(cells.patient)
    draws = [
        _draw(cells, rule, np.isin(cells.patient, rng.choice(patients, PATIENTS, replace=False)))
        for _ in range(DRAWS)
    ]
    found = np.array(draws)
    means = dict(zip(("log_odds", *METRICS), found.mean(axis=0).round(5).tolist(), strict=True))
    return {"draws": DRAWS, **means, "log_odds_sd": round(float(found[:, 0].std()), 3)}


def _draw(cells: HeldOut, rule: Rule, validation: Bools) -> list[float]:
    """Return the threshold, as uncalibrated log odds, and its METRICS on the other patients."""
    odds, label = cells.odds[validation], cells.label[validation]
    patient = cells.patient[validation]
    temperature = fit_temperature(label, odds, patient)
    fitted = LabelledPredictions(label, calibrate(odds, temperature), patient)
    cut = rule(fitted) * temperature
    called, test = cells.odds >= cut, ~validation
    other = cells.other_odds >= cut
    return [
        cut,
        float((called == cells.label)[test].mean()),
        float((called == cells.corrected)[test & cells.has_correction].mean()),
        float((called == cells.label)[test & cells.agreed].mean()),
        float(other[cells.other_label].mean()),
        float(1 - other[~cells.other_label].mean()),
    ]


def _odds(p: float) -> float:
    return float(log_odds(np.asarray(p)))


def table() -> str:
    """Return the results in Markdown: a line per rule."""
    found = rows.read(FILE)
    lines = [
        (
            rule,
            f"{np.mean([float(run['log_odds']) for run in runs]):.2f}"
            f" ± {np.mean([float(run['log_odds_sd']) for run in runs]):.2f}",
            *(f"{np.mean([float(run[name]) for run in runs]):.4f}" for name in METRICS),
        )
        for (rule,), runs in md.groups(found, "rule").items()
    ]
    columns = (
        *("rule", "log odds of the threshold", "accuracy", "accuracy, corrected labels"),
        *("accuracy where both labels agree", "IML: sensitivity", "IML: specificity"),
    )
    count = len({row["run"] for row in found})
    note = (
        f"Means over {count} networks and {DRAWS} draws of {PATIENTS} validation patients for each;"
        f" ± is the standard deviation over draws. {md.machine(found)}"
    )
    return md.table(columns, lines, note)


if __name__ == "__main__":
    main()
