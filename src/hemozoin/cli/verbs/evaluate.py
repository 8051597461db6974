"""`hemozoin evaluate`: test a network on labelled cells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from hemozoin.cli.options import DataGroup, DecisionOptions
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
    cells: DataGroup = CellOptions(),
) -> None:
    """Test a network on labelled cells; 95 % intervals come from resampling patients.

    Parameters
    ----------
    data
        A zip or folder with two class folders.
    model
        Name of a pretrained network, or the folder of a model or a run.
    precision
        int8 is smaller and faster, if the model has it.
    out
        New or empty folder for metrics.json, predictions.csv and report.html.
    split
        A split.csv; only its test cells are used.
    prevalence
        Share of parasitized cells (0..1) for which PPV and NPV are computed.
    as_json
        Print all metrics as JSON.
    """
    from hemozoin.evaluation.evaluate import evaluate as run_evaluation
    from hemozoin.evaluation.report import summary
    from hemozoin.model.predictor import Predictor

    predictor = Predictor.load(model, precision)
    report = run_evaluation(data, cells, predictor, split=split, prevalence=prevalence, out=out)
    print(json.dumps(report.to_dict(), indent=2) if as_json else summary(report))
