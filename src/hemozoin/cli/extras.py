"""Checks that an optional part of the package is installed."""

from __future__ import annotations

from importlib.util import find_spec

from hemozoin.errors import MissingExtraError


def require_plots_extra() -> None:
    """Raise MissingExtraError where matplotlib is not installed."""
    if find_spec("matplotlib") is None:
        raise MissingExtraError(
            "this command draws plots, which needs matplotlib: pip install 'hemozoin[plots]'"
        )


def require_tensorboard_extra() -> None:
    """Raise MissingExtraError where tensorboard is not installed."""
    if find_spec("tensorboard") is None:
        raise MissingExtraError(
            "--tensorboard needs tensorboard: pip install 'hemozoin[tensorboard]'"
        )


def require_training_extra() -> None:
    """Raise MissingExtraError where torch or onnx is not installed."""
    try:
        import onnx  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            "this command needs the training extra (torch, onnx): pip install 'hemozoin[train]'"
        ) from error


def require_serve_extra() -> None:
    """Raise MissingExtraError where FastAPI or another part of the server is not installed."""
    parts = ("alembic", "fastapi", "python_multipart", "sqlalchemy", "uvicorn")
    if not all(map(find_spec, parts)):
        raise MissingExtraError(
            "the page needs FastAPI, uvicorn, SQLAlchemy and Alembic: pip install 'hemozoin[serve]'"
        )


def require_dask_extra() -> None:
    """Raise MissingExtraError where Dask is not installed."""
    if find_spec("distributed") is None:
        raise MissingExtraError("--scheduler needs Dask: pip install 'hemozoin[dask]'")
