"""What "don't know" is worth: the review band and the guard, on patients never seen.

    python benchmarks/abstention.py cell_images.zip --labels corrections.csv --fields fields RUN...

For each finished run, temperature, threshold, band and guard are fitted on its validation
patients, as `hemozoin train` does, and held against its test patients: a row a run in
benchmarks/results/abstention.csv. The out-of-distribution detector is also shown pictures that
are no red cell (out_of_distribution.py): a row a kind in benchmarks/results/out_of_distribution.csv.
`--fields` is a folder with `iml` and `bccd`, whole pictures with annotations.json: their red cells, cut out by their boxes, should pass. Both files
are written anew.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

import rows
from hemozoin.arrays import Floats, Pixels
from hemozoin.data.dataset import decode_cells, find_cells
from hemozoin.data.options import CellOptions
from hemozoin.data.picture import decode
from hemozoin.data.preprocess import Preprocessing, prepare
from hemozoin.data.split import read_split
from hemozoin.decision.ood import OutOfDistributionDetector, fit_ood_detector
from hemozoin.decision.temperature import calibrate
from hemozoin.decision.threshold import OperatingPoint
from hemozoin.evaluation.evaluation import evaluate_predictions
from hemozoin.model.predictor import Predictor
from hemozoin.training.packaging import DecisionParameters, decide
from out_of_distribution import TUNED, field_pictures, out_of_distribution_pictures

#: Cells that strange pictures are made from.
_CELLS = 200


@dataclass(frozen=True)
class Part:
    """The validation or test cells of a run: their table, pixels and uncalibrated log odds."""

    cells: pl.DataFrame
    pixels: Pixels
    logit: Floats


def main() -> None:
    """Measure every run, then the guard on every kind of picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--fields", type=Path)
    given = parser.parse_args()
    for name in ("abstention.csv", "out_of_distribution.csv"):
        (rows.RESULTS / name).unlink(missing_ok=True)
    detectors = []
    for run in given.runs:
        validation, test = _parts(run, given.data, CellOptions(labels=given.labels))
        ood_detector = fit_ood_detector(validation.pixels)
        row = {
            "run": run.name,
            **_abstention(decide(validation.cells, validation.logit, OperatingPoint()), test),
        }
        row["out_of_distribution"] = _share_outside(ood_detector, test.pixels)
        rows.append("abstention.csv", row | rows.conditions())
        detectors.append(ood_detector)
    how = Predictor.load(given.runs[0]).bundle.preprocessing
    for row in _by_kind(detectors, _pictures(given.data, given.fields, how)):
        rows.append("out_of_distribution.csv", row | rows.conditions())


def _parts(run: Path, data: Path, options: CellOptions) -> Iterator[Part]:
    """Yield the validation and the test part of a run."""
    predictor = Predictor.load(run)
    store = decode_cells(data, options, predictor.bundle.preprocessing)
    split_data = read_split(store.cells.with_row_index("row"), run / "split.csv")
    for name in ("validation", "test"):
        cells = split_data.filter(pl.col("split") == name)
        pixels = store.pixels[cells["row"].to_numpy()]
        p = predictor(pixels).astype(np.float64).clip(1e-6, 1 - 1e-6)
        yield Part(cells, pixels, np.log(p / (1 - p)) * predictor.bundle.temperature)


def _abstention(decisions: DecisionParameters, test: Part) -> rows.Row:
    """Return what the band came to on test cells, under each set of labels."""
    p = calibrate(test.logit, decisions.temperature)
    evaluation = evaluate_predictions(test.cells, p, decisions.threshold, band=decisions.band)
    found: rows.Row = {"cells": len(p), "patients": evaluation.intervals.units}
    found |= asdict(decisions.band) | {"temperature": decisions.temperature}
    for labels, suffix in zip(evaluation.label_sets, ("", "_corrected", "_agreed"), strict=True):
        error = labels.intervals.metrics["calibration_error"].value
        figures = {**asdict(labels.decided), "calibration_error": error} if labels.decided else {}
        found |= {name + suffix: value for name, value in figures.items()}
    return {k: round(v, 5) if isinstance(v, float) else v for k, v in found.items()}


def _pictures(data: Path, fields: Path | None, how: Preprocessing) -> dict[str, Pixels]:
    """Return prepared pictures by kind; those that should pass have names from "red cells"."""
    source, table = find_cells(data, CellOptions())
    files = table.sample(_CELLS, seed=0)["file"]
    kinds = out_of_distribution_pictures([decode(source.read(file)) for file in files])
    for folder in [fields / "iml", fields / "bccd"] if fields else []:
        kinds |= field_pictures(folder) | _marked(folder)
    return {kind: np.stack([prepare(p, how) for p in made]) for kind, made in kinds.items()}


def _marked(folder: Path) -> dict[str, list[Image.Image]]:
    """Cut out the boxes of a field's annotations that don't touch its edge."""
    found: dict[str, list[Image.Image]] = {"red cells": [], "white cells": []}
    for one in json.loads((folder / "annotations.json").read_text(encoding="utf-8")):
        picture = Image.open(folder / one["image"]).convert("RGB")
        for cell in one["cells"]:
            x, y, width, height = cell["box"]
            right, low = picture.width - x - width, picture.height - y - height
            if (
                min(x, y, right, low) > 2
                and min(width, height) >= 8
                and cell["type"] != "Platelets"
            ):
                kind = "white cells" if cell["type"] == "WBC" else "red cells"
                found[kind].append(picture.crop((x, y, x + width, y + height)))
    return {f"{kind}, {folder.name}": made for kind, made in found.items() if made}


def _by_kind(
    detectors: list[OutOfDistributionDetector], kinds: dict[str, Pixels]
) -> Iterator[rows.Row]:
    for kind, pixels in kinds.items():
        shares = [_share_outside(ood_detector, pixels) for ood_detector in detectors]
        yield {
            "kind": kind,
            "tuned": kind in TUNED,
            "pictures": len(pixels),
            "detectors": len(detectors),
            "out_of_distribution": round(float(np.mean(shares)), 4),
            "least": min(shares),
            "most": max(shares),
        }


def _share_outside(ood_detector: OutOfDistributionDetector, pixels: Pixels) -> float:
    return round(float(ood_detector.is_out_of_distribution(pixels).mean()), 4)


if __name__ == "__main__":
    main()
