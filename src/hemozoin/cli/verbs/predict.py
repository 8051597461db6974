"""`hemozoin predict`: pictures of single cells, classified."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from hemozoin.errors import RunError
from hemozoin.model.registry import Precision

if TYPE_CHECKING:
    from hemozoin.model.prediction import DetailedPrediction


def predict(
    paths: list[Path],
    /,
    *,
    model: str = "nano",
    precision: Precision = "fp32",
    no_review: bool = False,
    explain: Path | None = None,
    out: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
) -> None:
    """Tell parasitized from uninfected cells: one row per picture, bad ones with their error.

    A cell that is not like those trained on, or too close to call, is for review.

    Parameters
    ----------
    paths
        Pictures, folders, zips; one cell a picture.
    model
        A network that ships, by its name, or the folder of a model or a run.
    precision
        int8 is smaller and quicker, where the model has it.
    no_review
        Decide every cell, also strange ones and close calls.
    explain
        Folder, new or empty, for a picture of each cell and of what in it speaks for what.
    out
        A .csv, .parquet, .json or .jsonl (JSON Lines) file; standard output without it.
    as_json
        Print JSON Lines instead of CSV.
    """
    if out and as_json:
        raise RunError("--json is for standard output; the ending of --out says what that is")
    from hemozoin.model.prediction_table import write_csv, write_json_lines, write_table
    from hemozoin.model.predictor import Predictor, predict_in_detail
    from hemozoin.model.saliency_card import write_explanations
    from hemozoin.progress import track

    predictor = Predictor.load(model, precision)
    findings = _pointing_at_screen(predict_in_detail(paths, predictor, not no_review))
    predictions = (
        write_explanations(findings, predictor, explain)
        if explain
        else (found.prediction for found in findings)
    )
    if out:
        write_table(track(predictions, "Predicting"), out)
    else:
        (write_json_lines if as_json else write_csv)(predictions, sys.stdout)


def _pointing_at_screen(findings: Iterable[DetailedPrediction]) -> Iterator[DetailedPrediction]:
    """Hand findings on, and say in the end how many may be of whole fields."""
    from hemozoin.progress import say

    empty = 0
    for found in findings:
        empty += found.pixels is not None and not found.pixels.any()
        yield found
    if empty:
        say(
            f"pictures without a single cell in the middle: {empty}; fields are for hemozoin screen"
        )
