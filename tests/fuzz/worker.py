"""The process that runs the cases of one kind, and the connection to it."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

from hemozoin.smear.execution import run
from tests.fuzz.kinds import Kind, make_kind
from tests.fuzz.oracles import Case, Watch, limit_memory, print_into, reset_peak_memory

#: Seconds after which a case hangs. The machine may be busy, so this is far above `MOST_SECONDS`.
_HANGS = 300

#: Seconds in which a process has to have its seeds.
_STARTS = 1800

_CONTEXT = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Result:
    """What became of a case: what it needed, its commands, and what was wrong, if anything."""

    number: int
    seconds: float = 0.0
    memory: int = 0
    inputs: int = 1
    commands: tuple[str, ...] = ()
    failure: str = ""


class Worker:
    """Runs cases in another process, which is started again after it died or was ended."""

    def __init__(self, path: str, label: str, folder: Path) -> None:
        """Start the process; `path` is that of a kind's class, `label` begins each random seed."""
        self._path, self._label, self._folder = path, label, folder
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None
        self.total: int | None = None
        """The number of different cases, if there is an end to them."""
        self._start()

    def run(self, number: int) -> Result:
        """Run a case; its folder stays until the next one."""
        if self._pipe is None or self._process is None:
            self._start()
        assert self._pipe is not None
        assert self._process is not None
        self._pipe.send(number)
        try:
            if self._pipe.poll(_HANGS):
                result: Result = self._pipe.recv()
                return result
            failure = f"hangs: no answer in {_HANGS} s"
        except EOFError:
            self._process.join()
            failure = f"the process died, exit code {self._process.exitcode}"
        self.close()
        return Result(number, failure=failure)

    def _start(self) -> None:
        self._pipe, other = _CONTEXT.Pipe()
        arguments = (other, self._path, self._label, str(self._folder))
        self._process = _CONTEXT.Process(target=_serve, args=arguments)
        self._process.start()
        other.close()
        if not self._pipe.poll(_STARTS):
            raise TimeoutError(f"{self._label}: no seeds in {_STARTS} s")
        self.total = self._pipe.recv()

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self._process = self._pipe = None


@contextmanager
def worker(path: str, label: str) -> Iterator[tuple[Worker, Path]]:
    """Yield a worker, and the folder that its case is in."""
    with tempfile.TemporaryDirectory(prefix="hemozoin-fuzz-") as folder:
        started = Worker(path, label, Path(folder))
        try:
            yield started, Path(folder) / "case"
        finally:
            started.close()


def _serve(pipe: Connection, path: str, label: str, root: str) -> None:
    """Run the cases whose numbers come through the pipe."""
    folder = Path(root).resolve()
    os.environ["HEMOZOIN_CACHE"] = str(folder / "case" / "cache")
    os.environ["HOME"] = tempfile.tempdir = str(folder)
    shutil.rmtree(folder / "seeds", ignore_errors=True)  # of a process that died
    (folder / "seeds").mkdir()
    run._FEW = 10**6  # `screen` uses no other processes
    print_into(folder)
    made = make_kind(path, folder / "seeds")
    limit_memory()
    watch = Watch(folder)
    pipe.send(made.total)
    while True:
        number = pipe.recv()
        shutil.rmtree(folder / "case", ignore_errors=True)
        (folder / "case").mkdir()
        case = Case(number, Random(f"{label} {number}"), folder / "case")
        reset_peak_memory()
        failure = _failure(made, case, watch)
        needed = case.seconds, case.memory, case.inputs, tuple(case.commands)
        pipe.send(Result(number, *needed, failure))


def _failure(kind: Kind, case: Case, watch: Watch) -> str:
    try:
        watch.during(lambda: kind(case))
    except BaseException:  # also SystemExit: the command line must not end the process
        return traceback.format_exc()
    return ""
