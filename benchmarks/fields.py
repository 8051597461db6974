"""Whole fields: red cells found compared with cells that people marked, counts, metrics.

    python benchmarks/fields.py fields/iml nano

`fields/iml` has pictures and annotations.json, as for microscope.py; a place of world.py, such as
`fields/world/bbbc041`, has its marks in the truth.json above it. A found red cell and a marked
one are the same cell if their boxes have an intersection over union of 0.5 or more; each is
matched once. An unmatched one counts as wrong only if it is more than 8 px from the picture's
edge, where cells are often unmarked. The rows of the network and the folder in
benchmarks/results/fields.csv are replaced: one of all fields, and where some are not usable one
of the others, which screening counts. stages.py measures the time.

found.csv has a row for each type of marked cell: how many are found, and as what the others are
lost. There an intersection over union of 0.3 is enough, since people's boxes are larger around
cells that overlap. A cell is lost as the object that overlaps its box the most, or as "merged"
where that is a red cell of another mark.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import roc_auc_score

import markdown_tables as md
import rows
from hemozoin.classes import PARASITIZED
from hemozoin.model.predictor import Predictor
from hemozoin.smear.field import Field, ObjectKind
from hemozoin.smear.screen import screen
from microscope import LABELS, Marks, marked_pictures

FILE, FOUND_FILE = "fields.csv", "found.csv"

Boxes = npt.NDArray[np.float64]

#: Marked objects that are not red cells.
OTHERS = {"WBC", "Platelets"}

#: Marked cells of which people could not say the type.
UNTYPED = {"difficult"}

#: As what a marked cell is lost; the first object kind is that of a red cell.
LOST = (*get_args(ObjectKind)[1:], "merged", "nothing")

#: Which fields a row is of.
ALL, USABLE = "all", "usable"

#: Distance in px from the picture's edge within which nothing counts as wrong.
EDGE = 8

#: Intersection over union from which a found and a marked box are the same cell.
SAME = 0.5

#: That from which a marked cell is found, and that with the object as which it is lost.
FOUND, TOUCHED = 0.3, 0.1


@dataclass
class Score:
    """The counts and probabilities of fields together."""

    fields: int = 0
    true_positives: int = 0
    false_positives: int = 0
    false_negatives: int = 0
    count_ratios: list[float] = field(default_factory=list)
    p: list[float] = field(default_factory=list)
    infected: list[bool] = field(default_factory=list)
    infected_missed: int = 0


def main() -> None:
    """Score one network on one folder of fields."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fields", type=Path)
    parser.add_argument("model")
    given = parser.parse_args()
    predictor, scores = Predictor.load(given.model), {kind: Score() for kind in (ALL, USABLE)}
    fates = dict[str, Counter[str]]()
    marked = list(marked_pictures(given.fields))
    for path, marks in marked:
        found = screen(path, predictor)
        red = [mark for mark in marks if mark["type"] not in OTHERS]
        for score in [*scores.values()] if found.usable else [scores[ALL]]:
            add(score, found.cells, red, (found.width, found.height))
        for kind, fate in marked_fates(found, red):
            fates.setdefault(kind, Counter())[fate] += 1
    if scores[USABLE].fields == scores[ALL].fields:
        del scores[USABLE]
    threshold = predictor.bundle.threshold.value
    place = {"model": given.model, "data": given.fields.name}
    _replace(FILE, place, [{"of": of, **metrics(scores[of], threshold)} for of in scores])
    _replace(FOUND_FILE, place, [_fates_row(kind, fates[kind]) for kind in sorted(fates)])


def _replace(file: str, place: rows.Row, new: list[rows.Row]) -> None:
    """Replace the rows of one network and folder in a results file."""
    kept = [row for row in rows.read(file) if any(row[name] != place[name] for name in place)]
    rows.remove(file)
    for row in kept:
        rows.append(file, dict(row))
    for one in new:
        rows.append(file, {**place, **one, **rows.conditions()})


def marked_fates(found: Field, marks: Marks) -> Iterator[tuple[str, str]]:
    """Yield the type of each marked cell away from the edge, and "found" or as what it is lost."""
    size = found.width, found.height
    boxes, cells = clip(_boxes(mark["box"] for mark in marks), size), object_boxes(found.cells)
    kinds = ["merged"] * len(found.cells) + [one.kind for one in found.others]
    overlaps = iou(np.concatenate([cells, object_boxes(found.others)]), boxes)
    matched = {mark for _, mark in match(cells, boxes, FOUND)}
    for number in np.flatnonzero(is_inside(boxes, size)).tolist():
        best = int(overlaps[:, number].argmax()) if len(kinds) else -1
        touched = best >= 0 and overlaps[best, number] >= TOUCHED
        fate = "found" if number in matched else kinds[best] if touched else "nothing"
        if marks[number]["type"] not in UNTYPED:
            yield marks[number]["type"], fate


def _fates_row(kind: str, fates: Counter[str]) -> rows.Row:
    lost = {name: fates[name] for name in LOST}
    return {"type": kind, "marked": fates.total(), "found": fates["found"], **lost}


def object_boxes(objects: Any) -> Boxes:
    """Return the boxes of found objects, `[n, 4]`: x, y, width, height in px."""
    return _boxes((one.x, one.y, one.width, one.height) for one in objects)


def _boxes(boxes: Any) -> Boxes:
    return np.array([*boxes], float).reshape(-1, 4)


def add(score: Score, cells: Any, marks: Marks, size: tuple[int, int]) -> None:
    """Add one field to the score."""
    found, boxes = object_boxes(cells), clip(_boxes(mark["box"] for mark in marks), size)
    pairs = match(found, boxes)
    score.fields += 1
    found_inside, marked_inside = is_inside(found, size), is_inside(boxes, size)
    score.true_positives += len(pairs)
    score.false_positives += int(np.delete(found_inside, [a for a, _ in pairs]).sum())
    score.false_negatives += int(np.delete(marked_inside, [b for _, b in pairs]).sum())
    if marked_inside.any():
        score.count_ratios.append(float(found_inside.sum() / marked_inside.sum()))
    partner = {mark: cell for cell, mark in pairs}
    for number, mark in enumerate(marks):
        infected = LABELS.get(mark["type"]) == PARASITIZED
        if number in partner and mark["type"] in LABELS:
            score.p.append(cells[partner[number]].p_parasitized)
            score.infected.append(infected)
        elif infected:
            score.infected_missed += 1


def match(found: Boxes, marks: Boxes, least: float = SAME) -> list[tuple[int, int]]:
    """Return the pairs of a found and a marked box that are the same cell."""
    overlaps = iou(found, marks)
    pairs = zip(*linear_sum_assignment(-np.where(overlaps >= least, overlaps, 0)), strict=True)
    return [(int(a), int(b)) for a, b in pairs if overlaps[a, b] >= least]


def iou(found: Boxes, marks: Boxes) -> Boxes:
    """Return the intersection over union of each found box `[n, 4]` with each mark `[m, 4]`."""
    one, other = found[:, None], marks[None]
    low = np.maximum(one[..., :2], other[..., :2])
    high = np.minimum(one[..., :2] + one[..., 2:], other[..., :2] + other[..., 2:])
    both = (high - low).clip(0).prod(axis=-1)
    return np.asarray(both / (one[..., 2:].prod(-1) + other[..., 2:].prod(-1) - both))


def clip(boxes: Boxes, size: tuple[int, int]) -> Boxes:
    """Return the parts of the boxes that are in the picture."""
    low = boxes[:, :2].clip(0)
    return np.hstack([low, np.minimum(boxes[:, :2] + boxes[:, 2:], size) - low])


def is_inside(boxes: Boxes, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Return which boxes are more than `EDGE` px from the picture's edge."""
    high = boxes[:, :2] + boxes[:, 2:]
    inside = (boxes[:, :2] > EDGE).all(axis=1) & (high < np.array(size) - EDGE).all(axis=1)
    return np.asarray(inside)


def metrics(score: Score, threshold: float) -> rows.Row:
    """Return the metrics of fields together."""
    errors = score.false_positives + score.false_negatives
    close = np.abs(np.array(score.count_ratios) - 1) <= 0.1
    return {
        "fields": score.fields,
        "true_positives": score.true_positives,
        "false_positives": score.false_positives,
        "false_negatives": score.false_negatives,
        "f1": round(2 * score.true_positives / (2 * score.true_positives + errors), 4),
        "counts_within_10_percent": round(float(np.mean(close)), 3),
        "infected_found": sum(score.infected),
        "infected_missed": score.infected_missed,
        **_classification(np.array(score.p), np.array(score.infected), threshold),
    }


def _classification(
    p: npt.NDArray[np.float64], infected: npt.NDArray[np.bool_], threshold: float
) -> rows.Row:
    """Return the metrics of the network on matched cells; empty where none is infected."""
    if not infected.any():
        return {"auc": "", "sensitivity": "", "specificity": ""}
    called = p >= threshold
    return {
        "auc": round(float(roc_auc_score(infected, p)), 4),
        "sensitivity": round(float(called[infected].mean()), 3),
        "specificity": round(float(1 - called[~infected].mean()), 4),
    }


def table() -> str:
    """Return the results in Markdown: a line per network and set of fields."""
    found = rows.read(FILE)
    lines = [
        (
            f"`{row['model']}`, {row['data']}{', usable' if row['of'] == USABLE else ''}",
            row["fields"],
            f"{row['true_positives']}, {row['false_positives']}, {row['false_negatives']}",
            row["f1"],
            md.share(row["counts_within_10_percent"]),
            f"{row['infected_found']}, {row['infected_missed']}",
            *(row[name] for name in ("auc", "sensitivity", "specificity")),
        )
        for row in found
    ]
    last = found[-1]
    note = (
        "Red cells found, compared with cells that people marked: the same cell from an"
        " intersection over union of 0.5 on; unmatched cells within 8 px of the edge are ignored."
        " Usable fields are those that screening counts: it names a flaw of the others."
        " Counts: red cells found divided by red cells marked, per field. AUC, sensitivity and"
        f" specificity are of the matched cells. hemozoin {last['hemozoin']}."
    )
    columns = (
        *("network, data", "fields", "true positives, false positives, false negatives", "F1"),
        *("counts within 10 %", "infected cells found, missed", "AUC", "sensitivity"),
        "specificity",
    )
    return md.table(columns, lines, note)


def found_table() -> str:
    """Return as Markdown how many cells of each type are found: a line per type of each folder."""
    results = rows.read(FOUND_FILE)
    lines = []
    for (model, data), types in md.groups(results, "model", "data").items():
        infected = [row for row in types if LABELS.get(row["type"]) == PARASITIZED]
        lines += [_found_line(f"`{model}`, {data}", row["type"], [row]) for row in types]
        if infected:
            lines.append(_found_line(f"`{model}`, {data}", "**infected, all**", infected))
    note = (
        "Marked cells more than 8 px from the edge; found: a red cell overlaps the box by 0.3 or"
        " more (intersection over union). Merged: one red cell on several marks. "
        + md.machine(results)
    )
    return md.table(("data", "type", "marked", "found", "lost as"), lines, note)


def _found_line(data: str, kind: str, types: md.Rows) -> tuple[object, ...]:
    marked, found, *lost = (
        sum(int(row[name]) for row in types) for name in ("marked", "found", *LOST)
    )
    named = [f"{name} {count}" for name, count in zip(LOST, lost, strict=True) if count]
    return data, kind, marked, f"{found / marked:.3f}", ", ".join(named)


if __name__ == "__main__":
    main()
