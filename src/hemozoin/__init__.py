"""Hemozoin: MobileNet (Howard et al. 2017) for malaria detection. Research use only.

`__all__` lists the public names. Each is imported when it is first used, so `import hemozoin` is
quick and does not need torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hemozoin.about import VERSION
from hemozoin.errors import MissingExtraError

if TYPE_CHECKING:
    from hemozoin.data.options import CellOptions as CellOptions
    from hemozoin.errors import HemozoinError as HemozoinError
    from hemozoin.evaluation.evaluate import evaluate as evaluate
    from hemozoin.mobilenet.architecture import Architecture as Architecture
    from hemozoin.mobilenet.architecture import layers as layers
    from hemozoin.mobilenet.cost import cost as cost
    from hemozoin.mobilenet.network import MobileNet as MobileNet
    from hemozoin.model.prediction import Prediction as Prediction
    from hemozoin.model.predictor import Predictor as Predictor
    from hemozoin.model.predictor import load as load
    from hemozoin.model.predictor import predict_paths as predict_paths
    from hemozoin.smear.execution.run import ScreenConfig as ScreenConfig
    from hemozoin.smear.execution.run import screen_slides as screen_slides
    from hemozoin.smear.field import Field as Field
    from hemozoin.smear.output.wording import summarize as summarize
    from hemozoin.smear.screen import screen as screen
    from hemozoin.training.recipe import Recipe as Recipe
    from hemozoin.training.runs.config import RunConfig as RunConfig
    from hemozoin.training.runs.start import new as train

__version__ = VERSION

#: Public name -> its module, and after a colon its name there, if that is a different one.
_MODULES = {
    "Architecture": "mobilenet.architecture",
    "CellOptions": "data.options",
    "Field": "smear.field",
    "HemozoinError": "errors",
    "MobileNet": "mobilenet.network",
    "Prediction": "model.prediction",
    "Predictor": "model.predictor",
    "Recipe": "training.recipe",
    "RunConfig": "training.runs.config",
    "ScreenConfig": "smear.execution.run",
    "cost": "mobilenet.cost",
    "evaluate": "evaluation.evaluate",
    "layers": "mobilenet.architecture",
    "load": "model.predictor",
    "predict_paths": "model.predictor",
    "screen": "smear.screen",
    "screen_slides": "smear.execution.run",
    "summarize": "smear.output.wording",
    "train": "training.runs.start:new",
}

__all__ = [
    "Architecture",
    "CellOptions",
    "Field",
    "HemozoinError",
    "MobileNet",
    "Prediction",
    "Predictor",
    "Recipe",
    "RunConfig",
    "ScreenConfig",
    "cost",
    "evaluate",
    "layers",
    "load",
    "predict_paths",
    "screen",
    "screen_slides",
    "summarize",
    "train",
]


def __dir__() -> list[str]:
    """Return the public names, imported yet or not, and Python's own names of a module."""
    own = (name for name in globals() if name.startswith("__") and name.endswith("__"))
    return sorted({*own, *__all__})


def __getattr__(name: str) -> Any:
    """Import a public name from its module.

    Raises MissingExtraError where this needs torch or onnx and they are not installed.
    """
    if name not in _MODULES:
        raise AttributeError(f"module 'hemozoin' has no attribute {name!r}")
    module, _, name_there = _MODULES[name].partition(":")
    try:
        return getattr(import_module(f"hemozoin.{module}"), name_there or name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("onnx", "torch"):
            raise
        raise MissingExtraError(
            f"hemozoin.{name} needs the training extra (torch, onnx): pip install 'hemozoin[train]'"
        ) from error
