"""What microscopes, cameras and messengers do to pictures, and what it changes in the decisions.

    python benchmarks/picture_processing.py cells cell_images.zip RUN --labels corrections.csv
    python benchmarks/picture_processing.py fields fields

RUN is a cross-validation: the network of each fold classifies some of the cells that it was not
trained on, as they are and compressed. Half of the rows are without the step that takes the dark
pixels around a cell on black away (`dark_share` is 0). `fields` has the pictures of world.py, which
are changed as a whole and screened with `nano`. The rows are in compressed_cells.csv and
processed_fields.csv in benchmarks/results/, which are overwritten.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from sklearn.metrics import roc_auc_score

import markdown_tables as md
import rows
from fields import marked_fates
from hemozoin.arrays import Bools, Floats, Pixels
from hemozoin.classes import PARASITIZED
from hemozoin.data.dataset import find_cells
from hemozoin.data.options import CellOptions
from hemozoin.data.picture import decode, decode_cell
from hemozoin.data.preprocess import Preprocessing, prepare_batch
from hemozoin.data.split import read_split
from hemozoin.errors import DataError
from hemozoin.model.predictor import Predictor
from hemozoin.model.session import BATCH
from microscope import LABELS
from world import Marks, Place, Truth, all_pictures, by_place

FILE, FIELDS_FILE = "compressed_cells.csv", "processed_fields.csv"

#: One cell of so many is classified.
_EVERY = 4

METRICS = ("auc", "sensitivity", "specificity", "review")

#: What is summed over the places with thin films.
COUNTS = (
    *("pictures", "answered", "red_cells", "review", "healthy_cells", "healthy_called"),
    *("infected_fields", "infected_fields_found", "infected_marks", "infected_marks_found"),
    *("marked_infected", "marked_infected_called", "marked_infected_review"),
    *("marked_uninfected", "marked_uninfected_called"),
)

#: Without and with the step for dark pixels.
_SHARES = (0.0, Preprocessing().dark_share)

#: What a microscope or a camera does to a photo, and by how much it is strong but seen.
PROCESSING: dict[str, Callable[[Image.Image], Image.Image]] = {
    "gamma 0.7": lambda picture: _with_gamma(picture, 0.7),
    "gamma 1.4": lambda picture: _with_gamma(picture, 1.4),
    "saturation 0.4": lambda picture: ImageEnhance.Color(picture).enhance(0.4),
    "saturation 1.6": lambda picture: ImageEnhance.Color(picture).enhance(1.6),
    "contrast 0.7": lambda picture: ImageEnhance.Contrast(picture).enhance(0.7),
    "contrast 1.4": lambda picture: ImageEnhance.Contrast(picture).enhance(1.4),
    "sharpened": lambda picture: picture.filter(ImageFilter.UnsharpMask(2, 150, 0)),
    "blurred": lambda picture: picture.filter(ImageFilter.GaussianBlur(1)),
    "mirrored": ImageOps.mirror,
    "white margins": lambda picture: ImageOps.expand(picture, _margin(picture.width), "white"),
    "warm light": lambda picture: _in_light(picture, lambda light: light * _WARM),
    "dim light": lambda picture: _in_light(picture, lambda light: 0.4 * light),
    "vignetting": lambda picture: _in_light(picture, _with_vignetting),
    "glare, 3 %": lambda picture: _in_light(picture, lambda light: 0.97 * light + 0.03),
    "glare, 10 %": lambda picture: _in_light(picture, lambda light: 0.9 * light + 0.1),
    "noise": lambda picture: _with_noise(picture, 8),
}

#: Red, green and blue of a halogen lamp, as shares of those of daylight.
_WARM: Floats = np.array([1.0, 0.85, 0.5])


def _in_light(picture: Image.Image, change: Callable[[Floats], Floats]) -> Image.Image:
    """Change a picture's light, `[H, W, 3]` from 0 to 1: its levels without the gamma of 2.2."""
    light = change((np.asarray(picture) / 255) ** 2.2).clip(0, 1)
    return Image.fromarray(np.rint(255 * light ** (1 / 2.2)).astype(np.uint8))


def _with_vignetting(light: Floats) -> Floats:
    """Return light that falls to .4 in the corners."""
    y, x = (np.linspace(-1, 1, side) ** 2 for side in light.shape[:2])
    return np.asarray(light * (1 - 0.3 * (y[:, None, None] + x[:, None])))


def _with_noise(picture: Image.Image, deviation: float) -> Image.Image:
    """Add normal noise to each level."""
    pixels = np.asarray(picture)
    noise = np.random.default_rng(0).normal(0, deviation, pixels.shape)
    return Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8))


def _with_gamma(picture: Image.Image, gamma: float) -> Image.Image:
    return picture.point([round(255 * (level / 255) ** gamma) for level in range(256)] * 3)


def _margin(width: int) -> int:
    """Return the width of a margin of a tenth of a picture's width."""
    return width // 10


class Version(NamedTuple):
    """A version of a picture: a format of Pillow, its quality (1 to 100), and what comes before.

    `scale` is the size (1: as it is), `processing` a key of `PROCESSING`. A JPEG has colours at
    half the resolution, unless they are full.
    """

    form: str = "PNG"
    quality: int = 100
    scale: float = 1.0
    full_colours: bool = False
    processing: str = ""

    def __str__(self) -> str:
        """Return the name in the table."""
        if self.form == "PNG":
            return self.processing or "as it is"
        size = "" if self.scale == 1 else f"{self.scale:g} of the size, "
        return f"{size}{self.form}, quality {self.quality}{', full colours' * self.full_colours}"

    def save(self, picture: Image.Image, file: IO[bytes] | Path) -> None:
        """Write a picture."""
        if self.processing:
            picture = PROCESSING[self.processing](picture)
        if self.scale != 1:
            picture = picture.resize([max(1, round(self.scale * side)) for side in picture.size])
        options = {
            "JPEG": {"subsampling": 2 * (not self.full_colours)},
            "PNG": {"compress_level": 1},  # the default takes longer than to screen the picture
        }
        picture.save(file, self.form, quality=self.quality, **options.get(self.form, {}))

    def apply(self, picture: Image.Image) -> Image.Image:
        """Return a picture as it is after compression and decompression."""
        file = io.BytesIO()
        self.save(picture, file)
        return Image.open(file).convert("RGB")

    def marks(self, marks: Marks, width: int) -> Marks:
        """Return the marks of a picture of that width in the version."""
        boxes = (mark["box"] for mark in marks)
        if self.processing == "mirrored":
            boxes = ([width - x - w, y, w, h] for x, y, w, h in boxes)
        if self.processing == "white margins":
            boxes = ([x + _margin(width), y + _margin(width), w, h] for x, y, w, h in boxes)
        scaled = ([self.scale * side for side in box] for box in boxes)
        return [{**mark, "box": box} for mark, box in zip(marks, scaled, strict=True)]


AS_IT_IS = Version()
CELL_VERSIONS = (
    AS_IT_IS,
    Version("JPEG", 95, full_colours=True),
    *(Version("JPEG", quality) for quality in (95, 90, 75, 50, 25)),
    *(Version("WEBP", quality) for quality in (90, 80, 50)),
)
FIELD_VERSIONS = (
    AS_IT_IS,
    *(Version("JPEG", quality) for quality in (90, 75, 50, 25)),
    Version("WEBP", 80),
    Version("JPEG", 75, scale=0.5),
    *(Version(processing=name) for name in PROCESSING),
)

#: A picture, and whether it is of a parasitized cell.
_Cell = tuple[Image.Image, bool]

#: Of a cell: p, whether it is called parasitized, and whether it is for review.
_Judged = tuple[float, bool, bool]


def main() -> None:
    """Measure cells or fields."""
    parser = argparse.ArgumentParser(description=__doc__)
    of = parser.add_subparsers(dest="of", required=True)
    cells, fields = of.add_parser("cells"), of.add_parser("fields")
    cells.add_argument("data", type=Path)
    cells.add_argument("run", type=Path)
    cells.add_argument("--labels", type=Path, required=True)
    fields.add_argument("fields", type=Path)
    given = parser.parse_args()
    if given.of == "cells":
        measure_cells(given.run, given.data, given.labels)
    else:
        measure_fields(given.fields)


def measure_cells(run: Path, data: Path, labels: Path) -> None:
    """Measure each version of cells, without and with the step."""
    rows.remove(FILE)
    for version in CELL_VERSIONS:
        for share, row in _measure_cells(run, data, labels, version).items():
            kind = {"version": str(version), "dark_share": share}
            rows.append(FILE, kind | row | rows.conditions())


def measure_fields(folder: Path) -> None:
    """Screen all pictures in each version."""
    rows.remove(FIELDS_FILE)
    predictor, truths = Predictor.load("nano"), all_pictures(folder)
    for version in FIELD_VERSIONS:
        with tempfile.TemporaryDirectory() as copies:
            places = by_place(predictor, _changed(truths, version, Path(copies)))
        row = _sums(list(places.values()), predictor.bundle.threshold.value)
        rows.append(FIELDS_FILE, {"version": str(version), **row, **rows.conditions()})


def _changed(truths: list[Truth], version: Version, folder: Path) -> list[Truth]:
    """Write a version of each picture; one that can't be decoded stays as it is."""
    if version == AS_IT_IS:
        return truths
    copies = []
    for number, truth in enumerate(truths):
        copy = folder / f"{number}.{version.form.lower()}"
        try:
            picture = decode(truth.path.read_bytes())
        except DataError:
            copies.append(truth)
        else:
            version.save(picture, copy)
            marks = version.marks(truth.cells, picture.width)
            copies.append(replace(truth, path=copy, cells=marks))
    return copies


def _sums(places: list[Place], threshold: float) -> rows.Row:
    """Return the sums over places; of pictures to be refused, only how many were answered."""
    found = [place.row(threshold) | _infected_marks(place) for place in places]
    thin = [row for row in found if row["kind"] == "thin"]
    others = [row for row in found if row["kind"] != "thin"]
    sums = {name: sum(int(str(row[name])) for row in thin) for name in COUNTS}
    refused = sum(int(str(row["pictures"])) - int(str(row["answered"])) for row in others)
    return {**sums, "others": sum(int(str(row["pictures"])) for row in others), "refused": refused}


def _infected_marks(place: Place) -> rows.Row:
    """Return how many infected cells are marked away from the pictures' edges, and are found."""
    fates = [
        fate
        for truth, found in place.results
        for kind, fate in marked_fates(found, truth.cells)
        if LABELS.get(kind) == PARASITIZED
    ]
    return {"infected_marks": len(fates), "infected_marks_found": fates.count("found")}


def _measure_cells(run: Path, data: Path, labels: Path, version: Version) -> dict[float, rows.Row]:
    """Return the metrics of a version for each of `_SHARES`."""
    truth: list[bool] = []
    found: dict[float, list[_Judged]] = {share: [] for share in _SHARES}
    for fold in sorted(run.glob("fold*/")):
        predictor, cells = Predictor.load(fold), _held_out_cells(fold, data, labels)
        while batch := list(islice(cells, BATCH)):
            pictures = [version.apply(picture) for picture, _ in batch]
            truth += [is_parasitized for _, is_parasitized in batch]
            for share in _SHARES:
                prepared = prepare_batch(pictures, Preprocessing(dark_share=share))
                found[share] += _judged(predictor, prepared)
    return {share: _metrics(np.array(truth), np.array(one, float)) for share, one in found.items()}


def _held_out_cells(fold: Path, data: Path, labels: Path) -> Iterator[_Cell]:
    """Yield some of the cells of a fold's test patients on which both labels agree."""
    source, found = find_cells(data, CellOptions(labels=labels))
    cells = read_split(found, fold / "split.csv").part("test")
    assert cells.corrected is not None
    agreed = np.flatnonzero(cells.label == cells.corrected)
    for row in agreed[::_EVERY]:
        name = cells.file[row]
        yield decode_cell(source.read(name), name), cells.label[row] == PARASITIZED


def _judged(predictor: Predictor, prepared: Pixels) -> Iterator[_Judged]:
    threshold = predictor.bundle.threshold.value
    for one in predictor.decide(prepared):
        yield one.p_parasitized, one.p_parasitized >= threshold, one.reason is not None


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
    """Return the results on cells in Markdown: a line per version, without and with."""
    found = rows.read(FILE)
    lines = []
    for (version,), both in md.groups(found, "version").items():
        cells = (" → ".join(f"{float(row[name]):.4f}" for row in both) for name in METRICS)
        lines.append((version, *cells))
    note = (
        f"{int(found[0]['parasitized']):,} parasitized, {int(found[0]['uninfected']):,} uninfected"
        " cells on black, held out. Without → with the step that takes dark pixels around a cell"
        f" away. {md.machine(found)}"
    )
    return md.table(("cells saved", "AUC", "sensitivity", "specificity", "for review"), lines, note)


def fields_table() -> str:
    """Return the results on whole fields in Markdown: a line per version."""
    found = rows.read(FIELDS_FILE)
    lines = [
        (
            row["version"],
            *(
                f"{row[part]} of {int(row[whole]):,}"
                for part, whole in (
                    ("answered", "pictures"),
                    ("refused", "others"),
                    ("review", "red_cells"),
                    ("healthy_called", "healthy_cells"),
                    ("infected_fields_found", "infected_fields"),
                    ("infected_marks_found", "infected_marks"),
                    ("marked_infected_called", "marked_infected"),
                    ("marked_uninfected_called", "marked_uninfected"),
                )
            ),
        )
        for row in found
    ]
    note = (
        "All places of the table above, screened with `nano`. Called: of the marked cells that were"
        " found in answered pictures."
        f" {md.machine(found)}"
    )
    columns = (
        *("photos", "thin films answered", "others refused", "red cells for review"),
        *("healthy blood: called infected", "fields with parasites: found"),
        *("marked infected cells: found", "called", "marked uninfected cells called"),
    )
    return md.table(columns, lines, note)


if __name__ == "__main__":
    main()
