"""How the time of screening a field is spent, compared with plain Otsu's threshold and watershed.

    python benchmarks/stages.py fields/iml

All times are those of the processor, which other programs change little. The stages are timed one
after another, in one process with one thread, on all pictures of the
folder. The whole command, `hemozoin screen` from files to report, is timed on these pictures and on
four copies of each, which shows how much of the time is start-up. All of it is repeated
`--repeats` times. One row per stage and repeat goes to benchmarks/results/stages.csv.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.filters import threshold_otsu
from skimage.measure import regionprops
from skimage.morphology import remove_small_holes, remove_small_objects
from skimage.segmentation import watershed
from threadpoolctl import threadpool_limits

import markdown_tables as md
import rows
from hemozoin.arrays import Pixels
from hemozoin.model.predictor import Predictor
from hemozoin.smear.classification.classify import classify_cells
from hemozoin.smear.classification.normalization import FieldStain
from hemozoin.smear.output.overlay import draw_overlay
from hemozoin.smear.picture import decode_field
from hemozoin.smear.quality import find_flaws
from hemozoin.smear.screen import Screener
from hemozoin.smear.segmentation.cell_size import cell_diameter
from hemozoin.smear.segmentation.objects import segment

FILE = "stages.csv"

#: The usual recipe, with which the speed is compared.
BASELINE = "Otsu and watershed, scikit-image"

MODEL, COPIES, ENDINGS = "nano", 4, {".jpg", ".png"}


def main() -> None:
    """Time the stages and the command, alternately."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fields", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    pictures = sorted(p for p in given.fields.iterdir() if p.suffix.lower() in ENDINGS)
    cv2.setNumThreads(1)
    threadpool_limits(1)  # OpenBLAS' threads spend time on waiting for each other
    predictor = Predictor.load(MODEL)
    stages(pictures[:1], predictor)  # warm up
    for repeat in range(given.repeats):
        for stage, seconds in stages(pictures, predictor).items():
            _write(stage, repeat, len(pictures), seconds)
        for copies in (1, COPIES):
            seconds = command(pictures, copies)
            _write(
                f"hemozoin screen, {os.cpu_count()} cores", repeat, len(pictures) * copies, seconds
            )


def _write(stage: str, repeat: int, fields: int, seconds: float) -> None:
    row: rows.Row = {
        "stage": stage,
        "repeat": repeat,
        "fields": fields,
        "seconds": round(seconds, 3),
    }
    rows.append(FILE, row | rows.conditions())


def stages(pictures: list[Path], predictor: Predictor) -> dict[str, float]:
    """Return the seconds that each stage takes on all pictures together."""
    spent: defaultdict[str, float] = defaultdict(float)
    for path in pictures:
        with _timed(spent, "read and decode"):
            picture = decode_field(path.read_bytes(), path.name)
            pixels = np.asarray(picture)
        with _timed(spent, BASELINE):
            otsu_and_watershed(pixels)
        with _timed(spent, "scale"):
            diameter = cell_diameter(pixels)
        with _timed(spent, "objects"):
            found = segment(pixels, diameter)
        red = [one for one in found.objects if one.kind == "red cell"]
        with _timed(spent, "network"):
            stain = FieldStain(found.background, found.stain, picture.width, picture.height)
            _, judged = classify_cells(pixels, red, predictor, stain)
        with _timed(spent, "quality"):
            find_flaws(pixels, found, [cell for cell, _ in judged])
        field = Screener(predictor, diameter)(picture, path.name)
        with _timed(spent, "overlay"):
            draw_overlay(picture, field)
    return spent


def otsu_and_watershed(pixels: Pixels) -> int:
    """Return the number of cells by the usual recipe of scikit-image's documentation.

    Otsu's threshold in green, holes filled, small objects removed, and a watershed on the distance
    to the edge, from its local maxima, at the size of the picture.
    """
    green = pixels[..., 1]
    threshold = threshold_otsu(green)  # type: ignore[no-untyped-call]
    mask = remove_small_holes(green < threshold, max_size=1000)
    distance = ndimage.distance_transform_edt(remove_small_objects(mask, max_size=500))
    labels = ndimage.label(mask)[0]
    peaks = peak_local_max(distance, min_distance=20, labels=labels)  # type: ignore[no-untyped-call]
    seeds = np.zeros(green.shape, np.int32)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    cells = watershed(-distance, seeds, mask=mask)  # type: ignore[no-untyped-call]
    return len(regionprops(cells))  # type: ignore[no-untyped-call]


@contextmanager
def _timed(spent: defaultdict[str, float], stage: str) -> Iterator[None]:
    start = time.process_time()
    yield
    spent[stage] += time.process_time() - start


def command(pictures: list[Path], copies: int) -> float:
    """Return the seconds that the command takes on `copies` copies of each picture."""
    with tempfile.TemporaryDirectory() as folder:
        slide = Path(folder) / "slide"
        slide.mkdir()
        for path in pictures:
            for copy in range(copies):
                shutil.copyfile(path, slide / f"{copy}-{path.name}")
        line = [sys.executable, "-m", "hemozoin", "screen", str(slide), "--model", MODEL]
        start = _cpu_of_children()
        subprocess.run([*line, "--out", f"{folder}/out"], check=True, capture_output=True)
        return _cpu_of_children() - start


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def table() -> str:
    """Return the results in Markdown: a line per stage, and one per number of pictures."""
    found = rows.read(FILE)
    lines = []
    for (stage, fields), runs in md.groups(found, "stage", "fields").items():
        each = [1000 * float(run["seconds"]) / int(fields) for run in runs]
        lines.append((stage, fields, len(each), md.median_and_range(each, 0)))
    last = found[-1]
    note = (
        "Processor time. Fields of 1280x960 px with about 110 red cells. Stages: one process, one"
        " thread. Command: all its processes, from files to report, with start-up"
        f" ({last['machine']}, hemozoin {last['hemozoin']})."
    )
    return md.table(("stage", "fields", "n", "ms per field: median (min to max)"), lines, note)


if __name__ == "__main__":
    main()
