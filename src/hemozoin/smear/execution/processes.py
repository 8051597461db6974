"""The same work in processes of our own, each at the end of two pipes.

Finding cells is much Python. On 2 cores two threads screen a field in 1.08 s, no faster than one;
two processes in .65 s. They are not multiprocessing's, which runs the caller's main module again
and leaves its processes behind when it is killed: these end when their pipe does.
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


@contextmanager
def processes(network: ScreenerSettings, count: int) -> Iterator[ScreenFunction]:
    """Yield work that is done by so many processes, each started when it is first needed.

    The work raises RunError where a process dies.
    """
    all_of_them = [_Process(network) for _ in range(count)]
    idle: LifoQueue[_Process] = LifoQueue()  # one that runs is taken before one that doesn't
    for process in all_of_them:
        idle.put(process)

    def work(data: bytes, name: str) -> ScreenedField:
        process = idle.get()
        try:
            return process.screen(data, name)
        finally:
            idle.put(process)

    try:
        yield work
    finally:
        for process in all_of_them:
            process.close()


class _Process:
    """A Python that runs `serve`; one thread at a time may use it."""

    def __init__(self, network: ScreenerSettings) -> None:
        self._network = network
        self._running: subprocess.Popen[bytes] | None = None

    def screen(self, data: bytes, name: str) -> ScreenedField:
        running = self._running or self._start()
        assert running.stdin is not None
        assert running.stdout is not None
        try:
            pickle.dump((data, name), running.stdin)
            running.stdin.flush()
            found: ScreenedField = pickle.load(running.stdout)
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            raise RunError(
                f"{name}: the process that screened it died ({_how(running)}); what is done is"
                " kept: run the same command again to go on"
            ) from error
        return found

    def _start(self) -> subprocess.Popen[bytes]:
        code = (
            f"import sys; sys.path[:] = {sys.path!r};"
            " from hemozoin.smear.execution.processes import serve; serve()"
        )
        alone = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        pipe = subprocess.PIPE
        running = subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, env=alone)
        self._running = running
        assert running.stdin is not None
        with suppress(OSError):  # it has died already; `screen` will notice
            pickle.dump(self._network, running.stdin)
        return running

    def close(self) -> None:
        running = self._running
        if running is None:
            return
        assert running.stdin is not None
        assert running.stdout is not None
        with suppress(BrokenPipeError):  # it has died, and not taken all that was sent
            running.stdin.close()
        running.stdout.close()
        running.wait()


def _how(running: subprocess.Popen[bytes]) -> str:
    code = running.wait()
    if code == -signal.SIGKILL:
        return "killed, perhaps for want of memory"
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def serve() -> None:
    """Do the work of such a process: a network comes in, then picture by picture."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that asks
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a library prints is no answer
    with suppress(EOFError, BrokenPipeError):
        network: ScreenerSettings = pickle.load(sys.stdin.buffer)
        work = network.work()
        while True:
            data, name = pickle.load(sys.stdin.buffer)
            pickle.dump(work(data, name), answers)
            answers.flush()
