"""Checks that an optional part of the package is installed."""

from __future__ import annotations

from hemozoin.errors import MissingExtraError


def require_training_extra() -> None:
    """Raise MissingExtraError where torch or onnx is not installed."""
    try:
        import onnx  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            "this command needs the training extra (torch, onnx): pip install 'hemozoin[train]'"
        ) from error
