"""The device to train on, and deterministic algorithms on it."""

from __future__ import annotations

import os

import torch

from hemozoin.errors import TrainingError


def choose_device(name: str = "auto") -> torch.device:
    """Return the device; with torchrun each process of a machine gets its own GPU.

    Raises TrainingError where the named device is not available.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = "cuda" if available["cuda"] else "mps" if available["mps"] else "cpu"
    if not available.get(name, True):
        raise TrainingError(f"--device {name}: not available here; leave --device out")
    if name == "cuda":
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return torch.device(name)


def use_deterministic_algorithms() -> None:
    """Make torch use only algorithms that give the same bits for the same input."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS reads it from here
    torch.use_deterministic_algorithms(mode=True)
