"""`hemozoin demo`: a network trained and tested on synthetic cells."""

from __future__ import annotations

from pathlib import Path

from hemozoin.cli.extras import require_training_extra


def demo(*, out: Path = Path("runs/demo"), data: Path | None = None) -> None:
    """Draw synthetic cells, train and test on them, then screen a synthetic smear.

    Parameters
    ----------
    out
        Folder of the run; an earlier demo in it is replaced.
    data
        NLM's cell_images.zip, instead of synthetic cells.
    """
    require_training_extra()
    from hemozoin.demo.demo import run_demo

    run_demo(out, data)
