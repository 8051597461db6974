"""Test a network on labelled cells; write predictions.csv, metrics.json and report.html."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from hemozoin.about import VERSION
from hemozoin.arrays import Floats, Ints, Pixels
from hemozoin.classes import PREVALENCE
from hemozoin.csv_files import csv_table
from hemozoin.data.cells import LabelledCells
from hemozoin.data.dataset import decode_cells
from hemozoin.data.options import CellOptions
from hemozoin.data.split import read_split
from hemozoin.errors import RunError
from hemozoin.evaluation.evaluation import evaluate_predictions
from hemozoin.evaluation.report import (
    EVALUATION_PLOTS,
    Mistake,
    Report,
    draw_plots,
    seen_in_training,
    unreadable_warning,
    write_report,
)
from hemozoin.files import filled_folder, is_free, replace_file
from hemozoin.metrics.classification import require_prevalence
from hemozoin.metrics.seen_patients import overlap_with
from hemozoin.model.predictor import Predictor
from hemozoin.model.saliency import activation_maps
from hemozoin.model.saliency_card import overlay_map
from hemozoin.progress import print_status
from hemozoin.reports.plot_files import plot_file_names, write_plots

#: The files of an evaluation, in the order in which they are written.
_FILES = (
    *plot_file_names(EVALUATION_PLOTS),
    *("predictions.csv", "metrics.json", "report.html"),
)


def evaluate(
    data: Path,
    options: CellOptions,
    predictor: Predictor,
    *,
    split: Path | None = None,
    prevalence: float = PREVALENCE,
    out: Path | None = None,
) -> Report:
    """Test a network on the cells of `data`, or on those that `split` assigns to the test part.

    Prints a warning where the network was trained on some of the patients. Writes its files to
    the folder `out`, if one is given: all of them or none. Raises RunError
    if `out` is not empty, HemozoinError if `prevalence` is not between 0 and 1.
    """
    require_prevalence(prevalence)
    if out and not is_free(out):
        raise RunError(f"{out}: not an empty folder; give another --out")
    store = decode_cells(data, options, predictor.bundle.preprocessing)
    cells, pixels = store.cells, store.pixels
    if split:
        cells = tested = read_split(cells, split).part("test")
        pixels = pixels[tested.row]
    report, p = evaluate_cells(predictor, cells, pixels, prevalence)
    setup = describe_setup({"Data": str(data)})
    warnings = tuple(unreadable_warning(len(store.unreadable)))
    report = replace(report, title=data.name, setup=setup, warnings=warnings)
    if warning := seen_in_training(report.evaluation):
        print_status(f"WARNING: {warning}")
    if out:
        with filled_folder(out, _FILES):
            write_evaluation(out, report, cells, p)
    return report


def evaluate_cells(
    predictor: Predictor, cells: LabelledCells, pixels: Pixels, prevalence: float
) -> tuple[Report, Floats]:
    """Test a network on the cells of a table; `pixels` has the same order.

    Returns a report that has no title yet, and p_parasitized of each cell, float `[cells]`.
    """
    p = predictor(pixels).astype(np.float64)
    bundle = predictor.bundle
    evaluation = evaluate_predictions(
        cells,
        p,
        bundle.threshold,
        prevalence,
        bundle.review_band,
        overlap_with(bundle.patients, cells),
    )
    mistakes = _find_mistakes(predictor, cells, pixels, p, evaluation.worst_mistakes())
    return Report(title="", evaluation=evaluation, mistakes=mistakes), p


def write_evaluation(folder: Path, report: Report, cells: LabelledCells, p: Floats) -> None:
    """Write predictions.csv, metrics.json, report.html and, with matplotlib, the plots.

    Each file is written completely or not at all.
    """
    plots = write_plots(folder, draw_plots(report))
    names = {"cell": cells.cell, "patient": cells.patient, "label": cells.label}
    table = csv_table({**names, "p_parasitized": p.round(6)})
    replace_file(folder / "predictions.csv", table)
    replace_file(folder / "metrics.json", json.dumps(report.to_dict(), indent=2))
    write_report(folder / "report.html", report, plots)


def _find_mistakes(
    predictor: Predictor, cells: LabelledCells, pixels: Pixels, p: Floats, rows: Ints
) -> tuple[Mistake, ...]:
    """Return the mistakes in some rows of the table, each with its class-activation map."""
    maps = activation_maps(predictor, pixels[rows])
    return tuple(
        Mistake(
            cell=cells.cell[row],
            picture=pixels[row],
            label=cells.label[row],
            p_parasitized=float(p[row]),
            corrected=None if cells.corrected is None else cells.corrected[row],
            overlay=overlay_map(pixels[row], log_odds),
        )
        for row, log_odds in zip(rows, maps, strict=True)
    )


def describe_setup(entries: Mapping[str, str]) -> dict[str, str]:
    """Return `entries`, the command and the versions, which are needed to repeat the evaluation."""
    return {
        **entries,
        "Command": "hemozoin " + " ".join(sys.argv[1:]),
        "Versions": f"hemozoin {VERSION}, Python {platform.python_version()},"
        f" numpy {np.__version__}, {platform.machine()} {platform.system()}",
    }
