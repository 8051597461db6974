"""Parts of the package that are installed apart."""

from __future__ import annotations

from hemozoin.errors import MissingExtraError


def require_training_extra() -> None:
    """Raise MissingExtraError where torch or onnx is not installed."""
    try:
        import onnx  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("this needs torch: pip install 'hemozoin[train]'") from error
