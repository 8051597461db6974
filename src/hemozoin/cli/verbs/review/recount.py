"""`hemozoin recount`: count a slide again with the answers of people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def recount(
    slide: Path,
    /,
    *,
    reviews: tuple[Path, ...] = (),
    as_json: Annotated[bool, Parameter(name="--json")] = False,
) -> None:
    """Count a screened slide again, by the network and a person together.

    The answers are added to reviews.csv in the slide's folder, and its tables, slide.json and
    report are written again. Without --reviews, the answers in reviews.csv are used.

    Parameters
    ----------
    slide
        A slide's folder, as hemozoin screen writes it.
    reviews
        Worklists of hemozoin audit with answers; several readers or rounds have one each.
    as_json
        Print the counts as JSON.
    """
    from hemozoin.review.recount import recount_slide
    from hemozoin.smear.output.wording import summarize

    counted = recount_slide(slide, reviews)
    if as_json:
        print(json.dumps(counted.to_dict(), indent=2))
    else:
        print(summarize(counted))
        print(f"Report: {slide / 'report.html'}")
