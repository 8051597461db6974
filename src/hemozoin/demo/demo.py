"""`hemozoin demo`: draw cells, train and test on them, screen a drawn smear."""

from __future__ import annotations

from pathlib import Path

from hemozoin.demo.smear import screen_synthetic_smear
from hemozoin.files import replace_file
from hemozoin.progress import print_status
from hemozoin.review.recount import with_reviews
from hemozoin.smear.execution.run import screen_slides
from hemozoin.synthetic.dataset import write_synthetic
from hemozoin.training.recipe import Recipe
from hemozoin.training.runs import start
from hemozoin.training.runs.config import RunConfig
from hemozoin.training.runs.folder import RunFolder

#: There are few synthetic cells, so the demo takes more epochs and smaller batches. With batches of
#: 32 all of eight runs (seeds 0 to 3, one and two threads) had an accuracy of 0.97 or more; with 64
#: one of six had 0.79. The full augmentation, which helps on other microscopes, is too strong here.
DEMO = Recipe(epochs=12, batch=32, learning_rate=6e-3, augmentation="little")

#: Many patients: with few, the out-of-distribution detector rejects the stain of other patients.
PATIENTS, CELLS_PER_PATIENT = 150, 16


def run_demo(out: Path, data: Path | None) -> RunFolder:
    """Train the default recipe on `data`, or a quick one on synthetic cells; screen a smear.

    The synthetic cells, the synthetic smear and a folder for `hemozoin serve` are written next to
    `out`. Prints what was found in the smear and its true counts.
    """
    RunFolder(out).require_free(overwrite=True)
    folder = _train(out, data)
    smear, slides = out.parent / "synthetic_smear", out.parent / "slides"
    print(screen_synthetic_smear(folder.model, smear))
    _screen_for_page(smear, slides)
    print(f"See it on a page, screened with nano: hemozoin serve {slides} --open")
    return folder


def _screen_for_page(smear: Path, slides: Path) -> None:
    """Screen the smear again, into a folder for `hemozoin serve`, with a copy of its pictures."""
    pictures, results = slides / "pictures" / "synthetic-smear", slides / "synthetic-smear"
    pictures.mkdir(parents=True, exist_ok=True)
    for file in sorted(smear.iterdir()):
        replace_file(pictures / file.name, file.read_bytes())
    with_reviews(screen_slides([pictures], results, overwrite=True), results)


def _train(out: Path, data: Path | None) -> RunFolder:
    if data:
        return start.new(RunConfig(data), out, overwrite=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    data = out.parent / "synthetic_cells.zip"
    if not data.exists():
        print_status(f"Drawing synthetic cells: {data}")
        write_synthetic(data, PATIENTS, CELLS_PER_PATIENT)
    return start.new(RunConfig(data, recipe=DEMO), out, overwrite=True)
