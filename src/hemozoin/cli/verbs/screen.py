"""`hemozoin screen`: pictures of smears, counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from hemozoin.model.registry import Precision


def screen(
    paths: list[Path],
    /,
    *,
    out: Path,
    model: str = "nano",
    precision: Precision = "fp32",
    diameter: float | None = None,
    rbc_per_ul: float | None = None,
    hematocrit: float | None = None,
    coco: bool = False,
    overwrite: bool = False,
    scheduler: str | None = None,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
) -> None:
    """Count cells and infected cells on pictures of thin smears: the parasitaemia of each slide.

    The same command, given again, goes on where it was stopped.

    Parameters
    ----------
    paths
        Pictures, which are fields of one slide; folders, each a slide, as are folders in them.
    out
        Folder for tables, report and overlays; new, empty, or of the same command.
    model
        A network that ships, by its name, or the folder of a model or a run.
    precision
        int8 is smaller and quicker, where the model has it.
    diameter
        Diameter of a red cell in px; found in each field without it.
    rbc_per_ul
        The patient's red cells per µL; 5 million where nobody says.
    hematocrit
        The patient's hematocrit in %, instead.
    coco
        Write all outlines and boxes too, as cells.coco.json.
    overwrite
        Remove what was screened into --out before.
    scheduler
        Address of a Dask cluster that does the work, such as tcp://192.168.0.7:8786.
    as_json
        Print the counts as JSON, a list of slides.
    """
    from hemozoin.smear.counting.blood import Blood
    from hemozoin.smear.execution.run import ScreenConfig, screen_slides
    from hemozoin.smear.output.wording import summarize

    blood = Blood(rbc_per_ul, hematocrit)
    config = ScreenConfig(model, precision, diameter, blood, coco, scheduler)
    slides = screen_slides(paths, out, config, overwrite)
    if as_json:
        print(json.dumps([slide.to_dict() for slide in slides], indent=2))
    else:
        print("\n\n".join(summarize(slide) for slide in slides))
        print(f"Report: {out / 'report.html' if len(slides) == 1 else out / 'slides.csv'}")
