"""A real `hemozoin serve` in another process, and a client that asks it."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx

from tests.support.commands import start

_Value = TypeVar("_Value")

#: Seconds until a slow machine has certainly done it.
PATIENCE = 120


class RunningServer:
    """The process of a server; `address` is what it printed, and `api` a client of its API."""

    def __init__(self, process: subprocess.Popen[str], address: str) -> None:
        self.process, self.address = process, address
        self.root = re.sub(r"(?<=\d)/.*", "", address)
        self.api = httpx.Client(base_url=f"{self.root}/api/v1", timeout=PATIENCE)

    def upload(self, *paths: Path, name: str = "", **options: Any) -> httpx.Response:
        """Upload a slide."""
        files = [("files", (path.name, path.read_bytes())) for path in paths]
        return self.api.post("/slides", files=files, data={"name": name}, **options)

    def wait_until_screened(self, slide: str) -> dict[str, Any]:
        """Return the state of a slide that is done; each of its fields may take a while."""
        found: dict[str, Any] = {"state": "queued", "fields_done": -1}

        def next_state() -> dict[str, Any] | None:
            now: dict[str, Any] = self.api.get(f"/slides/{slide}").json()
            ended = now["state"] in ("done", "failed")
            return now if ended or now["fields_done"] > found["fields_done"] else None

        while found["state"] not in ("done", "failed"):
            found = wait_for(next_state)
        assert found["state"] == "done", found
        return found

    def kill(self) -> None:
        """End the process at once, as kill -9 does."""
        self.process.kill()
        self.process.wait()


@contextmanager
def serving(folder: Path, *options: object, port: int = 0) -> Iterator[RunningServer]:
    """Yield a server of a folder, on a free port of this computer where none is given."""
    process = start("serve", folder, "--port", port, *options)
    assert process.stderr is not None
    assert process.stdout is not None
    line = process.stderr.readline()
    try:
        found = re.search(r"http://\S+", line)
        assert found, line
        server = RunningServer(process, found[0])
        with server.api:
            yield server
    finally:
        process.terminate()
        process.wait(PATIENCE)
        process.stderr.close()
        process.stdout.close()


def wait_for(look: Callable[[], _Value | None], every: float = 0.1) -> _Value:
    """Return what `look` returns, as soon as it is not None; it is called every so many seconds."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if (found := look()) is not None:
            return found
        time.sleep(every)
    raise AssertionError("nothing came")
