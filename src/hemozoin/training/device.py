"""Which processor trains, and that it does so the same way every time."""

from __future__ import annotations

import os

import torch

from hemozoin.errors import TrainingError


def choose_device(name: str = "auto") -> torch.device:
    """Return the device; with torchrun each process of a machine gets a GPU of its own.

    Raises TrainingError where the named one is not there.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = "cuda" if there["cuda"] else "mps" if there["mps"] else "cpu"
    if not there.get(name, True):
        raise TrainingError(f"--device {name}: there is none here; leave --device out")
    if name == "cuda":
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return torch.device(name)


def insist_on_same_results() -> None:
    """Have torch take only algorithms that give the same bits for the same input."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS wants it said here
    torch.use_deterministic_algorithms(mode=True)
