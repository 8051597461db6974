"""Whole fields: cells found against cells marked by people, counts, answers, time.

    python benchmarks/fields.py fields/iml nano

`fields/iml` holds pictures and annotations.json, as for microscope.py. A found red cell and a
marked one are the same where their boxes share half of their union, each used once. One without
the other is wrong only where it is more than 8 px from the picture's edge, where cells are
often unmarked. Seconds are those of the whole command, from files to reports, on all fields. A
row goes to benchmarks/results/fields.csv.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import roc_auc_score

import rows
from hemozoin.classes import PARASITIZED
from hemozoin.model.predictor import Predictor
from hemozoin.smear.execution.run import ScreenConfig, screen_slides
from hemozoin.smear.screen import Screener
from microscope import LABELS

Boxes = npt.NDArray[np.float64]

#: Marks that are not of red cells.
OTHERS = {"WBC", "Platelets"}

#: Distance in px from the picture's edge within which nothing counts as wrong.
EDGE = 8


@dataclass
class Score:
    """What came of all fields together."""

    both: int = 0
    made_up: int = 0
    missed: int = 0
    ratios: list[float] = field(default_factory=list)
    p: list[float] = field(default_factory=list)
    infected: list[bool] = field(default_factory=list)
    infected_not_found: int = 0


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
    pictures = [given.fields / one["image"] for one in marked]
    row = figures(score, predictor.bundle.threshold.value)
    row |= {"seconds": round(whole_command(pictures, given.model), 1)}
    row = {"model": given.model, "data": given.fields.name, "fields": len(marked), **row}
    rows.append("fields.csv", row | rows.conditions())


def add(score: Score, cells: Any, marks: list[dict[str, Any]], size: tuple[int, int]) -> None:
    """Score one field."""
    found = np.array([(c.x, c.y, c.width, c.height) for c in cells], float).reshape(-1, 4)
    boxes = clipped(np.array([mark["box"] for mark in marks], float).reshape(-1, 4), size)
    pairs = matched(found, boxes)
    inside = is_inside(found, size), is_inside(boxes, size)
    score.both += len(pairs)
    score.made_up += int(np.delete(inside[0], [a for a, _ in pairs]).sum())
    score.missed += int(np.delete(inside[1], [b for _, b in pairs]).sum())
    if inside[1].any():
        score.ratios.append(float(inside[0].sum() / inside[1].sum()))
    partner = {mark: cell for cell, mark in pairs}
    for number, mark in enumerate(marks):
        infected = LABELS.get(mark["type"]) == PARASITIZED
        if number in partner and mark["type"] in LABELS:
            score.p.append(cells[partner[number]].p_parasitized)
            score.infected.append(infected)
        elif infected:
            score.infected_not_found += 1


def matched(found: Boxes, marks: Boxes) -> list[tuple[int, int]]:
    """Return pairs of a found and a marked box that are one cell."""
    one, other = found[:, None], marks[None]
    low = np.maximum(one[..., :2], other[..., :2])
    high = np.minimum(one[..., :2] + one[..., 2:], other[..., :2] + other[..., 2:])
    both = (high - low).clip(0).prod(axis=-1)
    share = both / (one[..., 2:].prod(-1) + other[..., 2:].prod(-1) - both)
    pairs = zip(*linear_sum_assignment(-np.where(share >= 0.5, share, 0)), strict=True)
    return [(int(a), int(b)) for a, b in pairs if share[a, b] >= 0.5]


def clipped(boxes: Boxes, size: tuple[int, int]) -> Boxes:
    """Return boxes as far as they are in the picture."""
    low = boxes[:, :2].clip(0)
    return np.hstack([low, np.minimum(boxes[:, :2] + boxes[:, 2:], size) - low])


def is_inside(boxes: Boxes, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Tell which boxes are clear of the picture's edge."""
    high = boxes[:, :2] + boxes[:, 2:]
    inside = (boxes[:, :2] > EDGE).all(axis=1) & (high < np.array(size) - EDGE).all(axis=1)
    return np.asarray(inside)


def figures(score: Score, threshold: float) -> rows.Row:
    """Return the figures of all fields together."""
    p, infected = np.array(score.p), np.array(score.infected)
    called = p >= threshold
    answers: rows.Row = {"auc": "", "sensitivity": "", "specificity": ""}
    if infected.any():
        answers = {
            "auc": round(float(roc_auc_score(infected, p)), 4),
            "sensitivity": round(float(called[infected].mean()), 3),
            "specificity": round(float(1 - called[~infected].mean()), 4),
        }
    return {
        "marked_and_found": score.both,
        "found_only": score.made_up,
        "marked_only": score.missed,
        "f1": round(2 * score.both / (2 * score.both + score.made_up + score.missed), 4),
        "counts_within_10_percent": round(
            float(np.mean(np.abs(np.array(score.ratios) - 1) <= 0.1)), 3
        ),
        "infected": int(infected.sum()),
        "infected_not_found": score.infected_not_found,
        **answers,
    }


def whole_command(pictures: list[Path], model: str) -> float:
    """Return the seconds that screening the pictures takes, from files to report."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        screen_slides(pictures, Path(folder) / "out", ScreenConfig(model))
        return time.perf_counter() - start


if __name__ == "__main__":
    main()
