"""The first minute: made-up cells, trained on, judged and reported, by one command."""

from __future__ import annotations

from pathlib import Path

from hemozoin.progress import say
from hemozoin.synthetic.dataset import write_synthetic
from hemozoin.training import start
from hemozoin.training.config import RunConfig
from hemozoin.training.recipe import Recipe
from hemozoin.training.runfolder import RunFolder

#: There are few synthetic cells, so each is seen more often, in smaller batches.
DEMO = Recipe(epochs=12, batch=64)


def run_demo(out: Path, data: Path | None) -> RunFolder:
    """Run the default recipe on `data`, or a quick one on synthetic cells made beside `out`."""
    if data:
        return start.new(RunConfig(data), out, overwrite=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    data = out.parent / "synthetic_cells.zip"
    if not data.exists():
        say(f"Drawing synthetic cells: {data}")
        write_synthetic(data)
    return start.new(RunConfig(data, recipe=DEMO), out, overwrite=True)
