"""Screen fields in other processes on this computer; two pipes connect each with this one.

Finding cells is mostly Python code, which only one thread of a process runs at a time: on 2 cores,
two threads need 1.08 s per field, no less than one thread, and two processes 0.65 s. The module
multiprocessing is not used, because it runs the caller's main module again, and its processes keep
running if the caller is killed. These processes end when their pipe is closed.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import LifoQueue

from hemozoin.errors import RunError
from hemozoin.smear.execution.work import ScreenerSettings, ScreenFunction
from hemozoin.smear.output.screened_field import ScreenedField
from hemozoin.smear.picture import PictureData


@contextmanager
def process_pool(settings: ScreenerSettings, count: int) -> Iterator[ScreenFunction]:
    """Yield a function that screens in up to `count` processes; each starts when it is needed.

    The function raises RunError if a process dies.
    """
    processes = [_ScreenerProcess(settings) for _ in range(count)]
    idle: LifoQueue[_ScreenerProcess] = LifoQueue()  # takes a running process before a new one
    for process in processes:
        idle.put(process)

    def screen(data: PictureData, name: str) -> ScreenedField:
        process = idle.get()
        try:
            return process.screen(data, name)
        finally:
            idle.put(process)

    try:
        yield screen
    finally:
        for process in processes:
            process.close()


class _ScreenerProcess:
    """A Python process that runs `serve`; only one thread at a time may use it."""

    def __init__(self, settings: ScreenerSettings) -> None:
        self._settings = settings
        self._running: subprocess.Popen[bytes] | None = None

    def screen(self, data: PictureData, name: str) -> ScreenedField:
        running = self._running or self._start()
        assert running.stdin is not None
        assert running.stdout is not None
        try:
            pickle.dump((data, name), running.stdin)
            running.stdin.flush()
            screened: ScreenedField = pickle.load(running.stdout)
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            raise RunError(
                f"{name}: the process that screened it died ({_cause_of_death(running)}); finished"
                " fields are kept: run the same command again to resume"
            ) from error
        return screened

    def _start(self) -> subprocess.Popen[bytes]:
        code = (
            f"import sys; sys.path[:] = {sys.path!r};"
            " from hemozoin.smear.execution.processes import serve; serve()"
        )
        one_thread = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        command, pipe = [sys.executable, "-c", code], subprocess.PIPE
        running = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=one_thread)
        self._running = running
        assert running.stdin is not None
        with suppress(OSError):  # it has died already; `screen` will raise
            pickle.dump(self._settings, running.stdin)
        return running

    def close(self) -> None:
        running = self._running
        if running is None:
            return
        assert running.stdin is not None
        assert running.stdout is not None
        with suppress(BrokenPipeError):  # it died before it had read everything
            running.stdin.close()
        running.stdout.close()
        running.wait()


def _cause_of_death(running: subprocess.Popen[bytes]) -> str:
    code = running.wait()
    if code == -signal.SIGKILL:
        return "killed, perhaps because memory ran out"
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def serve() -> None:
    """Screen in such a process: read the settings, then pictures, from standard input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is handled by the calling process
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a library prints is not a result
    with suppress(EOFError, BrokenPipeError):
        settings: ScreenerSettings = pickle.load(sys.stdin.buffer)
        screen = settings.load()
        while True:
            data, name = pickle.load(sys.stdin.buffer)
            pickle.dump(screen(data, name), results)
            results.flush()
