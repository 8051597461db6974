"""What "don't know" is worth: the review band and the guard, on patients never seen.

    python benchmarks/doubt.py cell_images.zip --labels corrections.csv --fields fields RUN...

For each finished run, temperature, threshold, band and guard are fitted on its validation
patients, as `hemozoin train` does, and held against its test patients: a row a run in
benchmarks/results/doubt.csv. The guard is also shown pictures that are no red cell (strange.py):
a row a kind in benchmarks/results/guard.csv. `--fields` is a folder with `iml` and `bccd`, whole
pictures with annotations.json: their red cells, cut out by their boxes, should pass. Both files
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
from hemozoin.cells.dataset import decode_cells, find_cells
from hemozoin.cells.options import CellOptions
from hemozoin.cells.picture import Pixels, decode
from hemozoin.cells.preprocess import Preprocessing, prepare
from hemozoin.cells.split import read_split
from hemozoin.judging.calibration import calibrate
from hemozoin.judging.judgement import judge
from hemozoin.judging.metrics import Floats
from hemozoin.judging.threshold import Aim
from hemozoin.model.guard import Guard, fit_guard
from hemozoin.model.predictor import Predictor
from hemozoin.training.seal import Decisions, decide
from strange import TUNED, field_pictures, strange_pictures

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
    for name in ("doubt.csv", "guard.csv"):
        (rows.RESULTS / name).unlink(missing_ok=True)
    guards = []
    for run in given.runs:
        validation, test = _parts(run, given.data, CellOptions(labels=given.labels))
        guard = fit_guard(validation.pixels)
        row = {"run": run.name, **_doubt(decide(validation.cells, validation.logit, Aim()), test)}
        row["strange"] = _strange(guard, test.pixels)
        rows.append("doubt.csv", row | rows.conditions())
        guards.append(guard)
    how = Predictor.load(given.runs[0]).bundle.preprocessing
    for row in _by_kind(guards, _pictures(given.data, given.fields, how)):
        rows.append("guard.csv", row | rows.conditions())


def _parts(run: Path, data: Path, options: CellOptions) -> Iterator[Part]:
    """Yield the validation and the test part of a run."""
    predictor = Predictor.load(run)
    store = decode_cells(data, options, predictor.bundle.preprocessing)
    dealt = read_split(store.cells.with_row_index("row"), run / "split.csv")
    for name in ("validation", "test"):
        cells = dealt.filter(pl.col("split") == name)
        pixels = store.pixels[cells["row"].to_numpy()]
        p = predictor(pixels).astype(np.float64).clip(1e-6, 1 - 1e-6)
        yield Part(cells, pixels, np.log(p / (1 - p)) * predictor.bundle.temperature)


def _doubt(decisions: Decisions, test: Part) -> rows.Row:
    """Return what the band came to on test cells, under each set of labels."""
    p = calibrate(test.logit, decisions.temperature)
    judgement = judge(test.cells, p, decisions.threshold, band=decisions.band)
    found: rows.Row = {"cells": len(p), "patients": judgement.intervals.units}
    found |= asdict(decisions.band) | {"temperature": decisions.temperature}
    for labels, suffix in zip(judgement.label_sets, ("", "_corrected", "_agreed"), strict=True):
        error = labels.intervals.figures["calibration_error"].value
        figures = {**asdict(labels.decided), "calibration_error": error} if labels.decided else {}
        found |= {name + suffix: value for name, value in figures.items()}
    return {k: round(v, 5) if isinstance(v, float) else v for k, v in found.items()}


def _pictures(data: Path, fields: Path | None, how: Preprocessing) -> dict[str, Pixels]:
    """Return prepared pictures by kind; those that should pass have names from "red cells"."""
    source, table = find_cells(data, CellOptions())
    files = table.sample(_CELLS, seed=0)["file"]
    kinds = strange_pictures([decode(source.read(file)) for file in files])
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


def _by_kind(guards: list[Guard], kinds: dict[str, Pixels]) -> Iterator[rows.Row]:
    for kind, pixels in kinds.items():
        shares = [_strange(guard, pixels) for guard in guards]
        yield {
            "kind": kind,
            "tuned": kind in TUNED,
            "pictures": len(pixels),
            "guards": len(guards),
            "strange": round(float(np.mean(shares)), 4),
            "least": min(shares),
            "most": max(shares),
        }


def _strange(guard: Guard, pixels: Pixels) -> float:
    return round(float(guard.is_strange(pixels).mean()), 4)


if __name__ == "__main__":
    main()
