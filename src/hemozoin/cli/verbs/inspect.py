"""`hemozoin inspect`: check a data set before training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from hemozoin.cli.options import DataGroup
from hemozoin.data.options import CellOptions


def inspect(
    data: Path,
    *,
    html: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
    cells: DataGroup = CellOptions(),
) -> None:
    """Check a data set: classes, patients, sizes, colours, unreadable files, duplicates.

    Parameters
    ----------
    data
        A zip or folder with two class folders.
    html
        File for an HTML page with the results and example cells of both classes.
    as_json
        Print the results as JSON.
    """
    from hemozoin.data.dataset import find_cells
    from hemozoin.data.inspect.inspection import inspect as inspect_cells
    from hemozoin.data.inspect.page import render_inspection
    from hemozoin.reports.page import write_page

    inspection = inspect_cells(*find_cells(data, cells))
    if html:
        write_page(render_inspection(inspection), html)
    print(json.dumps(inspection.to_dict(), indent=2) if as_json else inspection.text())
