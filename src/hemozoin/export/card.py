"""The model card: README.md of a model folder, written from the bundle's `about`.

The front matter is Hugging Face's (https://huggingface.co/docs/hub/model-cards).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, TemplateError

from hemozoin.about import DISCLAIMER, VERSION
from hemozoin.classes import CLASSES
from hemozoin.errors import ModelError
from hemozoin.evaluation.evaluation import AGREED, AS_GIVEN, CORRECTED
from hemozoin.evaluation.folds import spread_over_folds
from hemozoin.model.bundle import (
    CELL_GRAPH,
    CONFIG,
    GRAPH,
    INT8_GRAPH,
    OOD_DETECTOR,
    WEIGHTS,
    Bundle,
)

#: Keys and titles of the metrics on the card, in this order.
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
    CONFIG: "architecture, preprocessing, threshold, review band, training data",
    WEIGHTS: "the weights, for torch",
    OOD_DETECTOR: "the out-of-distribution detector",
    GRAPH: "the network for ONNX Runtime, in 32 bits",
    INT8_GRAPH: "the same in 8 bits",
    CELL_GRAPH: "from a picture, uint8 [H, W, 3], black outside the cell, to the decision",
}

#: What Markdown and HTML take for their own, and similar characters that they leave alone.
_HARMLESS = str.maketrans({"`": "'", "|": "¦", "<": "‹", ">": "›"})

#: Beginning of the name of NLM's data set.
_NLM = "cell_images"


def model_card(bundle: Bundle, files: Mapping[str, bytes]) -> str:
    """Return the text of README.md.

    `files` are those of the model folder, by name. Metrics are taken from `bundle.about`, if
    present: "figures" (`Evaluation.to_dict`), "folds" (for each fold, value by name),
    "parity" (`Parity.to_dict`), "run" (`RunConfig.to_dict`), "splits" (rows of `count_splits`) and
    "notes" (sentences). Raises ModelError where these are of other kinds.
    """
    try:
        return _render(bundle, files)
    except (AttributeError, LookupError, TypeError, ValueError, TemplateError) as error:
        raise ModelError(
            f"{CONFIG}: the values in about are damaged; export the run again"
        ) from error


def _render(bundle: Bundle, files: Mapping[str, bytes]) -> str:
    evaluation = bundle.about.get("figures", {})
    environment = Environment(
        loader=PackageLoader("hemozoin", "export"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(yaml=json.dumps, metric=_metric, interval=_interval, inline=_inline)
    return environment.get_template("card.md").render(
        bundle=bundle,
        classes=CLASSES,
        version=VERSION,
        disclaimer=DISCLAIMER,
        label_sets=_label_sets(evaluation),
        intervals=evaluation.get("intervals"),
        prevalence=evaluation.get("prevalence"),
        warnings=evaluation.get("warnings", []),
        shown=SHOWN,
        folds=_folds(bundle.about.get("folds", [])),
        parity=bundle.about.get("parity"),
        notes=bundle.about.get("notes", []),
        run=_run(bundle.about.get("run")),
        splits=bundle.about.get("splits"),
        tested_on=_tested_on(evaluation),
        files=_files(files),
    )


def _label_sets(evaluation: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the metrics under each set of labels, by its name."""
    keys = {name: name.replace(" ", "_") for name in _LABELS}
    return {name: evaluation[key] for name, key in keys.items() if key in evaluation}


def _tested_on(evaluation: Mapping[str, Any]) -> str:
    """Return which cells the metrics are of; models before this was recorded had a test."""
    tested_on = str(evaluation.get("tested_on", "test"))
    return "not trained on" if tested_on == "test" else tested_on


def _folds(folds: list[dict[str, float]]) -> dict[str, Any] | None:
    """Return title, value of each fold, mean and spread of the metrics that all folds have."""
    if not folds:
        return None
    known = [name for name in SHOWN if all(_is_known(fold.get(name)) for fold in folds)]
    spread = spread_over_folds([{name: fold[name] for name in known} for fold in folds])
    rows = [
        {
            "title": SHOWN[one.figure],
            "values": [fold[one.figure] for fold in folds],
            "mean": one.mean,
            "sd": one.sd,
        }
        for one in spread
    ]
    return {"count": len(folds), "rows": rows}


def _run(run: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return recipe and data of the run; of the data's path only the name, which is public."""
    if run is None:
        return None
    data = PurePath(run["data"]).name
    corrected = bool(run["cells"]["labels"]) and run.get("on_correction") != "keep"
    recipe = run["recipe"]
    init = PurePath(recipe["init"]["path"]).name if recipe["init"] else None
    extra = PurePath(run["extra"]).name if run.get("extra") else None
    about_data = {"data": data, "corrected": corrected, "is_nlm": data.startswith(_NLM)}
    teachers = recipe.get("teachers", 0)  # older runs have none
    return {**recipe, **about_data, "init": init, "extra": extra, "teachers": teachers}


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


def _inline(value: object) -> str:
    """Return a text on one line, without the characters that end code, a cell or a paragraph.

    The texts of a model folder, such as the name of the data, may be anybody's.
    """
    printable = "".join(letter if letter.isprintable() else " " for letter in str(value))
    return " ".join(printable.translate(_HARMLESS).split())


def _metric(value: float | None) -> str:
    """Return the metric with four decimals; "-" where it is undefined."""
    return f"{value:.4f}" if value is not None and _is_known(value) else "-"


def _interval(estimate: Mapping[str, float | None]) -> str:
    low, high = estimate["low"], estimate["high"]
    return f"{_metric(low)} to {_metric(high)}" if _is_known(low) and _is_known(high) else "-"
