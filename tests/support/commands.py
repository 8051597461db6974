"""The command line for tests: in this process if possible, or in another one.

outcome = hemozoin("train", data, "--out", run, *QUICK)
"""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from hemozoin.cli.main import main
from hemozoin.files import partial_suffix

#: The smallest network for one epoch: takes half a second and learns nothing.
QUICK = ("--size", 32, "--alpha", 0.25, "--epochs", 1, "--batch", 16)

#: Enough to classify drawn cells.
LEARN_EPOCHS = 14
LEARN = (
    *("--size", 32, "--alpha", 0.5, "--epochs", LEARN_EPOCHS),
    *("--batch", 16, "--learning-rate", 0.006),
)


@dataclass(frozen=True)
class Outcome:
    """The exit code and the printed text."""

    code: int
    out: str
    err: str


def hemozoin(*arguments: object) -> Outcome:
    """Run a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    return Outcome(code, out.getvalue(), err.getvalue())


def succeed(*arguments: object) -> str:
    """Run a command that must succeed and return what it printed on standard output."""
    outcome = hemozoin(*arguments)
    assert outcome.code == 0, outcome.err
    return outcome.out


def refused(*arguments: object) -> str:
    """Run a command that must fail with one line, and return this line."""
    outcome = hemozoin(*arguments)
    assert outcome.code == 2, outcome
    assert outcome.out == ""
    assert outcome.err.startswith("hemozoin: ")
    assert outcome.err.count("\n") == 1
    assert outcome.err.endswith("\n")
    assert len(outcome.err) < 400
    return outcome.err


def start(*arguments: object, **options: object) -> subprocess.Popen[str]:
    """Start a command in another process, with pipes to read what it prints."""
    command = [sys.executable, "-m", "hemozoin", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": quiet()} | options
    return subprocess.Popen(command, text=True, **pipes)  # type: ignore[call-overload, no-any-return]


def quiet() -> dict[str, str]:
    """Return an environment in which a process uses one core."""
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def tree(*folders: Path) -> dict[str, bytes]:
    """Return every folder and file in these folders, with its content."""
    found = (path for folder in folders for path in folder.rglob("*"))
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in found}


def leftover_of(path: Path) -> Path:
    """Return the path of the partial file of `path` that a killed process left."""
    above_all_processes = 2**22 + 1
    suffix = partial_suffix().replace(f"-{os.getpid()}.", f"-{above_all_processes}.")
    return path.with_name(path.name + suffix)


class FullDisk:
    """A disk on which writing fails from the nth file on."""

    def __init__(self, nth: int) -> None:
        self.remaining = nth
        self._fsync = os.fsync

    def fsync(self, file: int) -> None:
        self.remaining -= 1
        if self.remaining <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        self._fsync(file)
