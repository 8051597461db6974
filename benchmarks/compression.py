"""Lossy compression: what JPEG and WebP change in the decisions on cells.

    python benchmarks/compression.py cell_images.zip --labels corrections.csv RUN fields/iml

RUN is a cross-validation: the network of each fold classifies some of the cells that it was not
trained on, as they are and compressed. Half of the rows are without the step that takes the dark
pixels around a cell on black away (`dark_share` is 0). Of the folder of fields, each picture is
compressed as a whole, and its marked cells are cut out afterwards; the network is `nano`. The rows
are in benchmarks/results/compression.csv, which is overwritten.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from sklearn.metrics import roc_auc_score

import markdown_tables as md
import rows
from hemozoin.arrays import Bools, Floats
from hemozoin.classes import PARASITIZED
from hemozoin.data.dataset import find_cells
from hemozoin.data.options import CellOptions
from hemozoin.data.picture import decode_cell
from hemozoin.data.preprocess import Preprocessing, prepare_batch
from hemozoin.data.split import read_split
from hemozoin.model.predictor import Predictor
from hemozoin.model.session import BATCH
from microscope import cells_in, marked_pictures

FILE = "compression.csv"

#: One cell of so many is classified.
_EVERY = 4

METRICS = ("auc", "sensitivity", "specificity", "review")


class Compression(NamedTuple):
    """A format of Pillow, its quality (1 to 100), and whether colours have half the resolution."""

    form: str
    quality: int
    halved: bool

    def __str__(self) -> str:
        """Return the name in the table."""
        if self.form == "PNG":
            return "lossless"
        return f"{self.form}, quality {self.quality}{'' if self.halved else ', full colours'}"

    def apply(self, picture: Image.Image) -> Image.Image:
        """Return a picture as it is after compression and decompression."""
        file = io.BytesIO()
        subsampling = {"subsampling": 2 if self.halved else 0} if self.form == "JPEG" else {}
        picture.save(file, self.form, quality=self.quality, **subsampling)
        return Image.open(file).convert("RGB")


LOSSLESS = Compression("PNG", 100, False)
COMPRESSIONS = (
    LOSSLESS,
    Compression("JPEG", 95, False),
    *(Compression("JPEG", quality, True) for quality in (95, 90, 75, 50, 25)),
    *(Compression("WEBP", quality, True) for quality in (90, 80, 50)),
)

#: A picture, and whether it is of a parasitized cell.
_Cell = tuple[Image.Image, bool]


def main() -> None:
    """Measure each compression."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("fields", type=Path)
    parser.add_argument("--labels", type=Path, required=True)
    given = parser.parse_args()
    rows.remove(FILE)
    for compression in COMPRESSIONS:
        for share in (0.0, Preprocessing().dark_share):
            row = _measure_cells(given.run, given.data, given.labels, compression, share)
            _append("NLM", compression, share, row)
        row = _measure_fields(given.fields, compression)
        _append(given.fields.name, compression, Preprocessing().dark_share, row)


def _append(data: str, compression: Compression, share: float, row: rows.Row) -> None:
    kind = {"data": data, "compression": str(compression), "dark_share": share}
    rows.append(FILE, {**kind, **row, **rows.conditions()})


def _measure_cells(
    run: Path, data: Path, labels: Path, compression: Compression, share: float
) -> rows.Row:
    parts = []
    for fold in sorted(run.glob("fold*/")):
        predictor = Predictor.load(fold)
        cells = _held_out_cells(fold, data, labels)
        compressed = ((compression.apply(picture), truth) for picture, truth in cells)
        parts.append(_classify(predictor, Preprocessing(dark_share=share), compressed))
    truth, found = zip(*parts, strict=True)
    return _metrics(np.concatenate(truth), np.concatenate(found))


def _held_out_cells(fold: Path, data: Path, labels: Path) -> Iterator[_Cell]:
    """Yield some of the cells of a fold's test patients on which both labels agree."""
    source, found = find_cells(data, CellOptions(labels=labels))
    cells = read_split(found, fold / "split.csv").part("test")
    assert cells.corrected is not None
    agreed = np.flatnonzero(cells.label == cells.corrected)
    for row in agreed[::_EVERY]:
        name = cells.file[row]
        yield decode_cell(source.read(name), name), cells.label[row] == PARASITIZED


def _measure_fields(fields: Path, compression: Compression) -> rows.Row:
    cells = (
        (cell, label == PARASITIZED)
        for path, marks in marked_pictures(fields)
        for cell, label in cells_in(compression.apply(Image.open(path).convert("RGB")), marks)
    )
    return _metrics(*_classify(Predictor.load("nano"), Preprocessing(), cells))


def _classify(
    predictor: Predictor, preprocessing: Preprocessing, cells: Iterator[_Cell]
) -> tuple[Bools, Floats]:
    """Return truth, bool `[cells]`; and p, whether called parasitized, and whether for review."""
    truth: list[bool] = []
    found: list[tuple[float, bool, bool]] = []
    while batch := list(islice(cells, BATCH)):
        pictures, true = zip(*batch, strict=True)
        truth += true
        for one in predictor.decide(prepare_batch(pictures, preprocessing)):
            called = one.p_parasitized >= predictor.bundle.threshold.value
            found.append((one.p_parasitized, called, one.reason is not None))
    return np.array(truth), np.array(found, float)


def _metrics(truth: Bools, found: Floats) -> rows.Row:
    p, called, review = found.T
    return {
        "parasitized": int(truth.sum()),
        "uninfected": int((~truth).sum()),
        "auc": round(float(roc_auc_score(truth, p)), 5),
        "sensitivity": round(float(called[truth].mean()), 5),
        "specificity": round(float(1 - called[~truth].mean()), 5),
        "review": round(float(review.mean()), 4),
    }


def table() -> str:
    """Return the results in Markdown: a line per data set and compression."""
    found = rows.read(FILE)
    shares = sorted({float(row["dark_share"]) for row in found})
    of_row = {(row["data"], row["compression"], float(row["dark_share"])): row for row in found}
    lines = []
    for data, compression in dict.fromkeys((row["data"], row["compression"]) for row in found):
        both = [of_row.get((data, compression, share)) for share in shares]
        cells = [" → ".join(f"{float(row[name]):.4f}" for row in both if row) for name in METRICS]
        lines.append((data, compression, *cells))
    lines.sort(key=lambda line: line[0] != "NLM")
    counts = "; ".join(
        f"{row['data']}: {int(row['parasitized']):,} parasitized and {int(row['uninfected']):,}"
        " uninfected cells"
        for row in {row["data"]: row for row in found}.values()
    )
    note = (
        f"{counts}. NLM's cells are on black and were held out; cells of fields are on their"
        " background. Without → with the step that takes dark pixels around a cell on black away."
        f" {md.machine(found)}"
    )
    columns = ("data", "compression", "AUC", "sensitivity", "specificity", "for review")
    return md.table(columns, lines, note)


if __name__ == "__main__":
    main()
