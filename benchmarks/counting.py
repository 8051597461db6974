"""How far a count without a person can be trusted: simulated slides, and fields of other places.

    python benchmarks/counting.py fields runs/nano nano

`runs/nano` is a cross-validation with --labels and --final. Parts of the patients are held out
(held_out.py): counting point and reference patients are fitted on the out-of-fold predictions of
the other patients, with the cells on which both labels agree. A slide has 5,000 red cells of
held-out patients: the infected ones of one patient, the uninfected ones of all patients of the
part, since one patient has only 65 of them; both are drawn with replacement. One row
per parasitaemia goes to benchmarks/results/counting.csv, and the figure to docs/counting.svg.

`fields` has the folders of world.py. Groups of fields of one place are slides that `nano` counts.
Of `eyepiece_phone` each field is a slide: these are NLM's own photos, of patients of the training
cells. Where people marked the infected cells, the estimate is compared with the marks as if the
slide had been like the known ones. One row per place goes to results/counting_places.csv.
audits.py measures the count with a person.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import fields
import markdown_tables as md
import rows
import world
from held_out import DEALS, CrossValidation
from hemozoin.arrays import Floats
from hemozoin.classes import PARASITIZED
from hemozoin.decision.counting_point import CountingPoint
from hemozoin.decision.ood import fit_ood_detector
from hemozoin.decision.reference_patients import ReferencePatients, fit_reference_patients
from hemozoin.decision.temperature import calibrate
from hemozoin.metrics.bootstrap import Estimate
from hemozoin.metrics.predictions import LabelledPredictions
from hemozoin.model.predictor import Predictor
from hemozoin.smear.counting.blood import Blood
from hemozoin.smear.counting.parasitaemia import estimate_parasitaemia
from hemozoin.smear.counting.slide import Slide, Verdict
from hemozoin.smear.counting.tally import Tally
from hemozoin.smear.field import Field
from hemozoin.training.packaging import DecisionParameters
from hemozoin.training.reference import bulk_cells
from microscope import LABELS

FILE, PLACES = "counting.csv", "counting_places.csv"

FIGURE = Path(__file__).parents[1] / "docs" / "counting.svg"

#: Red cells of a simulated slide, slides of each part and parasitaemia, and the parasitaemias.
RED_CELLS, SLIDES = 5000, 20
LEVELS = (0.0, 0.0002, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05)

#: Fewest infected cells of a patient of whom slides are made.
FEWEST = 20

#: Fields of a group, and groups of a place; a place with fewer fields is one group.
GROUP, GROUPS = 20, 50

#: The place of NLM's photos.
NLM = "eyepiece_phone"

#: Counting points that are compared at home: a stricter threshold, and today's decisions.
WAYS = ("counting point", "decisions")


@dataclass(frozen=True, eq=False)
class Fold:
    """Held-out patients, and what was fitted on the others."""

    points: dict[str, CountingPoint]
    predictions: LabelledPredictions
    high: float
    reference: ReferencePatients
    like: list[bool]


def main() -> None:
    """Measure both and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fields", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("model")
    given = parser.parse_args()
    measure_home(list(held_out(given.run)))
    measure_places(given.fields, given.model)
    draw()


# ---- slides of held-out patients ---------------------------------------------------------------


def held_out(run: Path) -> Iterator[Fold]:
    """Yield each part of the patients, with all that is fitted fitted on the others."""
    data = CrossValidation.load(run)
    detector = fit_ood_detector(data.pixels)
    assert data.cells.corrected is not None
    agree = data.cells.corrected == data.cells.label
    patient = data.cells.patient.astype(str)
    for own, decision in data.parts():
        p = calibrate(data.logit, decision.temperature)
        bulk = bulk_cells(data.cells, p, data.pixels, decision.review_band, detector)
        held = np.isin(bulk.patient, patient[own])
        reference = fit_reference_patients(bulk.subset(~held))
        assert reference is not None
        yield Fold(
            _points(decision),
            LabelledPredictions.from_cells(data.cells, p).subset(agree & own),
            decision.review_band.high,
            reference,
            [not any(reference.differences(one)) for one in bulk.subset(held).patients()],
        )


def _points(decision: DecisionParameters) -> dict[str, CountingPoint]:
    point = decision.counting_point
    assert point is not None
    assert decision.false_positive_rate is not None
    rate = decision.false_positive_rate.of_unseen_patient()
    return {"counting point": point, "decisions": CountingPoint(None, rate)}


def measure_home(folds: list[Fold]) -> None:
    """Replace the rows of the simulated slides."""
    rows.remove(FILE)
    like = [one for fold in folds for one in fold.like]
    for way in WAYS:
        for level in LEVELS:
            rng, estimates = np.random.default_rng(0), list[Estimate]()
            for fold in folds:
                estimates += [estimate_slide(fold, way, level, rng) for _ in range(SLIDES)]
            row = {"way": way, "parasitaemia": level, "red_cells": RED_CELLS}
            row |= figures(estimates, np.full(len(estimates), level))
            of_deals = np.array([one.low > 0 for one in estimates]).reshape(DEALS, -1).mean(axis=1)
            row |= {"reportable_sd": round(float(of_deals.std(ddof=1)), 4)}
            row |= {"patients": len(like) // DEALS, "patients_like": round(sum(like) / DEALS)}
            rows.append(FILE, row | _limits(folds, way) | rows.conditions())


def simulated_slide(cells: LabelledPredictions, level: float, rng: np.random.Generator) -> Floats:
    """Return the p of a slide's cells: the infected ones are of one of the patients."""
    count = round(level * RED_CELLS)
    assert cells.patient is not None
    names, numbers = np.unique(cells.patient[cells.truth], return_counts=True)
    one = rng.choice(names[numbers >= FEWEST])
    infected = rng.choice(cells.p[cells.truth & (cells.patient == one)], count)
    return np.concatenate([infected, rng.choice(cells.p[~cells.truth], RED_CELLS - count)])


def estimate_slide(fold: Fold, way: str, level: float, rng: np.random.Generator) -> Estimate:
    """Return the estimate of one simulated slide."""
    point, p = fold.points[way], simulated_slide(fold.predictions, level, rng)
    counted = int(np.sum((p > fold.high) & (p >= (point.threshold or 0))))
    return _estimate(counted, point)


@cache
def _estimate(counted: int, point: CountingPoint) -> Estimate:
    return estimate_parasitaemia(counted, RED_CELLS, point).estimate


def figures(estimates: list[Estimate], truth: Floats) -> rows.Row:
    """Return the figures of many slides with their true parasitaemia."""
    value, low, high = np.array([[one.value, one.low, one.high] for one in estimates]).T
    return {
        "slides": len(estimates),
        "reportable": round(float((low > 0).mean()), 4),
        "coverage": round(float(((low <= truth) & (truth <= high)).mean()), 4),
        "within_25": round(float((abs(value - truth) <= 0.25 * truth).mean()), 3),
        "estimate": round(float(np.median(value)), 6),
        "low": round(float(np.median(low)), 6),
        "high": round(float(np.median(high)), 6),
    }


def _limits(folds: list[Fold], way: str) -> rows.Row:
    """Return the means over the parts of what was fitted on the others."""
    points = [fold.points[way] for fold in folds]
    counts = [point.reportable_count(RED_CELLS) or RED_CELLS for point in points]
    shares = [p.infected_share(k / RED_CELLS) for p, k in zip(points, counts, strict=True)]
    limits = [point.limit_of_detection(RED_CELLS) or 1.0 for point in points]
    return {
        "reported_from": round(float(np.mean(shares)), 5),
        "limit_of_detection": round(float(np.mean(limits)), 5),
        "limit_sd": round(float(np.std(limits, ddof=1)), 5),
    }


# ---- fields of other places --------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class KnownField:
    """A usable field; numbers of marked red cells, and of the infected ones among them."""

    field: Field
    marked: int
    infected: int


def measure_places(folder: Path, model: str) -> None:
    """Replace the rows of the fields."""
    rows.remove(PLACES)
    predictor = Predictor.load(model)
    for place, found in known_places(folder, predictor).items():
        row: rows.Row = {"place": place, "fields": len(found)}
        rows.append(PLACES, row | figures_of_place(place, found, predictor) | rows.conditions())


def known_places(folder: Path, predictor: Predictor) -> dict[str, list[KnownField]]:
    """Return the usable fields of each place."""
    places = dict[str, list[KnownField]]()
    truths = list(world.world(folder / "world"))
    for name in ("iml", "bccd"):
        truths += world.marked_fields(folder / name, infected=None)
    for truth in truths:
        field = world.try_screen(truth, predictor)
        if truth.kind == "thin" and field.usable:
            places.setdefault(truth.place, []).append(known_field(field, truth.cells))
    return places


def known_field(field: Field, marks: world.Marks) -> KnownField:
    """Return the field with the numbers of its marks that are away from the edge."""
    red = [mark for mark in marks if mark["type"] not in fields.OTHERS]
    size = field.width, field.height
    boxes = fields.clip(np.array([mark["box"] for mark in red], float).reshape(-1, 4), size)
    infected = np.array([LABELS.get(mark["type"]) == PARASITIZED for mark in red], bool)
    inside = fields.is_inside(boxes, size)
    return KnownField(field, int(inside.sum()), int((inside & infected).sum()))


def groups_of(found: list[KnownField], size: int) -> Iterator[list[KnownField]]:
    """Yield groups of fields: drawn if there are more than `size`, or all together, or singles."""
    rng = np.random.default_rng(0)
    if size == 1:
        yield from ([one] for one in found)
    elif len(found) <= size:
        yield found
    else:
        for _ in range(GROUPS):
            yield [found[i] for i in rng.choice(len(found), size, replace=False)]


def figures_of_place(place: str, found: list[KnownField], predictor: Predictor) -> rows.Row:
    """Return the verdicts on groups of the fields, and the estimates compared with the marks."""
    groups = list(groups_of(found, 1 if place == NLM else GROUP))
    number = len(groups)
    slides = [count(group, predictor) for group in groups]
    verdicts = [slide.verdict for slide in slides]
    names: tuple[Verdict, ...] = (
        "needs confirmation",
        "reportable",
        "below the reportable limit",
    )
    estimates = [as_if_known(slide) for slide in slides]
    marked = sum(one.infected for one in found) > 0
    truth = [sum(one.infected for one in g) / max(sum(one.marked for one in g), 1) for g in groups]
    return {
        "groups": number,
        "group_fields": len(groups[0]),
        "red_cells": round(float(np.mean([slide.red_cells for slide in slides]))),
        "called": round(float(np.mean([slide.infected for slide in slides])), 1),
        **{name.replace(" ", "_"): round(verdicts.count(name) / number, 3) for name in names},
        "marked": round(float(np.mean(truth)), 5) if marked else "",
        "as_if_within_25": figures(estimates, np.array(truth))["within_25"] if marked else "",
        "as_if_coverage": figures(estimates, np.array(truth))["coverage"] if marked else "",
    }


def as_if_known(slide: Slide) -> Estimate:
    """Return the estimate of a slide, also of one that is unlike the known ones."""
    assert slide.counting_point is not None
    assert slide.counted is not None
    return estimate_parasitaemia(slide.counted, slide.red_cells, slide.counting_point).estimate


def count(group: list[KnownField], predictor: Predictor) -> Slide:
    """Return the count of fields as one slide."""
    bundle = predictor.bundle
    tally = Tally("slide", bundle.counting, bundle.reference_patients)
    for one in group:
        tally.add(one.field)
    return tally.slide(Blood())


# ---- the tables and the figure -----------------------------------------------------------------


def table() -> str:
    """Return the results at home in Markdown: a line per parasitaemia."""
    found = rows.read(FILE)
    lines = [
        (
            f"{100 * float(row['parasitaemia']):g} %",
            f"{md.share(row['reportable'], 1)} ± {md.share(row['reportable_sd'], 1)}",
            md.share(row["coverage"], 1),
            md.share(row["within_25"]) if float(row["parasitaemia"]) else "",
            f"{_percent(row['estimate'])} ({_percent(row['low'])} to {_percent(row['high'])})",
            md.share(before["reportable"], 1),
        )
        for row, before in _pairs(found)
    ]
    strict, before = (next(row for row in found if row["way"] == way) for way in WAYS)
    note = (
        f"{strict['slides']} slides of 5,000 red cells for each line, of held-out patients;"
        f" reportable: mean ± standard deviation over {DEALS} deals of the patients. A slide"
        f" is reported from {_percent(strict['reported_from'])} on; the limit of detection, at"
        f" which 95 % of slides are reported, is {_percent(strict['limit_of_detection'])}"
        f" ± {_percent(strict['limit_sd'])} by the fitted rates (mean ± standard deviation over"
        f" parts). Counting all cells that are called infected: {_percent(before['reported_from'])}"
        f" and {_percent(before['limit_of_detection'])}. {strict['patients_like']} of"
        f" {strict['patients']} held-out patients are like the others. {md.machine(found)}"
    )
    columns = (
        *("parasitaemia", "reportable", "interval holds the truth", "within 25 %"),
        *("estimate (interval), medians", "reportable if all called cells count"),
    )
    return md.table(columns, lines, note)


def _pairs(found: md.Rows) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    strict, decisions = ([row for row in found if row["way"] == way] for way in WAYS)
    return zip(strict, decisions, strict=True)


def _percent(share: str) -> str:
    return f"{100 * float(share):.2g} %"


def places_table() -> str:
    """Return the results elsewhere in Markdown: a line per place."""
    found = rows.read(PLACES)
    lines = [
        (
            "NLM's photos" if row["place"] == NLM else row["place"],
            f"{row['groups']} × {row['group_fields']}",
            row["red_cells"],
            row["called"],
            *(md.share(row[name]) for name in ("needs_confirmation", "reportable")),
            md.share(row["below_the_reportable_limit"]),
            _percent(row["marked"]) if row["marked"] else "",
            *(md.share(row[n]) if row[n] else "" for n in ("as_if_within_25", "as_if_coverage")),
        )
        for row in found
    ]
    note = (
        "Groups of fields of one place, as slides. The last three columns: infected cells as"
        " people marked them, and what the estimate would have been worth if the slide had been"
        f" taken for one like the known ones. {md.machine(found)}"
    )
    columns = (
        *("place", "slides × fields", "red cells", "called infected", "needs confirmation"),
        *("reportable", "below the reportable limit", "marked", "within 25 % of the marks"),
        "interval would hold",
    )
    return md.table(columns, lines, note)


def draw() -> None:
    """Draw the share of slides that are reported, and the estimates, over the parasitaemia."""
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for way in WAYS:
        found = [row for row in rows.read(FILE) if row["way"] == way and float(row["parasitaemia"])]
        x, reported, value, low, high = (
            np.array([100 * float(row[name]) for row in found])
            for name in ("parasitaemia", "reportable", "estimate", "low", "high")
        )
        left.semilogx(x, reported, marker="o", label=f"by the {way}")
        if way == WAYS[0]:
            right.errorbar(x, value, (value - low, high - value), fmt="o", capsize=3)
    left.set(title="slides reported, %", xlabel="true parasitaemia, %")
    left.legend(fontsize=8)
    right.plot(x, x, color="grey", linewidth=1)
    right.set(title="estimate, %", xlabel="true parasitaemia, %", xscale="log")
    right.set_yscale("symlog", linthresh=0.02)
    content = io.BytesIO()
    figure.savefig(content, format="svg", metadata={"Date": None})
    FIGURE.write_bytes(content.getvalue())


if __name__ == "__main__":
    main()
