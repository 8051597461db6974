"""`hemozoin demo`: draw cells, train and test on them, screen a drawn smear."""

from __future__ import annotations

from pathlib import Path

from hemozoin.demo.smear import screen_synthetic_smear
from hemozoin.progress import print_status
from hemozoin.synthetic.dataset import write_synthetic
from hemozoin.training.recipe import Recipe
from hemozoin.training.runs import start
from hemozoin.training.runs.config import RunConfig
from hemozoin.training.runs.folder import RunFolder

#: There are few synthetic cells, so the demo takes more epochs and smaller batches. The full
#: augmentation, which helps on other microscopes, is too strong for so few cells: after 18 to 24
#: epochs two of seven runs had an accuracy below 0.97, one of them 0.55; with little augmentation
#: all of five runs had 0.975 or more after 10 to 12 epochs.
DEMO = Recipe(epochs=12, batch=64, augmentation="little")

#: Many patients: with few, the out-of-distribution detector rejects the stain of other patients.
PATIENTS, CELLS_PER_PATIENT = 150, 16


def run_demo(out: Path, data: Path | None) -> RunFolder:
    """Train the default recipe on `data`, or a quick one on synthetic cells; screen a smear.

    The synthetic cells and the synthetic smear are written next to `out`. Prints what was found in
    the smear and its true counts.
    """
    RunFolder(out).require_free(overwrite=True)
    folder = _train(out, data)
    print(screen_synthetic_smear(folder.model, out.parent / "synthetic_smear"))
    return folder


def _train(out: Path, data: Path | None) -> RunFolder:
    if data:
        return start.new(RunConfig(data), out, overwrite=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    data = out.parent / "synthetic_cells.zip"
    if not data.exists():
        print_status(f"Drawing synthetic cells: {data}")
        write_synthetic(data, PATIENTS, CELLS_PER_PATIENT)
    return start.new(RunConfig(data, recipe=DEMO), out, overwrite=True)
