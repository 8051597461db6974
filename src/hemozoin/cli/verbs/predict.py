"""`hemozoin predict`: classify pictures of single cells."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from hemozoin.errors import RunError
from hemozoin.model.registry import Precision

if TYPE_CHECKING:
    from hemozoin.model.bundle import Bundle
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
    """Classify cells as parasitized or uninfected: one row per picture.

    A cell that is not like the training cells, or too close to call, is marked for review. The
    row of a picture that can't be read has the error.

    Parameters
    ----------
    paths
        Pictures, folders or zips; each picture shows one cell.
    model
        Name of a pretrained network, or the folder of a model or a run.
    precision
        int8 is smaller and faster, if the model has it.
    no_review
        Give a decision for every cell; mark none for review.
    explain
        New or empty folder for a picture of each cell with its class-activation map.
    out
        File to write: .csv, .parquet, .json or .jsonl (JSON Lines). Default: standard output.
    as_json
        Print JSON Lines instead of CSV.
    """
    if out and as_json:
        raise RunError(
            "--json is for standard output; the ending of --out decides the format of the file"
        )
    from hemozoin.model.prediction_table import write_csv, write_json_lines, write_table
    from hemozoin.model.predictor import Predictor, predict_in_detail
    from hemozoin.model.saliency_card import write_saliency_cards
    from hemozoin.progress import track

    predictor = Predictor.load(model, precision)
    written = [path for path in (out, explain) if path]
    found = predict_in_detail(paths, predictor, not no_review, written)
    details = _reported(found, predictor.bundle)
    with ExitStack() as stack:
        predictions = (
            stack.enter_context(write_saliency_cards(details, predictor, explain))
            if explain
            else (detail.prediction for detail in details)
        )
        if out:
            write_table(track(predictions, "Predicting"), out)
        else:
            (write_json_lines if as_json else write_csv)(predictions, sys.stdout)


def _reported(
    details: Iterable[DetailedPrediction], bundle: Bundle
) -> Iterator[DetailedPrediction]:
    """Yield the predictions, and report at the end what is unusual about all of them together.

    Pictures may be whole fields, or of a microscope that makes all cells look more infected.
    """
    from hemozoin.decision.dataset_shift import ShiftDetector
    from hemozoin.model.prediction import OUT_OF_DISTRIBUTION
    from hemozoin.progress import print_status

    empty, shift = 0, ShiftDetector(bundle.threshold.value, bundle.highest_healthy_median)
    for detail in details:
        p, reason = detail.prediction.p_parasitized, detail.prediction.reason
        is_empty = detail.pixels is not None and not detail.pixels.any()
        empty += is_empty
        if p is not None and not is_empty and reason != OUT_OF_DISTRIBUTION:
            shift.add(p)
        yield detail
    if empty:
        print_status(
            f"pictures without a single cell in the middle: {empty};"
            " use hemozoin screen for whole fields"
        )
    if shift.is_shifted:
        print_status(
            f"most of these {shift.cells:,} cells look more infected than those of known patients:"
            " some that are called parasitized are not; hemozoin screen corrects for this in whole"
            " fields"
        )
