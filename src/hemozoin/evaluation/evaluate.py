"""A network judged on labelled cells: predictions.csv, metrics.json and report.html."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from hemozoin.about import VERSION
from hemozoin.arrays import Floats, Ints, Pixels
from hemozoin.data.dataset import decode_cells
from hemozoin.data.options import CellOptions
from hemozoin.data.split import read_split
from hemozoin.errors import RunError
from hemozoin.evaluation.evaluation import evaluate_predictions
from hemozoin.evaluation.report import Mistake, Report, write_report
from hemozoin.files import filled_folder, is_free, replace_file
from hemozoin.metrics.classification import PREVALENCE, require_prevalence
from hemozoin.model.predictor import Predictor
from hemozoin.model.saliency import activation_maps
from hemozoin.model.saliency_card import paint


def evaluate(
    data: Path,
    options: CellOptions,
    predictor: Predictor,
    *,
    split: Path | None = None,
    prevalence: float = PREVALENCE,
    out: Path | None = None,
) -> Report:
    """Judge a network on the cells of `data`, or on the test part of a split.csv.

    Writes its three files to the folder `out`, if one is given: all of them or none. Raises
    RunError where that has files in it, HemozoinError for a prevalence that is no share.
    """
    require_prevalence(prevalence)
    if out and not is_free(out):
        raise RunError(f"{out}: not an empty folder; give another --out")
    store = decode_cells(data, options, predictor.bundle.preprocessing)
    cells = store.cells.with_row_index("row")
    if split:
        cells = read_split(cells, split).filter(pl.col("split") == "test")
    pixels = store.pixels[cells["row"].to_numpy()]
    report, p = report_on(predictor, cells, pixels, prevalence)
    setup = describe_setup({"Data": str(data)})
    report = replace(report, title=f"{data.name} judged", setup=setup)
    if out:
        with filled_folder(out):
            write_evaluation(out, report, cells, p)
    return report


def report_on(
    predictor: Predictor, cells: pl.DataFrame, pixels: Pixels, prevalence: float
) -> tuple[Report, Floats]:
    """Judge a network on the cells of a table, with their pixels in the same order.

    Returns the bare report, without a title, and each cell's p_parasitized, float `[cells]`.
    """
    p = predictor(pixels).astype(np.float64)
    bundle = predictor.bundle
    evaluation = evaluate_predictions(cells, p, bundle.threshold, prevalence, band=bundle.band)
    mistakes = _find_mistakes(predictor, cells, pixels, p, evaluation.worst_mistakes())
    return Report(title="", evaluation=evaluation, mistakes=mistakes), p


def write_evaluation(folder: Path, report: Report, cells: pl.DataFrame, p: Floats) -> None:
    """Write the predictions, the figures and the page; each is whole or not there."""
    table = cells.select("cell", "patient", "label", p_parasitized=pl.Series(p).round(6))
    replace_file(folder / "predictions.csv", table.write_csv())
    replace_file(folder / "metrics.json", json.dumps(report.evaluation.to_dict(), indent=2))
    write_report(folder / "report.html", report)


def _find_mistakes(
    predictor: Predictor, cells: pl.DataFrame, pixels: Pixels, p: Floats, rows: Ints
) -> tuple[Mistake, ...]:
    """Return some rows of the table, with what the network saw and why, for the gallery."""
    maps = activation_maps(predictor, pixels[rows])
    return tuple(
        Mistake(
            cell=cell["cell"],
            picture=pixels[row],
            label=cell["label"],
            p_parasitized=float(p[row]),
            corrected=cell.get("corrected"),
            overlay=paint(pixels[row], log_odds),
        )
        for row, cell, log_odds in zip(rows, cells[rows].to_dicts(), maps, strict=True)
    )


def describe_setup(more: Mapping[str, str]) -> dict[str, str]:
    """Return what a reader needs to get the same figures again."""
    return {
        **more,
        "Command": "hemozoin " + " ".join(sys.argv[1:]),
        "Versions": f"hemozoin {VERSION}, Python {platform.python_version()},"
        f" numpy {np.__version__}, {platform.machine()} {platform.system()}",
    }
