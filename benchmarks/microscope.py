"""Another microscope: the pretrained networks, tested on the marked cells of whole fields.

    python benchmarks/microscope.py fields/iml nano best
    python benchmarks/microscope.py fields/world/bbbc041 nano best

`fields/iml` has pictures and annotations.json: a list of {image, cells: [{type, box}]}, where a
box is [x, y, width, height] in pixels. Each box is cut out as it is, with the background and
neighbouring cells in it, and clipped to the picture. "red blood cell" is uninfected and any stage
of the parasite is parasitized. Cells marked "difficult", other cells, and pieces at the edge that
are too small to be read are left out. Intervals resample fields. The row of a network and a folder
in benchmarks/results/microscope.csv is replaced.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import markdown_tables as md
import rows
from hemozoin.arrays import texts
from hemozoin.classes import PARASITIZED, UNINFECTED
from hemozoin.data.cells import LabelledCells
from hemozoin.evaluation.evaluation import Evaluation, evaluate_predictions
from hemozoin.model.prediction import OUT_OF_DISTRIBUTION
from hemozoin.model.predictor import Predictor

FILE = "microscope.csv"

LABELS = {
    "red blood cell": UNINFECTED,
    **dict.fromkeys(("ring", "trophozoite", "schizont", "gametocyte"), PARASITIZED),
}

METRICS = ("roc_auc", "sensitivity", "specificity")

#: Picture, label and field of a marked cell.
MarkedCell = tuple[Image.Image, str, str]

#: The marks of a picture: the type and the box of each.
Marks = list[dict[str, Any]]


def main() -> None:
    """Test each network given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fields", type=Path)
    parser.add_argument("models", nargs="+")
    given = parser.parse_args()
    marked = list(marked_cells(given.fields))
    for model in given.models:
        place = {"model": model, "fields": given.fields.name}
        row = {**place, **measure(model, marked), **rows.conditions()}
        kept = [old for old in rows.read(FILE) if any(old[name] != place[name] for name in place)]
        rows.remove(FILE)
        for one in [*kept, row]:
            rows.append(FILE, dict(one))


def measure(model: str, marked: list[MarkedCell]) -> rows.Row:
    """Return the metrics of one network on marked cells."""
    predictor = Predictor.load(model)
    predictions = predictor.predict_stream(picture for picture, _, _ in marked)
    pairs = zip(marked, predictions, strict=True)
    read = [(cell, found) for cell, found in pairs if found.error is None]
    found = [prediction for _, prediction in read]
    cells = LabelledCells(
        cell=texts(map(str, range(len(read)))),
        label=texts(label for (_, label, _), _ in read),
        patient=texts(field for (_, _, field), _ in read),
    )
    p = np.array([prediction.p_parasitized for prediction in found], dtype=float)
    evaluation = evaluate_predictions(cells, p, predictor.bundle.threshold)
    kept = np.array([prediction.decision != "review" for prediction in found])
    outside = [prediction.reason == OUT_OF_DISTRIBUTION for prediction in found]
    decided = evaluate_predictions(cells.select(kept), p[kept], predictor.bundle.threshold)
    return {
        "parasitized": int((cells.label == PARASITIZED).sum()),
        "uninfected": int((cells.label == UNINFECTED).sum()),
        **_with_intervals(evaluation, ""),
        "threshold": round(predictor.bundle.threshold.value, 3),
        "review": round(1 - float(kept.mean()), 4),
        "out_of_distribution": round(float(np.mean(outside)), 4),
        **_with_intervals(decided, "decided_"),
    }


def marked_cells(folder: Path) -> Iterator[MarkedCell]:
    """Yield the marked cells of a folder of fields."""
    for path, marks in marked_pictures(folder):
        picture = Image.open(path).convert("RGB")
        for cell in marks:
            x, y, width, height = cell["box"]
            left, top = max(x, 0), max(y, 0)
            right, bottom = min(x + width, picture.width), min(y + height, picture.height)
            if cell["type"] in LABELS and left < right and top < bottom:
                crop = picture.crop((left, top, right, bottom))
                yield crop, LABELS[cell["type"]], path.name


def marked_pictures(folder: Path) -> Iterator[tuple[Path, Marks]]:
    """Yield the marked pictures of a folder, each with its marks."""
    own = folder / "annotations.json"
    if own.exists():
        for one in json.loads(own.read_text(encoding="utf-8")):
            yield folder / one["image"], one["cells"]
        return
    for one in json.loads((folder.parent / "truth.json").read_text(encoding="utf-8")):
        if one["site"] == folder.name and one.get("cells"):
            yield folder / one["file"], one["cells"]


def _with_intervals(evaluation: Evaluation, prefix: str) -> rows.Row:
    found = evaluation.intervals.metrics
    return {
        f"{prefix}{name}{end}": round(value, 4)
        for name in METRICS
        for end, value in (
            ("", found[name].value),
            ("_low", found[name].low),
            ("_high", found[name].high),
        )
    }


def table() -> str:
    """Return the results in Markdown: a line per network and folder of fields."""
    found = rows.read(FILE)
    lines = [
        (
            f"`{row['model']}`, {row['fields']}",
            f"{row['parasitized']}, {int(row['uninfected']):,}",
            *(md.interval(row, name) for name in METRICS),
            md.share(row["review"], 1),
            f"{row['decided_sensitivity']}, {row['decided_specificity']}",
        )
        for row in found
    ]
    note = (
        "Cells as marked; 95 % intervals from resampling fields; the threshold is that of the model"
        f" folder. hemozoin {found[-1]['hemozoin']}."
    )
    columns = (
        *("network, data", "cells: parasitized, uninfected", "AUC", "sensitivity", "specificity"),
        "for review",
        "without review: sensitivity, specificity",
    )
    return md.table(columns, lines, note)


if __name__ == "__main__":
    main()
