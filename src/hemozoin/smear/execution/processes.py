"""Screen fields in other processes on this computer; two pipes connect each with this one.

Much of the work on a field is Python code, which only one thread of a process runs at a time; and
if a picture makes a process die, the run continues. The module
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
from typing import Any

import cv2

from hemozoin.errors import DataError, RunError
from hemozoin.smear.execution.work import ScreenerSettings, ScreenFunction
from hemozoin.smear.output.screened_field import ScreenedField, unreadable_field
from hemozoin.smear.picture import PictureData

#: How often a picture is tried whose process died: memory may have run out because of others.
_TRIES = 2

#: Seconds in which a process that can't be written to or read from ends.
_DYING = 30

#: For glibc: keep memory that was freed, 128 MB at most, for arrays of up to 32 MB. A tenth of the
#: time would go to getting the same pages from the system again and again.
_KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": f"{2**25}", "MALLOC_TRIM_THRESHOLD_": f"{2**27}"}

#: Each core has a process, which needs no other threads.
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

#: What writing to a process, or reading from it, raises if it has died.
_DEAD = (EOFError, OSError, pickle.UnpicklingError)


@contextmanager
def process_pool(settings: ScreenerSettings, count: int) -> Iterator[ScreenFunction]:
    """Yield a function that screens in up to `count` processes; each starts when it is needed.

    The function raises RunError if a process can't start. If a process dies from a picture, the
    picture is tried again in a new one; if that dies too, the result is a field with an error.
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
        for _ in range(_TRIES):
            running = self._running or self._start(name)
            try:
                screened: ScreenedField = _ask(running, (data, name))
            except _DEAD:
                cause = _cause_of_death(running)
                self.close()
            except BaseException:  # half a message may have been sent
                running.kill()
                self.close()
                raise
            else:
                return screened
        died = f"{name}: internal error: the process that screened it died ({cause})"
        return unreadable_field(name, DataError(died))

    def _start(self, name: str) -> subprocess.Popen[bytes]:
        """Start the process; raises RunError if it dies before its first picture, `name`."""
        code = (
            f"import sys; sys.path[:] = {sys.path!r};"
            " from hemozoin.smear.execution.processes import serve; serve()"
        )
        environment = {**_KEEP_MEMORY, **os.environ, **_ONE_THREAD}
        command, pipe = [sys.executable, "-c", code], subprocess.PIPE
        running = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment)
        self._running = running
        try:
            _ask(running, self._settings)
        except _DEAD as error:
            raise RunError(
                f"{name}: the process that screens it can't start ({_cause_of_death(running)});"
                " finished fields are kept: run the same command again to resume"
            ) from error
        return running

    def close(self) -> None:
        running, self._running = self._running, None
        if running is None:
            return
        assert running.stdin is not None
        assert running.stdout is not None
        with suppress(BrokenPipeError):  # it died before it had read everything
            running.stdin.close()
        running.stdout.close()
        running.wait()


def _ask(running: subprocess.Popen[bytes], message: object) -> Any:
    """Send a message to a process, and return its answer."""
    assert running.stdin is not None
    assert running.stdout is not None
    pickle.dump(message, running.stdin)
    running.stdin.flush()
    return pickle.load(running.stdout)


def _cause_of_death(running: subprocess.Popen[bytes]) -> str:
    try:
        code = running.wait(_DYING)
    except subprocess.TimeoutExpired:
        running.kill()
        return "its answer could not be read"
    if code == -signal.SIGKILL:
        return "killed, perhaps because memory ran out"
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def serve() -> None:
    """Screen in such a process: read the settings, then pictures, from standard input."""
    for stop in (signal.SIGINT, signal.SIGTERM):  # the calling process handles them
        signal.signal(stop, signal.SIG_IGN)
    cv2.setNumThreads(1)  # each core has a process
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a library prints is not a result
    with suppress(EOFError, BrokenPipeError):
        settings: ScreenerSettings = pickle.load(sys.stdin.buffer)
        screen = settings.load()
        answer: object = "ready"
        while True:
            pickle.dump(answer, results)
            results.flush()
            answer = screen(*pickle.load(sys.stdin.buffer))
