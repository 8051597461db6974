"""Whole fields: red cells found compared with cells that people marked, counts, metrics.

    python benchmarks/fields.py fields/iml nano

`fields/iml` has pictures and annotations.json, as for microscope.py. A found red cell and a marked
one are the same cell if their boxes have an intersection over union of 0.5 or more; each is
matched once. An unmatched one counts as wrong only if it is more than 8 px from the picture's
edge, where cells are often unmarked. One row goes to benchmarks/results/fields.csv. stages.py
measures the time.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import roc_auc_score

import markdown_tables as md
import rows
from hemozoin.classes import PARASITIZED
from hemozoin.model.predictor import Predictor
from hemozoin.smear.screen import Screener
from microscope import LABELS

FILE = "fields.csv"

Boxes = npt.NDArray[np.float64]

#: Marked objects that are not red cells.
OTHERS = {"WBC", "Platelets"}

#: Distance in px from the picture's edge within which nothing counts as wrong.
EDGE = 8

#: Intersection over union from which a found and a marked box are the same cell.
SAME = 0.5


@dataclass
class Score:
    """The counts and probabilities of all fields together."""

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
    predictor, score = Predictor.load(given.model), Score()
    marked = json.loads((given.fields / "annotations.json").read_text(encoding="utf-8"))
    for one in marked:
        picture = Image.open(given.fields / one["image"]).convert("RGB")
        red = [mark for mark in one["cells"] if mark["type"] not in OTHERS]
        add(score, Screener(predictor)(picture).cells, red, picture.size)
    row = metrics(score, predictor.bundle.threshold.value)
    row = {"model": given.model, "data": given.fields.name, "fields": len(marked), **row}
    rows.append(FILE, row | rows.conditions())


def add(score: Score, cells: Any, marks: list[dict[str, Any]], size: tuple[int, int]) -> None:
    """Add one field to the score."""
    found = np.array([(c.x, c.y, c.width, c.height) for c in cells], float).reshape(-1, 4)
    boxes = clip(np.array([mark["box"] for mark in marks], float).reshape(-1, 4), size)
    pairs = match(found, boxes)
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


def match(found: Boxes, marks: Boxes) -> list[tuple[int, int]]:
    """Return the pairs of a found and a marked box that are the same cell."""
    one, other = found[:, None], marks[None]
    low = np.maximum(one[..., :2], other[..., :2])
    high = np.minimum(one[..., :2] + one[..., 2:], other[..., :2] + other[..., 2:])
    both = (high - low).clip(0).prod(axis=-1)
    iou = both / (one[..., 2:].prod(-1) + other[..., 2:].prod(-1) - both)
    pairs = zip(*linear_sum_assignment(-np.where(iou >= SAME, iou, 0)), strict=True)
    return [(int(a), int(b)) for a, b in pairs if iou[a, b] >= SAME]


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
    """Return the metrics of all fields together."""
    errors = score.false_positives + score.false_negatives
    close = np.abs(np.array(score.count_ratios) - 1) <= 0.1
    return {
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
            f"`{row['model']}`, {row['data']}",
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
        " Counts: red cells found divided by red cells marked, per field. AUC, sensitivity and"
        f" specificity are of the matched cells. hemozoin {last['hemozoin']}."
    )
    columns = (
        *("network, data", "fields", "true positives, false positives, false negatives", "F1"),
        *("counts within 10 %", "infected cells found, missed", "AUC", "sensitivity"),
        "specificity",
    )
    return md.table(columns, lines, note)


if __name__ == "__main__":
    main()
