"""`hemozoin screen`: count the cells in pictures of smears."""

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
    """Count red cells and infected cells in pictures of thin smears; estimate the parasitaemia.

    If a run was stopped, the same command resumes it. Reviews of people that are in the folder of a
    slide are kept, and the count takes them into account.

    Parameters
    ----------
    paths
        Pictures, which are fields of one slide, or folders or zips; each folder in them is a slide.
        A file slide.toml beside the pictures is the slide's record.
    out
        Folder for tables, report and overlays: new, empty, or from the same command.
    model
        Name of a pretrained network, or folder of a model or a run.
    precision
        fp32, or int8: smaller and faster, if the model has it.
    diameter
        Diameter of a red cell in px; measured in each field by default.
    rbc_per_ul
        The patient's red cells per µL, where slide.toml has none; 5 million by default.
    hematocrit
        The patient's hematocrit in %, instead of --rbc-per-ul.
    coco
        Also write all outlines and boxes, to cells.coco.json.
    overwrite
        Remove the results of an earlier run from --out first.
    scheduler
        Address of a Dask cluster that does the work, such as tcp://192.168.0.7:8786.
    as_json
        Print the counts as JSON, a list of slides.
    """
    from hemozoin.review.recount import with_reviews
    from hemozoin.smear.counting.blood import Blood
    from hemozoin.smear.execution.run import ScreenConfig, screen_slides
    from hemozoin.smear.output.pages.agreement_page import agreement_line
    from hemozoin.smear.output.wording import summarize

    blood = Blood(rbc_per_ul, hematocrit)
    config = ScreenConfig(model, precision, diameter, blood, coco, scheduler)
    slides = with_reviews(screen_slides(paths, out, config, overwrite), out)
    if as_json:
        print(json.dumps([slide.to_dict() for slide in slides], indent=2))
    else:
        print("\n\n".join(summarize(slide) for slide in slides))
        if len(slides) > 1 and (agreement := agreement_line(slides)):
            print(f"\n{agreement}: {out / 'agreement.html'}")
        print(f"Report: {out / 'report.html' if len(slides) == 1 else out / 'slides.csv'}")
