"""Run commands that are killed at one of their changes to the disk, or that find the disk full.

Python reports every file that is opened for writing, renamed or removed to an audit hook. Here the
hook counts them, and at a chosen one it kills the process with SIGKILL, so that no `finally` runs.

A process that imports torch takes seconds to start. So all commands are forks of one process that
has imported everything and has computed nothing: see `multiprocessing`'s fork server.
"""

from __future__ import annotations

import errno
import io
import json
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, Literal

import pytest
from matplotlib.figure import Figure

from hemozoin.cli.main import main

Fault = Literal["killed", "full"]

#: What the verbs import: slowest is what they have in common.
IMPORTED = (
    "hemozoin.demo.demo",
    "hemozoin.export.export",
    "hemozoin.paper.explain.page",
    "hemozoin.paper.sweep.sweep",
    "hemozoin.smear.execution.run",
    "hemozoin.training.runs.crossval",
    "tests.support.killing",
    "torch._dynamo",  # torch imports it with the first optimizer
)

_CONTEXT = multiprocessing.get_context("forkserver")


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, or -9, its messages, and how often each fault can be.

    A process that was not killed tells its own time in seconds, and its peak memory in bytes.
    """

    code: int
    errors: str
    faults: dict[Fault, int]
    seconds: float = 0.0
    memory: int = 0


@dataclass(frozen=True)
class Place:
    """A folder that commands change, and the cache that they use."""

    folder: Path
    cache: Path

    def run(
        self,
        *arguments: object,
        fault: Fault = "killed",
        at: int = 0,
        before: Callable[[], None] | None = None,
    ) -> Ended:
        """Run a command after the function `before`; the fault number `at` happens, 0 is none."""
        words = tuple(map(str, arguments))
        process = _CONTEXT.Process(target=self._run, args=(words, fault, at, before))
        process.start()
        process.join()
        assert process.exitcode is not None
        log = self._log.read_text(encoding="utf-8").splitlines()
        if process.exitcode == -signal.SIGKILL:
            return Ended(process.exitcode, "\n".join(log), {})
        killed, full, seconds, memory = log.pop().split()
        faults: dict[Fault, int] = {"killed": int(killed), "full": int(full)}
        errors = "\n".join(log)
        return Ended(process.exitcode, errors, faults, float(seconds), int(memory))

    def clear(self) -> None:
        """Remove everything in the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    @property
    def _log(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.log")

    def _run(
        self, arguments: tuple[str, ...], fault: Fault, at: int, before: Callable[[], None] | None
    ) -> None:
        log = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(log, 2)
        os.environ["HEMOZOIN_CACHE"] = str(self.cache)
        if before:
            before()
        hook = _Hook(str(self.folder), fault, at)
        sys.addaudithook(hook)
        os.fsync = partial(_audited_fsync, os.fsync)
        Figure.savefig = _save_no_figure  # type: ignore[assignment, method-assign]
        code = main([*arguments])
        sys.stderr.flush()
        memory = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        needed = f"{time.process_time()} {memory}"
        os.write(log, f"{hook.count['killed']} {hook.count['full']} {needed}".encode())
        os._exit(code)


def start_server() -> None:
    """Start the process that all commands are forks of; they compute on one core."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"):
            patch.setenv(variable, "1")
        _CONTEXT.set_forkserver_preload([*IMPORTED])
        forkserver.ensure_running()


def _audited_fsync(fsync: Callable[[int], None], file: int) -> None:
    sys.audit("fsync")
    fsync(file)


def _save_no_figure(_: Figure, file: Any, **options: object) -> None:
    """Write an empty plot, which takes no time."""
    file.write("<svg ></svg>" if isinstance(file, io.TextIOBase) else b"<svg ></svg>")


class _Hook:
    """Counts the changes to a folder, and what a full disk prevents; makes one of them fail."""

    def __init__(self, folder: str, fault: Fault, at: int) -> None:
        self.folder, self.fault, self.at = folder, fault, at
        self.count: dict[Fault, int] = {"killed": 0, "full": 0}

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        writes = event == "open" and self._is_written(*arguments[::2])
        if writes or self._is_changed(event, arguments):
            self._reach("killed")
        if writes or event == "fsync":
            self._reach("full")

    def _reach(self, fault: Fault) -> None:
        self.count[fault] += 1
        if self.fault != fault or not 0 < self.at <= self.count[fault]:
            return
        if fault == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _is_written(self, path: object, flags: object) -> bool:
        assert isinstance(flags, int)
        return str(path).startswith(self.folder) and bool(flags & (os.O_WRONLY | os.O_RDWR))

    def _is_changed(self, event: str, arguments: tuple[object, ...]) -> bool:
        if event not in ("os.mkdir", "os.remove", "os.rename", "os.rmdir"):
            return False
        path = str(arguments[0])
        return path.startswith(self.folder) and os.path.lexists(path) == (event != "os.mkdir")


def content(folder: Path) -> dict[str, bytes]:
    """Return the files in a folder, without what differs between runs: times."""
    files = {path.relative_to(folder): path for path in sorted(folder.rglob("*"))}
    return {str(name): _without_times(path) for name, path in files.items() if path.is_file()}


def _without_times(path: Path) -> bytes:
    if path.name == "results.csv":
        return b"\n".join(line.rpartition(b",")[0] for line in path.read_bytes().splitlines())
    if path.name in ("checkpoint.safetensors", "sweep.csv", "tables.md") or path.suffix == ".svg":
        return b""
    if path.parent.name == ".fields" and path.suffix == ".json":  # when the picture was written
        return json.dumps({**json.loads(path.read_bytes()), "stamp": None}).encode()
    if path.name == "report.html" and path.with_name("results.csv").exists():
        return b""
    return path.read_bytes()
