"""The model card: README.md of a model folder, written from what stands in the bundle.

The front matter is Hugging Face's (https://huggingface.co/docs/hub/model-cards).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from hemozoin.about import VERSION
from hemozoin.classes import CLASSES
from hemozoin.evaluation.evaluation import AGREED, AS_GIVEN, CORRECTED
from hemozoin.evaluation.folds import spread_over_folds
from hemozoin.evaluation.report import DISCLAIMER
from hemozoin.model.bundle import CONFIG, GRAPH, INT8_GRAPH, OOD_DETECTOR, WEIGHTS, Bundle

#: The figures that are shown, in this order, and what they are called.
SHOWN = {
    "accuracy": "Accuracy",
    "roc_auc": "ROC AUC",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "average_precision": "Average precision",
    "calibration_error": "Calibration error",
    "brier": "Brier score",
    "ppv": "PPV",
    "npv": "NPV",
}

_LABELS = (AS_GIVEN, CORRECTED, AGREED)

_FILES = {
    CONFIG: "architecture, preprocessing, threshold, review band, where it comes from",
    WEIGHTS: "the weights, for torch",
    OOD_DETECTOR: "what a red cell looks like",
    GRAPH: "the network for ONNX Runtime, in 32 bits",
    INT8_GRAPH: "the same in 8 bits",
}


#: How NLM's file of cells is called.
_NLM = "cell_images"


def model_card(bundle: Bundle, files: Mapping[str, bytes]) -> str:
    """Return the text of README.md.

    `files` are those of the model folder, by name. Figures are taken from `bundle.about`, where
    they are there: "figures" (`Evaluation.to_dict`), "folds" (for each fold, value by name),
    "parity" (`Parity.to_dict`), "run" (`RunConfig.to_dict`) and "notes" (sentences).
    """
    figures = bundle.about.get("figures", {})
    environment = Environment(
        loader=PackageLoader("hemozoin", "export"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(yaml=json.dumps, figure=_figure, interval=_interval)
    return environment.get_template("card.md").render(
        bundle=bundle,
        classes=CLASSES,
        version=VERSION,
        disclaimer=DISCLAIMER,
        label_sets=_label_sets(figures),
        intervals=figures.get("intervals"),
        prevalence=figures.get("prevalence"),
        shown=SHOWN,
        folds=_folds(bundle.about.get("folds", [])),
        parity=bundle.about.get("parity"),
        notes=bundle.about.get("notes", []),
        run=_run(bundle.about.get("run")),
        files=_files(files),
    )


def _label_sets(figures: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the figures under each set of labels, by its name."""
    keys = {name: name.replace(" ", "_") for name in _LABELS}
    return {name: figures[key] for name, key in keys.items() if key in figures}


def _folds(folds: list[dict[str, float]]) -> dict[str, Any] | None:
    """Return title, each fold's value, mean and spread of what all folds have."""
    if not folds:
        return None
    known = [name for name in SHOWN if all(_is_known(fold.get(name)) for fold in folds)]
    over = spread_over_folds([{name: fold[name] for name in known} for fold in folds])
    rows = [
        {"title": SHOWN[name], "values": [fold[name] for fold in folds], "mean": mean, "sd": sd}
        for name, mean, sd in zip(known, over["mean"], over["sd"], strict=True)
    ]
    return {"count": len(folds), "rows": rows}


def _run(run: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return what is told of the training; of a path only the name is anyone's business."""
    if run is None:
        return None
    data = PurePath(run["data"]).name
    corrected = bool(run["cells"]["labels"])
    return {**run["recipe"], "data": data, "corrected": corrected, "is_nlm": data.startswith(_NLM)}


def _files(files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "what": what,
            "size": len(files[name]),
            "sha256": hashlib.sha256(files[name]).hexdigest(),
        }
        for name, what in _FILES.items()
        if name in files
    ]


def _is_known(value: float | None) -> bool:
    return value is not None and not math.isnan(value)


def _figure(value: float | None) -> str:
    """Write a figure; "-" where it is not defined."""
    return f"{value:.4f}" if value is not None and _is_known(value) else "-"


def _interval(estimate: Mapping[str, float | None]) -> str:
    low, high = estimate["low"], estimate["high"]
    return f"{_figure(low)} to {_figure(high)}" if _is_known(low) and _is_known(high) else "-"
