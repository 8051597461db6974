"""The device to train on, deterministic algorithms on it, and memory kept between steps."""

from __future__ import annotations

import ctypes
import os
import platform

import torch

from hemozoin.errors import TrainingError

#: Parameters of glibc's `mallopt`, as malloc.h numbers them, and the largest values they take.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = (-1, 2**31 - 1), (-3, 2**30)


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
    # `torch.use_deterministic_algorithms` imports the compiler as well, which takes a second.
    torch.set_deterministic_debug_mode("error")


def keep_freed_memory() -> None:
    """Make this process keep the memory that a training step frees for the next step.

    glibc returns large blocks to the system, which clears each page anew when they are asked for
    again: a fifth of the time of a step on a CPU. Other C libraries are left as they are.
    """
    if platform.libc_ver()[0] == "glibc":
        for parameter, value in (_TRIM_THRESHOLD, _MMAP_THRESHOLD):
            ctypes.CDLL(None).mallopt(parameter, value)
