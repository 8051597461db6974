"""Audits repeated on fields and cells with known truth: the marks of people play the person.

    python benchmarks/audits.py fields runs/nano

`fields` has the folders `iml`, `bccd` and `world` of world.py. From each of IML, BBBC041 and BCCD,
groups of 20 fields are drawn, and each group is audited with 50, 150 and 500 answers. `runs/nano`
is a cross-validation: slides of one patient are made from its predictions of patients that the
network had not seen; without it there are no such slides. A found cell is infected if it overlaps a
marked infected cell by 0.3 or more (intersection over union), a clump if the middle of one that is
not found lies in its box; a clump in which people marked no cell is no red cell. `audited` is what
other benchmarks call. The rows go to benchmarks/results/audits.csv.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np

import fields
import markdown_tables as md
import rows
import world
from hemozoin.arrays import Bools, Floats, Texts, texts
from hemozoin.classes import PARASITIZED, UNINFECTED
from hemozoin.model.predictor import Predictor
from hemozoin.review.agreement import reviewed_cells
from hemozoin.review.estimate import count_with_reviews
from hemozoin.review.found_cells import FoundCells
from hemozoin.review.reviews import Answer, Review
from hemozoin.review.worklist import draw_worklist
from hemozoin.smear.counting.reviewed_count import ReviewedCount
from hemozoin.smear.field import Clump, Field
from microscope import LABELS

FILE = "audits.csv"

#: Numbers of answers, of audits of each kind, and of fields in a group.
ANSWERS, AUDITS, GROUP = (50, 150, 500), 200, 20

#: Slides of one patient: red cells, and the share of them that is infected.
PATIENTS = ((2000, 0.02), (5000, 0.002))

#: Fewest cells of each class of a patient of whom slides are made.
FEWEST = 20

#: Draws a slide.
Slides = Callable[[np.random.Generator], "KnownCells"]

#: Intersection over union from which a found cell is the marked one.
fields.SAME = 0.3


@dataclass(frozen=True, eq=False)
class KnownCells:
    """Cells and clumps of a field or a slide: p and true answer of each, `[N]`; and its marks.

    `red_cells`, `[N]`, is 1 for a cell, and the number of cells in a clump. `marked` is the number
    of marked red cells, `marked_infected` of the infected ones of them. `parasitaemia` is that of
    the blood from which the cells were drawn, None if it is not known.
    """

    p: Floats
    answers: Texts
    red_cells: Floats
    marked: int
    marked_infected: int
    parasitaemia: float | None = None

    @property
    def infected(self) -> Bools:
        """Return which of them are infected, bool `[N]`."""
        return np.asarray(self.answers == PARASITIZED)


def audited(known: KnownCells, number: int, seed: int) -> ReviewedCount:
    """Return the count of a slide after an audit of `number` cells, answered by the truth."""
    cells, drawn = answered(known, number, seed)
    counted = count_with_reviews(cells, reviewed_cells(cells, drawn)[0])
    assert counted is not None
    return counted


def answered(known: KnownCells, number: int, seed: int) -> tuple[FoundCells, list[Review]]:
    """Return the cells of a slide, and the true answers on those that are drawn for an audit."""
    count = len(known.p)
    boxes = np.full((count, 4), 40.0)
    boxes[:, 0] *= np.arange(count)
    names, decisions = ("field",) * count, ("uninfected",) * count
    numbers = tuple(range(count))
    cells = FoundCells("slide", names, numbers, boxes, known.p, decisions, known.red_cells)
    drawn = [
        Review(
            reader="truth",
            field=row.field,
            x=row.x,
            y=row.y,
            width=row.width,
            height=row.height,
            answer=cast("Answer", str(known.answers[row.cell])),
            p_parasitized=row.p_parasitized,
            probability=row.probability,
            cells=len(cells),
        )
        for row in draw_worklist(cells, number, seed)
    ]
    return cells, drawn


def main() -> None:
    """Repeat the audits and replace the rows of all places."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fields", type=Path)
    parser.add_argument("run", type=Path, nargs="?")
    given = parser.parse_args()
    rows.remove(FILE)
    for place, slide in known_slides(given.fields, given.run).items():
        measure(place, slide)


def known_slides(folder: Path, run: Path | None) -> dict[str, Slides]:
    """Return functions that draw a slide with known truth, by the names of the places."""
    slides: dict[str, Slides] = {}
    for place, found in known_fields(folder).items():
        slides[f"{place}, {GROUP} fields"] = partial(group, found)
    patients = unseen_patients(run) if run else []
    for cells, share in PATIENTS if run else ():
        name = f"NLM, {cells:,} cells, {100 * share:g} % infected"
        slides[name] = partial(slide_of_patient, patients, cells, share)
    return slides


def measure(place: str, slide: Slides) -> None:
    """Audit slides of a place, and append a row for each number of answers."""
    for answers in ANSWERS:
        rng, results = np.random.default_rng(0), []
        for seed in range(AUDITS):
            known = slide(rng)
            results.append((known, audited(known, answers, seed)))
        row = {"place": place, "answers": answers, "audits": AUDITS, **figures(results)}
        rows.append(FILE, row | rows.conditions())


def figures(results: list[tuple[KnownCells, ReviewedCount]]) -> rows.Row:
    """Return the figures of many audits."""
    truth = np.array([known.infected.sum() for known, _ in results])
    cells = np.array([k.red_cells[k.answers != "not a red cell"].sum() for k, _ in results])
    value, low, high = np.array(
        [[s.value, s.low, s.high] for s in (count.parasitaemia for _, count in results)]
    ).T
    marks = np.array([k.marked_infected / max(k.marked, 1) for k, _ in results])
    share, blood = truth / cells, results[0][0].parasitaemia
    return {
        "red_cells": round(float(cells.mean())),
        "infected": round(float(truth.mean()), 1),
        "bias": round(float(((value - share) * cells).mean()), 2),
        "standard_error": round(float(((value - share) * cells).std()), 2),
        "within_25": round(float((abs(value - share) <= 0.25 * share).mean()), 3),
        "within_25_of_marks": round(float((abs(value - marks) <= 0.25 * marks).mean()), 3),
        "coverage": round(float(((low <= share) & (share <= high)).mean()), 3),
        "coverage_of_blood": ""
        if blood is None
        else round(float(((low <= blood) & (blood <= high)).mean()), 3),
        "low": round(float(np.median(low * cells)), 1),
        "high": round(float(np.median(high * cells)), 1),
    }


# ---- slides with known truth -------------------------------------------------------------------


def known_fields(folder: Path) -> dict[str, list[KnownCells]]:
    """Return the usable fields of IML, BBBC041 and BCCD."""
    places = ("iml", "bbbc041", "bccd")
    truths = [truth for truth in world.world(folder / "world") if truth.place in places]
    for name in ("iml", "bccd"):
        truths += world.marked_fields(folder / name, infected=None)
    predictor, found = Predictor.load("nano"), defaultdict(list)
    for truth in truths:
        field = world.try_screen(truth, predictor)
        red = [mark for mark in truth.cells if mark["type"] not in fields.OTHERS]
        if field.usable and red:
            found[truth.place].append(known_cells(field, red))
    return dict(found)


def known_cells(field: Field, red: world.Marks) -> KnownCells:
    """Return the cells and clumps of a field, compared with the marked red cells."""
    size = field.width, field.height
    boxes = fields.clip(np.array([mark["box"] for mark in red], float), size)
    of_mark = np.array([LABELS.get(mark["type"]) == PARASITIZED for mark in red])
    clumps = [clump for _, clump in field.clumps()]
    matches = fields.match(fields.object_boxes(field.cells), boxes)
    infected, lost = np.zeros(len(field.cells), bool), np.ones(len(red), bool)
    for cell, mark in matches:
        infected[cell], lost[mark] = of_mark[mark], False
    answers = [PARASITIZED if one else UNINFECTED for one in infected]
    answers += [_answer_on(clump, boxes[lost], of_mark[lost]) for clump in clumps]
    inside = fields.is_inside(boxes, size)
    p = [cell.p_parasitized for cell in field.cells]
    return KnownCells(
        np.array(p + [clump.p_parasitized for clump in clumps]),
        texts(answers),
        np.array([1.0] * len(infected) + [field.red_cells_in(clump) for clump in clumps]),
        int(inside.sum()),
        int((inside & of_mark).sum()),
    )


def _answer_on(clump: Clump, boxes: fields.Boxes, infected: Bools) -> str:
    """Return the answer on a clump by the marked cells whose middle is in its box."""
    middles = boxes[:, :2] + boxes[:, 2:] / 2 - (clump.x, clump.y)
    inside = ((middles >= 0) & (middles <= (clump.width, clump.height))).all(axis=1)
    if not inside.any():
        return "not a red cell"
    return PARASITIZED if infected[inside].any() else UNINFECTED


def group(found: list[KnownCells], rng: np.random.Generator) -> KnownCells:
    """Return `GROUP` of the fields as one slide."""
    chosen = [found[i] for i in rng.choice(len(found), GROUP, replace=False)]
    return KnownCells(
        np.concatenate([one.p for one in chosen]),
        np.concatenate([one.answers for one in chosen]),
        np.concatenate([one.red_cells for one in chosen]),
        sum(one.marked for one in chosen),
        sum(one.marked_infected for one in chosen),
    )


def unseen_patients(run: Path) -> list[tuple[Floats, Floats]]:
    """Return the p of each patient's infected and uninfected cells, predicted by other folds."""
    cells: dict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for path in sorted(run.glob("fold*/predictions.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                side = cells[row["patient"]][row["label"] != PARASITIZED]
                side.append(float(row["p_parasitized"]))
    pairs = ((np.array(a), np.array(b)) for a, b in cells.values())
    return [pair for pair in pairs if min(map(len, pair)) >= FEWEST]


def slide_of_patient(
    patients: list[tuple[Floats, Floats]], cells: int, share: float, rng: np.random.Generator
) -> KnownCells:
    """Return a slide of one patient, drawn with replacement."""
    infected, uninfected = patients[rng.integers(len(patients))]
    count = int(rng.binomial(cells, share))
    p = [rng.choice(infected, count), rng.choice(uninfected, cells - count)]
    answers = np.where(np.arange(cells) < count, PARASITIZED, UNINFECTED)
    return KnownCells(np.concatenate(p), answers, np.ones(cells), cells, count, share)


# ---- the table ---------------------------------------------------------------------------------


def table() -> str:
    """Return the results in Markdown: a line per place and number of answers."""
    found = rows.read(FILE)
    lines = [
        (
            row["place"],
            row["answers"],
            row["infected"],
            f"{float(row['bias']):+.1f} ± {row['standard_error']}",
            f"{row['low']} to {row['high']}",
            md.share(row["within_25"]) if float(row["infected"]) else "",
            md.share(row["within_25_of_marks"]) if float(row["infected"]) else "",
            md.share(row["coverage"]),
            md.share(row["coverage_of_blood"]) if row["coverage_of_blood"] else "",
        )
        for row in found
    ]
    last = found[-1]
    note = (
        f"{last['audits']} audits for each line; the marks of people play the person. Error: mean"
        " ± standard deviation of the estimate less the truth, in infected cells. Interval: medians"
        " of the ends. Within 25 % of the infected cells that were found, and of those that people"
        " marked. The interval holds the share of the slide, and of the blood that its cells were"
        f" drawn from. NLM's labels are as given, 5 % of them wrong. hemozoin {last['hemozoin']}."
    )
    columns = (
        *("slides", "answers", "infected cells", "error", "95 % interval", "within 25 %"),
        *("within 25 % of the marks", "interval holds", "and of the blood"),
    )
    return md.table(columns, lines, note)


if __name__ == "__main__":
    main()
