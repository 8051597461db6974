"""Out of distribution: how many pictures that do not show a red cell the detector catches.

    python benchmarks/out_of_distribution.py cell_images.zip --fields fields RUN...

For each finished run, a detector is fitted as `hemozoin train` does, on cells that are not tested.
All detectors are tested on the same pictures of each kind (ood_pictures.py). `--fields` is a folder
with `iml` and `bccd`: whole pictures with annotations.json. Their red cells, cut out by their
boxes, should pass. One row per kind goes to benchmarks/results/out_of_distribution.csv, which is
overwritten.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

import markdown_tables as md
import rows
from hemozoin.arrays import Pixels
from hemozoin.data.dataset import find_cells
from hemozoin.data.options import CellOptions
from hemozoin.data.picture import decode
from hemozoin.data.preprocess import Preprocessing, prepare
from hemozoin.decision.ood import OutOfDistributionDetector
from hemozoin.model.predictor import Predictor
from hemozoin.training.runs.run import fit_detector
from ood_pictures import TUNED, field_pictures, out_of_distribution_pictures
from split_cells import split_data_of

FILE = "out_of_distribution.csv"

#: Number of real cells that some of the pictures are made from.
_CELLS = 200

#: Boxes nearer to the picture's edge, or smaller than this, in px, are left out.
_EDGE, _SMALLEST = 2, 8


def main() -> None:
    """Fit a detector for each run and test it on every kind of picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--fields", type=Path)
    given = parser.parse_args()
    rows.remove(FILE)
    preprocessing = Predictor.load(given.runs[0]).bundle.preprocessing
    detectors = [fit_detector(split_data_of(run, given.data, preprocessing)) for run in given.runs]
    for row in _by_kind(detectors, _pictures(given.data, given.fields, preprocessing)):
        rows.append(FILE, row | rows.conditions())


def _pictures(data: Path, fields: Path | None, preprocessing: Preprocessing) -> dict[str, Pixels]:
    """Return prepared pictures by kind; the kinds that begin with "red cells" should pass."""
    source, cells = find_cells(data, CellOptions())
    files = np.random.default_rng(0).choice(cells.file, _CELLS, replace=False)
    kinds = out_of_distribution_pictures([decode(source.read(file)) for file in files])
    for folder in [fields / "iml", fields / "bccd"] if fields else []:
        kinds |= field_pictures(folder) | _marked_cells(folder)
    return {
        kind: np.stack([prepare(picture, preprocessing) for picture in pictures])
        for kind, pictures in kinds.items()
    }


def _marked_cells(folder: Path) -> dict[str, list[Image.Image]]:
    """Cut out the boxes of the red and white cells that are clear of the picture's edge."""
    found: dict[str, list[Image.Image]] = {"red cells": [], "white cells": []}
    for one in json.loads((folder / "annotations.json").read_text(encoding="utf-8")):
        picture = Image.open(folder / one["image"]).convert("RGB")
        for cell in one["cells"]:
            if cell["type"] != "Platelets" and _is_whole(cell["box"], picture.size):
                x, y, width, height = cell["box"]
                kind = "white cells" if cell["type"] == "WBC" else "red cells"
                found[kind].append(picture.crop((x, y, x + width, y + height)))
    return {f"{kind}, {folder.name}": made for kind, made in found.items() if made}


def _is_whole(box: tuple[int, int, int, int], size: tuple[int, int]) -> bool:
    x, y, width, height = box
    margin = min(x, y, size[0] - x - width, size[1] - y - height)
    return margin > _EDGE and min(width, height) >= _SMALLEST


def _by_kind(
    detectors: list[OutOfDistributionDetector], kinds: dict[str, Pixels]
) -> Iterator[rows.Row]:
    for kind, pixels in kinds.items():
        shares = [
            round(float(detector.is_out_of_distribution(pixels).mean()), 4)
            for detector in detectors
        ]
        yield {
            "kind": kind,
            "tuned": kind in TUNED,
            "pictures": len(pixels),
            "detectors": len(detectors),
            "out_of_distribution": round(float(np.mean(shares)), 4),
            "min": min(shares),
            "max": max(shares),
        }


def table() -> str:
    """Return the results in Markdown: a line per kind of picture."""
    found = rows.read(FILE)
    lines = [
        (
            row["kind"] if row["tuned"] == "True" else f"{row['kind']} *",
            row["pictures"],
            f"{float(row['out_of_distribution']):.2f}",
            f"{float(row['min']):.2f} to {float(row['max']):.2f}",
        )
        for row in found
    ]
    note = (
        f"Mean and range over the detectors of {found[-1]['detectors']} runs; * kinds that were"
        " not used for tuning."
    )
    return md.table(("kind", "pictures", "share caught", "min to max"), lines, note)


if __name__ == "__main__":
    main()
