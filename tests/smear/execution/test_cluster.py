"""Screening on a Dask cluster: a real scheduler and real workers, some of which are killed."""

from __future__ import annotations

import signal
import sys
import time
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest

from hemozoin.about import VERSION
from hemozoin.data.source import Entry
from hemozoin.errors import MissingExtraError, RunError
from hemozoin.model.bundle import Bundle
from hemozoin.smear.execution.cluster import _require_same_version, connected, screen_on_workers
from hemozoin.smear.execution.run import ScreenConfig, screen_slides
from hemozoin.smear.execution.work import ScreenerSettings
from hemozoin.smear.output.folder import SlideFolder
from hemozoin.smear.output.screened_field import ScreenedField
from hemozoin.smear.slides import Photo
from tests.support.clusters import cluster
from tests.support.commands import hemozoin, refused, tree
from tests.support.servers import wait_for
from tests.support.smears import make_fields, put

pytest.importorskip("distributed")

from distributed import KilledWorker
from distributed.client import ClosedClientError

FIELDS = 8


def content(out: Path) -> dict[str, bytes]:
    return {name.removeprefix(str(out)): data for name, data in tree(out).items()}


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a slide, `left`, and the output of a run without a cluster, `whole`."""
    folder = tmp_path_factory.mktemp("slides")
    slide = make_fields(folder / "left", *(f"{k:02}.png" for k in range(FIELDS)))
    put(slide / "notes.txt", b"no picture")
    (slide / "dangling.png").symlink_to(folder / "nowhere")
    screen_slides([slide], folder / "whole", ScreenConfig(coco=True))
    return folder


def done(out: Path) -> int:
    return len(list(out.glob(".fields/*.json")))


def command(local: Path, out: Path, address: str) -> tuple[object, ...]:
    return ("screen", local / "left", "--out", out, "--coco", "--scheduler", address)


@pytest.mark.slow
def test_a_worker_is_killed_midway(local: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with (
        cluster(tmp_path, workers=2) as (address, (_, worker, _)),
        ThreadPoolExecutor(1) as pool,
    ):
        running = pool.submit(hemozoin, *command(local, out, address))
        wait_for(lambda: done(out) >= 2 or None, every=0.02)
        worker.send_signal(signal.SIGKILL)
        killed_at = done(out)
        outcome = running.result()
    assert outcome.code == 0, outcome.err
    assert killed_at < FIELDS
    assert worker.wait() == -signal.SIGKILL
    assert content(out) == content(local / "whole")


@pytest.mark.slow
def test_the_scheduler_is_killed_midway(local: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with (
        cluster(tmp_path, workers=1) as (address, (scheduler, _)),
        ThreadPoolExecutor(1) as pool,
    ):
        running = pool.submit(hemozoin, *command(local, out, address))
        wait_for(lambda: done(out) >= 2 or None, every=0.02)
        scheduler.send_signal(signal.SIGKILL)
        outcome = running.result()
    assert outcome.code == 2
    last = outcome.err.splitlines()[-1]
    assert last.startswith("hemozoin: the Dask scheduler is gone; finished fields are kept")
    assert "Traceback" not in outcome.err
    kept = {path.name: path.read_bytes() for path in out.glob(".fields/*.json")}
    assert 2 <= len(kept) < FIELDS
    for name, data in kept.items():
        assert data == (local / "whole" / ".fields" / name).read_bytes()
    screen_slides([local / "left"], out, ScreenConfig(coco=True))
    assert content(out) == content(local / "whole")


@pytest.mark.slow
def test_a_scheduler_without_workers(local: Path, tmp_path: Path) -> None:
    with cluster(tmp_path, workers=0) as (address, _):
        line = refused(*command(local, tmp_path / "out", address))
    assert f"{address}: has no workers" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "http://127.0.0.1:9", "127.0.0.1:9"])
def test_no_scheduler(address: str, local: Path, tmp_path: Path) -> None:
    began = time.monotonic()
    line = refused(*command(local, tmp_path / "out", address))
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


class FakeClient:
    """A client whose scheduler and workers return, or raise, what they were given."""

    def __init__(self, scheduler: Any, workers: Any) -> None:
        self._results = scheduler, workers

    def run_on_scheduler(self, function: Any, *_: Any) -> str:
        return cast(str, self._result(self._results[0]))

    def run(self, function: Any, *_: Any) -> dict[str, str]:
        return {"tcp://1": VERSION, "tcp://2": self._result(self._results[1])}

    def _result(self, result: Any) -> Any:
        if isinstance(result, Exception):
            raise result
        return result


@pytest.mark.parametrize("bad", ["0.0.1", ModuleNotFoundError("No module named 'hemozoin'")])
def test_a_cluster_with_another_version(bad: object) -> None:
    _require_same_version(cast(Any, FakeClient(VERSION, VERSION)), "tcp://0")
    for client in (FakeClient(bad, VERSION), FakeClient(VERSION, bad)):
        with pytest.raises(RunError, match=rf"tcp://0: .* need hemozoin {VERSION}.*(0.0.1|none)"):
            _require_same_version(cast(Any, client), "tcp://0")


def test_a_worker_with_another_version() -> None:
    settings = ScreenerSettings(cast(Bundle, None), "fp32", None, version="0.0.1")
    with pytest.raises(RunError, match=r"a worker has hemozoin .*, not 0\.0\.1"):
        settings.load()


class RecordingClient:
    """A client with two threads that records the pictures it sends."""

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


class FailingClient(RecordingClient):
    """A client whose results are an error."""

    def __init__(self, error: Exception, threads: int = 1) -> None:
        super().__init__()
        self._error, self._threads = error, threads

    def nthreads(self) -> dict[str, int]:
        return {"tcp://1": self._threads} if self._threads else {}

    def submit(self, work: object, *arguments: Any, key: str) -> Future[ScreenedField]:
        future: Future[ScreenedField] = Future()
        future.set_exception(self._error)
        return future


class DisconnectedClient(FailingClient):
    """A client that asks for the workers when the scheduler is gone."""

    def nthreads(self) -> dict[str, int]:
        raise OSError("Timed out trying to connect to tcp://127.0.0.1:8786 after 5 s")


class ClosedClient(RecordingClient):
    """A client that gave up connecting to its scheduler again."""

    def submit(self, work: object, *arguments: Any, key: str) -> Future[ScreenedField]:
        raise ClosedClientError("Client is closed.")


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        (FailingClient(CancelledError()), "the Dask scheduler is gone"),
        (ClosedClient(), "the Dask scheduler is gone"),
        (DisconnectedClient(TimeoutError()), "the Dask scheduler is gone"),
        (FailingClient(TimeoutError(), threads=0), "all workers are gone"),
    ],
    ids=["cancelled", "closed", "disconnected", "no workers"],
)
def test_the_message_about_a_cluster_that_fails(
    client: RecordingClient, expected: str, tmp_path: Path
) -> None:
    settings, source = ScreenerSettings(cast(Bundle, None), "fp32", None), cast(Any, AnySource())
    jobs = [(SlideFolder(tmp_path), Photo(source, Entry("1.png", 1, 1)))]
    with pytest.raises(RunError, match=f"{expected}.*run the same command again"):
        list(screen_on_workers(cast(Any, client), settings, jobs))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (KilledWorker("field", cast(Any, None), 3), "it killed one worker after another"),
        (MemoryError(), "MemoryError"),
        (AttributeError("no attribute x"), "AttributeError: no attribute x"),
    ],
    ids=["killed", "memory", "attribute"],
)
def test_a_picture_on_which_workers_fail_is_its_row(
    error: Exception, expected: str, tmp_path: Path
) -> None:
    settings, source = ScreenerSettings(cast(Bundle, None), "fp32", None), cast(Any, AnySource())
    jobs = [(SlideFolder(tmp_path), Photo(source, Entry("1.png", 1, 1)))]
    (result,) = screen_on_workers(cast(Any, FailingClient(error)), settings, jobs)
    assert isinstance(result, ScreenedField)
    assert result.field.error == f"1.png: internal error: {expected}"


class AnySource:
    """A source that has every file."""

    path = Path("any")

    def read(self, name: str) -> bytes:
        return name.encode()


def test_a_limited_number_of_pictures_is_sent_ahead(tmp_path: Path) -> None:
    client, settings = RecordingClient(), ScreenerSettings(cast(Bundle, None), "fp32", None)
    source = cast(Any, AnySource())
    photos = (Photo(source, Entry(f"{k}.png", 1, 1)) for k in range(10**9))
    jobs = ((SlideFolder(tmp_path), photo) for photo in photos)
    results = screen_on_workers(cast(Any, client), settings, jobs)
    for number in range(1, 300):
        found = next(results)
        assert isinstance(found, ScreenedField)
        assert cast(Any, found.field) == f"{number - 1}.png"
        assert len(client.sent) - number <= 2 * 2
    assert len(set(client.sent)) == len(client.sent)
