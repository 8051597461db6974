"""`hemozoin evaluate`: a network tested on labelled cells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from hemozoin.cli.options import Cells, DecisionOptions
from hemozoin.data.options import CellOptions
from hemozoin.model.registry import Precision


def evaluate(
    data: Path,
    *,
    model: str = "nano",
    precision: Precision = "fp32",
    out: Path | None = None,
    split: Path | None = None,
    prevalence: float = DecisionOptions.prevalence,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
    cells: Cells = CellOptions(),
) -> None:
    """Judge a network on labelled cells, with intervals that resample patients.

    Parameters
    ----------
    data
        A zip or folder with two class folders.
    model
        A network that ships, by its name, or the folder of a model or a run.
    precision
        int8 is smaller and quicker, where the model has it.
    out
        Folder for metrics.json, predictions.csv and report.html; new or empty.
    split
        A split.csv; only its test cells are judged.
    prevalence
        Share of parasitized cells (0..1) at which PPV and NPV are given.
    as_json
        Print all figures as JSON.
    """
    from hemozoin.evaluation.evaluate import evaluate as evaluate_predictions
    from hemozoin.evaluation.report import summary
    from hemozoin.model.predictor import Predictor

    predictor = Predictor.load(model, precision)
    report = evaluate_predictions(
        data, cells, predictor, split=split, prevalence=prevalence, out=out
    )
    print(json.dumps(report.evaluation.to_dict(), indent=2) if as_json else summary(report))
