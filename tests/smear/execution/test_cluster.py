"""The same work on a Dask cluster: a real scheduler and real workers, some of which die."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from hemozoin.about import VERSION
from hemozoin.data.source import Entry
from hemozoin.errors import MissingExtraError, RunError
from hemozoin.model.bundle import Bundle
from hemozoin.smear.execution.cluster import _require_same_version, connected, on_workers
from hemozoin.smear.execution.run import ScreenConfig, screen_slides
from hemozoin.smear.execution.work import ScreenerSettings
from hemozoin.smear.output.folder import SlideFolder
from hemozoin.smear.output.screened_field import ScreenedField
from hemozoin.smear.slides import Photo
from tests.support.commands import hemozoin, quiet, refused, tree
from tests.support.smears import make_fields, put

pytest.importorskip("distributed")

from distributed import KilledWorker

FIELDS = 8


@contextmanager
def process(part: str, *arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """Run dask's scheduler or a worker until the end of the block."""
    command = [sys.executable, "-m", f"distributed.cli.dask_{part}", *map(str, arguments)]
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=quiet(), **silent) as running:  # type: ignore[call-overload]
        try:
            yield running
        finally:
            running.kill()


@contextmanager
def cluster(folder: Path, workers: int) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """Yield the address of a scheduler, and the processes: itself and its workers."""
    file = folder / "scheduler.json"
    scheduler = ("--host", "127.0.0.1", "--port", 0, "--no-dashboard", "--scheduler-file", file)
    one = ("--nthreads", 1, "--no-nanny", "--no-dashboard", "--local-directory", folder)
    with process("scheduler", *scheduler) as first:
        wait_for(file.exists)
        wait_for(lambda: file.read_text().endswith("}"))
        address = json.loads(file.read_text())["address"]
        with several(workers, address, *one) as others:
            yield address, [first, *others]


@contextmanager
def several(count: int, *arguments: object) -> Iterator[list[subprocess.Popen[bytes]]]:
    if count == 0:
        yield []
        return
    with process("worker", *arguments) as first, several(count - 1, *arguments) as others:
        yield [first, *others]


def wait_for(condition: Any) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def content(out: Path) -> dict[str, bytes]:
    return {name.removeprefix(str(out)): data for name, data in tree(out).items()}


@pytest.fixture(scope="module")
def at_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a slide, `left`, and what a run without a cluster wrote, `home`."""
    folder = tmp_path_factory.mktemp("slides")
    slide = make_fields(folder / "left", *(f"{k:02}.png" for k in range(FIELDS)))
    put(slide / "notes.txt", b"no picture")
    (slide / "dangling.png").symlink_to(folder / "nowhere")
    screen_slides([slide], folder / "home", ScreenConfig(coco=True))
    return folder


def done(out: Path) -> int:
    return len(list(out.glob(".fields/*.json")))


def command(at_home: Path, out: Path, address: str) -> tuple[object, ...]:
    return ("screen", at_home / "left", "--out", out, "--coco", "--scheduler", address)


@pytest.mark.slow
def test_a_worker_is_killed_midway(at_home: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with (
        cluster(tmp_path, workers=2) as (address, (_, worker, _)),
        ThreadPoolExecutor(1) as pool,
    ):
        running = pool.submit(hemozoin, *command(at_home, out, address))
        wait_for(lambda: done(out) >= 2)
        worker.send_signal(signal.SIGKILL)
        killed_at = done(out)
        outcome = running.result()
    assert outcome.code == 0, outcome.err
    assert killed_at < FIELDS
    assert worker.wait() == -signal.SIGKILL
    assert content(out) == content(at_home / "home")


@pytest.mark.slow
def test_the_scheduler_is_killed_midway(at_home: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with (
        cluster(tmp_path, workers=1) as (address, (scheduler, _)),
        ThreadPoolExecutor(1) as pool,
    ):
        running = pool.submit(hemozoin, *command(at_home, out, address))
        wait_for(lambda: done(out) >= 2)
        scheduler.send_signal(signal.SIGKILL)
        outcome = running.result()
    assert outcome.code == 2
    last = outcome.err.splitlines()[-1]
    assert last.startswith("hemozoin: the Dask scheduler is gone; what is done is kept")
    assert "Traceback" not in outcome.err
    kept = {path.name: path.read_bytes() for path in out.glob(".fields/*.json")}
    assert 2 <= len(kept) < FIELDS
    for name, data in kept.items():
        assert data == (at_home / "home" / ".fields" / name).read_bytes()
    screen_slides([at_home / "left"], out, ScreenConfig(coco=True))
    assert content(out) == content(at_home / "home")


@pytest.mark.slow
def test_a_scheduler_without_workers(at_home: Path, tmp_path: Path) -> None:
    with cluster(tmp_path, workers=0) as (address, _):
        line = refused(*command(at_home, tmp_path / "out", address))
    assert f"{address}: has no workers" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "http://127.0.0.1:9", "127.0.0.1:9"])
def test_no_scheduler(address: str, at_home: Path, tmp_path: Path) -> None:
    began = time.monotonic()
    line = refused(*command(at_home, tmp_path / "out", address))
    assert address in line
    assert "scheduler" in line
    assert time.monotonic() - began < 20
    assert not (tmp_path / "out").exists()


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(MissingExtraError, match=r"pip install 'hemozoin\[dask\]'"),
        connected("tcp://127.0.0.1:9"),
    ):
        pass


class Told:
    """Stands for a client whose scheduler and workers say what they were told to."""

    def __init__(self, scheduler: Any, workers: Any) -> None:
        self._said = scheduler, workers

    def run_on_scheduler(self, function: Any, *_: Any) -> str:
        return cast(str, self._answer(self._said[0]))

    def run(self, function: Any, *_: Any) -> dict[str, str]:
        return {"tcp://1": VERSION, "tcp://2": self._answer(self._said[1])}

    def _answer(self, said: Any) -> Any:
        if isinstance(said, Exception):
            raise said
        return said


@pytest.mark.parametrize("bad", ["0.0.1", ModuleNotFoundError("No module named 'hemozoin'")])
def test_a_cluster_with_another_version(bad: object) -> None:
    _require_same_version(cast(Any, Told(VERSION, VERSION)), "tcp://0")
    for client in (Told(bad, VERSION), Told(VERSION, bad)):
        with pytest.raises(RunError, match=rf"tcp://0: .* need hemozoin {VERSION}.*(0.0.1|none)"):
            _require_same_version(cast(Any, client), "tcp://0")


def test_a_worker_with_another_version() -> None:
    network = ScreenerSettings(cast(Bundle, None), "fp32", None, version="0.0.1")
    with pytest.raises(RunError, match=r"a worker has hemozoin .*, not 0\.0\.1"):
        network.work()


class Counted:
    """Stands for a client of two threads; counts the pictures that are on their way."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def nthreads(self) -> dict[str, int]:
        return {"tcp://1": 1, "tcp://2": 1}

    def submit(self, work: object, *arguments: Any, key: str) -> Future[ScreenedField]:
        future: Future[ScreenedField] = Future()
        if len(arguments) > 1:
            self.sent.append(arguments[1])
            future.set_result(ScreenedField(arguments[2], None, {}))
        return future


class Failing(Counted):
    """Stands for a client whose pictures come back with an error."""

    def __init__(self, error: Exception, threads: int = 1) -> None:
        super().__init__()
        self._error, self._threads = error, threads

    def nthreads(self) -> dict[str, int]:
        return {"tcp://1": self._threads} if self._threads else {}

    def submit(self, work: object, *arguments: Any, key: str) -> Future[ScreenedField]:
        future: Future[ScreenedField] = Future()
        future.set_exception(self._error)
        return future


@pytest.mark.parametrize(
    ("client", "says"),
    [
        (
            Failing(KilledWorker("field", cast(Any, None), 3)),
            "1.png: one worker after another died",
        ),
        (Failing(CancelledError()), "the Dask scheduler is gone"),
        (Failing(TimeoutError(), threads=0), "all workers are gone"),
    ],
    ids=["killed", "cancelled", "no workers"],
)
def test_what_is_said_of_a_cluster_that_fails(client: Failing, says: str, tmp_path: Path) -> None:
    network, source = ScreenerSettings(cast(Bundle, None), "fp32", None), cast(Any, Endless())
    jobs = [(SlideFolder(tmp_path), Photo(source, Entry("1.png", 1, 1)))]
    with pytest.raises(RunError, match=f"{says}.*run the same command again"):
        list(on_workers(cast(Any, client), network, jobs))


class Endless:
    """A source of which every file can be read."""

    path = Path("endless")

    def read(self, name: str) -> bytes:
        return name.encode()


def test_a_bounded_number_of_pictures_is_on_its_way(tmp_path: Path) -> None:
    client, network = Counted(), ScreenerSettings(cast(Bundle, None), "fp32", None)
    source = cast(Any, Endless())
    photos = (Photo(source, Entry(f"{k}.png", 1, 1)) for k in range(10**9))
    jobs = ((SlideFolder(tmp_path), photo) for photo in photos)
    results = on_workers(cast(Any, client), network, jobs)
    for number in range(1, 300):
        found = next(results)
        assert found is not None
        assert cast(Any, found.field) == f"{number - 1}.png"
        assert len(client.sent) - number <= 2 * 2
    assert len(set(client.sent)) == len(client.sent)
