"""A real Dask scheduler and real workers, in other processes on this computer."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.commands import quiet
from tests.support.servers import wait_for


@contextmanager
def _process(part: str, *arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """Run Dask's scheduler or a worker until the end of the block."""
    command = [sys.executable, "-m", f"distributed.cli.dask_{part}", *map(str, arguments)]
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=quiet(), **silent) as running:  # type: ignore[call-overload]
        try:
            yield running
        finally:
            running.kill()


@contextmanager
def cluster(folder: Path, workers: int) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """Yield the address of a scheduler, and its process followed by those of its workers."""
    file = folder / "scheduler.json"
    scheduler = ("--host", "127.0.0.1", "--port", 0, "--no-dashboard", "--scheduler-file", file)
    one = ("--nthreads", 1, "--no-nanny", "--no-dashboard", "--local-directory", folder)
    with _process("scheduler", *scheduler) as first:
        wait_for(lambda: (file.exists() and file.read_text().endswith("}")) or None)
        address = json.loads(file.read_text())["address"]
        with _several(workers, address, *one) as others:
            yield address, [first, *others]


@contextmanager
def _several(count: int, *arguments: object) -> Iterator[list[subprocess.Popen[bytes]]]:
    if count == 0:
        yield []
        return
    with _process("worker", *arguments) as first, _several(count - 1, *arguments) as others:
        yield [first, *others]
