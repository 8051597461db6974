"""The first minute, by one command: drawn cells, trained on and judged, and a smear screened."""

from __future__ import annotations

from pathlib import Path

from hemozoin.demo.smear import screen_synthetic_smear
from hemozoin.progress import say
from hemozoin.synthetic.dataset import write_synthetic
from hemozoin.training.recipe import Recipe
from hemozoin.training.runs import start
from hemozoin.training.runs.config import RunConfig
from hemozoin.training.runs.folder import RunFolder

#: There are few synthetic cells, so each is seen more often, in smaller batches. The full
#: augmentation, for the next microscope, is too much for so few: after 18 to 24 epochs two runs
#: of seven had an accuracy below 0.97, one of them 0.55; with little, five of five had 0.975 or
#: more after 10 to 12.
DEMO = Recipe(epochs=12, batch=64, augmentation="little")

#: Of many patients: with few, the guard takes the stain of the next patient for a strange one.
PATIENTS, CELLS_PER_PATIENT = 150, 16


def run_demo(out: Path, data: Path | None) -> RunFolder:
    """Run the default recipe on `data`, or a quick one on synthetic cells made beside `out`.

    At the end a synthetic smear, made there too, is screened, and its truth printed beside it.
    """
    folder = _train(out, data)
    print(screen_synthetic_smear(folder.model, out.parent / "synthetic_smear"))
    return folder


def _train(out: Path, data: Path | None) -> RunFolder:
    if data:
        return start.new(RunConfig(data), out, overwrite=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    data = out.parent / "synthetic_cells.zip"
    if not data.exists():
        say(f"Drawing synthetic cells: {data}")
        write_synthetic(data, PATIENTS, CELLS_PER_PATIENT)
    return start.new(RunConfig(data, recipe=DEMO), out, overwrite=True)
