"""Another microscope: networks that ship, on the marked cells of whole fields.

    python benchmarks/microscope.py fields/iml nano best

`fields/iml` holds pictures and annotations.json: a list of {image, cells: [{type, box}]}, a box
being [x, y, width, height] in pixels. Each box is cut out as it is, glass and neighbours
included, as far as it is in the picture; "red blood cell" is uninfected, any stage of the
parasite is parasitized, "difficult" ones and other cells are left out, and so are pieces at the
edge that are too small to be read. Intervals resample fields. A row a network goes to
benchmarks/results/microscope.csv.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

import rows
from hemozoin.classes import PARASITIZED, UNINFECTED
from hemozoin.evaluation.evaluation import Evaluation, evaluate_predictions
from hemozoin.model.prediction import OUT_OF_DISTRIBUTION
from hemozoin.model.predictor import Predictor

LABELS = {
    "red blood cell": UNINFECTED,
    **dict.fromkeys(("ring", "trophozoite", "schizont", "gametocyte"), PARASITIZED),
}

SHOWN = ("roc_auc", "sensitivity", "specificity")


def main() -> None:
    """Judge each network given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fields", type=Path)
    parser.add_argument("models", nargs="+")
    given = parser.parse_args()
    marked = list(marked_cells(given.fields))
    for model in given.models:
        row = {"model": model, "fields": given.fields.name, **measure(model, marked)}
        rows.append("microscope.csv", row | rows.conditions())


def measure(model: str, marked: list[tuple[Image.Image, str, str]]) -> rows.Row:
    """Return the figures of one network on marked cells: picture, label and field of each."""
    predictor = Predictor.load(model)
    answers = predictor.predict_stream(picture for picture, _, _ in marked)
    answered = zip(marked, answers, strict=True)
    read = [(cell, found) for cell, found in answered if found.error is None]
    found = [prediction for _, prediction in read]
    cells = pl.DataFrame(
        {
            "cell": [str(number) for number in range(len(read))],
            "label": [label for (_, label, _), _ in read],
            "patient": [field for (_, _, field), _ in read],
        }
    )
    p = np.array([prediction.p_parasitized for prediction in found], dtype=float)
    evaluation = evaluate_predictions(cells, p, predictor.bundle.threshold)
    kept = np.array([prediction.decision != "review" for prediction in found])
    strange = [prediction.reason == OUT_OF_DISTRIBUTION for prediction in found]
    decided = evaluate_predictions(
        cells.filter(pl.Series(kept)), p[kept], predictor.bundle.threshold
    )
    return {
        "parasitized": int((cells["label"] == PARASITIZED).sum()),
        "uninfected": int((cells["label"] == UNINFECTED).sum()),
        **_shown(evaluation, ""),
        "threshold": round(predictor.bundle.threshold.value, 3),
        "review": round(1 - float(kept.mean()), 4),
        "out_of_distribution": round(float(np.mean(strange)), 4),
        **_shown(decided, "decided_"),
    }


def marked_cells(folder: Path) -> Iterator[tuple[Image.Image, str, str]]:
    """Yield picture, label and field of each marked cell."""
    for one in json.loads((folder / "annotations.json").read_text(encoding="utf-8")):
        picture = Image.open(folder / one["image"]).convert("RGB")
        for cell in one["cells"]:
            x, y, width, height = cell["box"]
            left, top = max(x, 0), max(y, 0)
            right, bottom = min(x + width, picture.width), min(y + height, picture.height)
            if cell["type"] in LABELS and left < right and top < bottom:
                crop = picture.crop((left, top, right, bottom))
                yield crop, LABELS[cell["type"]], one["image"]


def _shown(evaluation: Evaluation, prefix: str) -> rows.Row:
    figures = evaluation.intervals.metrics
    return {
        f"{prefix}{name}{end}": round(value, 4)
        for name in SHOWN
        for end, value in (
            ("", figures[name].value),
            ("_low", figures[name].low),
            ("_high", figures[name].high),
        )
    }


if __name__ == "__main__":
    main()
