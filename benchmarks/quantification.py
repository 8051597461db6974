"""Point estimates of the parasitaemia without a person, compared on slides with known truth.

    python benchmarks/quantification.py fields runs/nano nano best

`fields` and `runs/nano` are those of counting.py. Slides of held-out patients are simulated as
there. A slide of IML or BBBC041 has 20 fields, drawn with replacement, and its truth is what people
marked; of the other places all fields are one slide. Methods:

    called            share of cells that are called infected
    mean p            mean of p (probabilistic classify and count; Bella et al. 2010, ICDM, 737)
    EM                mean of p with the prior adapted to the slide by expectation maximization
                      (Saerens et al. 2002, Neural Comput. 14, 21)
    adjusted          Rogan & Gladen's estimate from the called cells
    counting point    the same from the cells above the counting threshold: what is kept

The rows replace those in benchmarks/results/quantification.csv.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import counting
import markdown_tables as md
import rows
from hemozoin.arrays import Bools, Floats
from hemozoin.classes import PARASITIZED
from hemozoin.decision.counting_point import CountingPoint
from hemozoin.model.predictor import Predictor

FILE = "quantification.csv"

#: Parasitaemias of simulated slides, slides of each kind, and fields of a slide.
LEVELS, SLIDES, FIELDS = (0.005, 0.01, 0.02, 0.05), 400, 20

#: Iterations of expectation maximization.
_ITERATIONS = 300


@dataclass(frozen=True, eq=False)
class Sample:
    """The p of a slide's cells, `[N]`, whether each is called infected, and the true share."""

    p: Floats
    called: Bools
    truth: float


@dataclass(frozen=True)
class Rates:
    """What is known of the network's mistakes: at the counting threshold, and of its decisions."""

    point: CountingPoint
    decisions: CountingPoint


Method = Callable[[Sample, Rates], float]


def adapted_prior(p: Floats) -> float:
    """Return the share of infected cells by expectation maximization, from a prior of 1/2."""
    share = 0.1
    for _ in range(_ITERATIONS):
        share = float(np.mean(share * p / (share * p + (1 - share) * (1 - p))))
    return share


def counted_share(sample: Sample, point: CountingPoint) -> float:
    """Return the share of cells that are counted at the point."""
    return float(np.mean(sample.called & (sample.p >= (point.threshold or 0))))


METHODS: dict[str, Method] = {
    "called": lambda sample, _: float(sample.called.mean()),
    "mean p": lambda sample, _: float(sample.p.mean()),
    "EM": lambda sample, _: adapted_prior(sample.p),
    "adjusted": lambda sample, rates: rates.decisions.infected_share(float(sample.called.mean())),
    "counting point": lambda sample, rates: rates.point.infected_share(
        counted_share(sample, rates.point)
    ),
}


def main() -> None:
    """Compare all methods on all slides."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fields", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("models", nargs="+")
    given = parser.parse_args()
    rows.remove(FILE)
    folds = list(counting.held_out(given.run))
    for level in LEVELS:
        measure("cross-validation", f"{100 * level:g} %", list(simulated(folds, level)))
    for model in given.models:
        for place, slides in of_places(given.fields, model):
            measure(model, place, slides)


def measure(model: str, place: str, slides: list[tuple[Sample, Rates]]) -> None:
    """Append a row for each method."""
    truth = np.array([sample.truth for sample, _ in slides])
    for name, method in METHODS.items():
        found = np.array([method(sample, rates) for sample, rates in slides])
        row: rows.Row = {"model": model, "slides_of": place, "method": name, "slides": len(slides)}
        row |= {"truth": round(float(truth.mean()), 5), "estimate": round(float(found.mean()), 5)}
        rows.append(FILE, row | _ratios(found, truth) | rows.conditions())


def _ratios(found: Floats, truth: Floats) -> rows.Row:
    """Return the estimates over the truth; empty where the truth is not known, or 0."""
    if not truth.all():
        return dict.fromkeys(("ratio", "ratio_5", "ratio_95", "within_25"), "")
    ratio = found / truth
    low, middle, high = np.quantile(ratio, (0.05, 0.5, 0.95))
    return {
        "ratio": round(float(middle), 3),
        "ratio_5": round(float(low), 3),
        "ratio_95": round(float(high), 3),
        "within_25": round(float(np.mean(abs(ratio - 1) <= 0.25)), 3),
    }


# ---- slides ------------------------------------------------------------------------------------


def simulated(folds: list[counting.Fold], level: float) -> Iterator[tuple[Sample, Rates]]:
    """Yield slides of held-out patients, with the rates of the others."""
    rng = np.random.default_rng(0)
    for fold in folds:
        rates = Rates(fold.points["counting point"], fold.points["decisions"])
        for _ in range(SLIDES // len(folds)):
            p = counting.simulated_slide(fold.predictions, level, rng)
            yield Sample(p, p > fold.high, level), rates


def of_places(folder: Path, model: str) -> Iterator[tuple[str, list[tuple[Sample, Rates]]]]:
    """Yield the slides of each place, those with marks first."""
    predictor = Predictor.load(model)
    bundle = predictor.bundle
    assert bundle.counting_point and bundle.false_positive_rate
    decisions = CountingPoint(None, bundle.false_positive_rate.of_unseen_patient())
    rates = Rates(bundle.counting_point, decisions)
    places = counting.known_places(folder, predictor)
    marked = {place: sum(one.infected for one in found) > 0 for place, found in places.items()}
    for place in sorted(places, key=lambda place: not marked[place]):
        drawn = _drawn(places[place]) if marked[place] else [places[place]]
        yield place, [(_sample(group), rates) for group in drawn]


def _drawn(found: list[counting.KnownField]) -> list[list[counting.KnownField]]:
    """Return groups of fields, drawn with replacement, in which people marked an infected cell."""
    rng = np.random.default_rng(0)
    groups = [[found[i] for i in rng.choice(len(found), FIELDS)] for _ in range(SLIDES)]
    return [group for group in groups if sum(one.infected for one in group)]


def _sample(group: list[counting.KnownField]) -> Sample:
    cells = [cell for one in group for cell in one.field.cells]
    return Sample(
        np.array([cell.p_parasitized for cell in cells]),
        np.array([cell.decision == PARASITIZED for cell in cells]),
        sum(one.infected for one in group) / max(1, sum(one.marked for one in group)),
    )


# ---- the table ---------------------------------------------------------------------------------


def table() -> str:
    """Return the results in Markdown: a line per kind of slide, a column per method."""
    found = [row for row in rows.read(FILE) if row["ratio"]]
    lines = []
    for (model, place), of_kind in md.groups(found, "model", "slides_of").items():
        kept = of_kind[-1]
        lines.append(
            [
                f"{place}, {model}",
                *(f"{float(row['ratio']):.2f}, {md.share(row['within_25'])}" for row in of_kind),
                f"{float(kept['ratio_5']):.2f} to {float(kept['ratio_95']):.2f}",
            ]
        )
    note = (
        "Median of estimate over truth, and the share of slides within 25 % of the truth;"
        f" {found[0]['slides']} slides for each line. A slide of IML or BBBC041 has {FIELDS} fields"
        f" drawn with replacement, and its truth is people's marks. {md.machine(found)}"
    )
    return md.table(("slides", *METHODS, "counting point, 9 of 10 slides"), lines, note)


if __name__ == "__main__":
    main()
