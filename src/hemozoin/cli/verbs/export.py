"""`hemozoin export`: a run's network as a folder that is complete by itself."""

from __future__ import annotations

from pathlib import Path

from hemozoin.cli.extras import require_training_extra
from hemozoin.cli.options import DataGroup
from hemozoin.data.options import CellOptions


def export(
    run: Path,
    *,
    out: Path,
    check: Path | None = None,
    cells: DataGroup = CellOptions(),
) -> None:
    """Write a run's network as a folder for other programs: ONNX, int8, model card, checksums.

    torch, ONNX and int8 are compared on real cells; nothing is written if they differ.

    Parameters
    ----------
    run
        Folder of a finished run, or of its model.
    out
        Folder to write, new or empty.
    check
        A zip or folder with two class folders to compare on; default: the run's test cells.
    """
    require_training_extra()
    from hemozoin.export.export import export as write_export

    print(write_export(run, out, check, cells).text())
    print(f"Model: {out}")
