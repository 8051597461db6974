"""The queue of slides to be screened: what is cancelled, hangs, or comes twice."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from hemozoin.serve.store.store import SlideStore
from hemozoin.serve.work import jobs
from hemozoin.serve.work.jobs import JobQueue
from tests.support.clusters import cluster
from tests.support.commands import succeed
from tests.support.servers import serving, wait_for
from tests.support.smears import make_fields

HANGS, ENDS = "tests.support.hangs", "tests.support.ends"


@pytest.fixture
def store(tmp_path: Path) -> SlideStore:
    """Return a store with a queued slide, "left"."""
    made = SlideStore(tmp_path)
    made.add_slide("left", [], "")
    return made


@pytest.fixture
def queue(store: SlideStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[JobQueue]:
    """Yield a queue of two workers, which is not started, with short times."""
    monkeypatch.setattr(jobs, "_LOOK_EVERY", 0.05)
    monkeypatch.setattr(jobs, "_AGAIN", 0.05)
    made = JobQueue(store, "nano", workers=2)
    yield made
    made.stop()


def state(store: SlideStore) -> str:
    job = store.last_job("left")
    assert job
    return job.state


def test_a_job_that_is_cancelled_while_it_is_taken_stays_cancelled(
    store: SlideStore, queue: JobQueue
) -> None:
    is_taking = Event()

    def wait_before_it_is_written(session: Any, *_: object) -> None:
        if any(getattr(row, "state", "") == "running" for row in session.dirty):
            is_taking.set()
            time.sleep(0.3)

    event.listen(store._session, "before_flush", wait_before_it_is_written)
    queue.start()
    assert is_taking.wait(10)
    queue.cancel("left")
    assert state(store) == "cancelled"


def test_two_jobs_of_a_slide_run_one_after_the_other(
    store: SlideStore, queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_WORKER", HANGS)
    first = store.last_job("left")
    assert first
    store.queue("left")  # two tabs, at the same time
    queue.start()
    wait_for(lambda: queue._running or None)
    time.sleep(0.2)
    assert state(store) == "queued"
    queue.cancel("left")
    assert state(store) == "cancelled"
    assert store.next_job() is None


def test_a_slide_that_hangs_fails(
    store: SlideStore, queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_WORKER", HANGS)
    monkeypatch.setattr(jobs, "_MOST_MINUTES", 0.002)
    queue.start()
    wait_for(lambda: state(store) == "failed" or None)
    job = store.last_job("left")
    assert job
    assert job.error == "nothing was finished within 0.002 minutes; screen again"
    assert not queue._running


def test_a_job_whose_end_cannot_be_written_is_run_again(
    store: SlideStore, queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_WORKER", ENDS)
    written, failures = store.end_job, ["full", "full"]

    def end_job(*arguments: Any) -> None:
        if failures:
            raise OperationalError("UPDATE job", {}, Exception(failures.pop()))
        written(*arguments)

    monkeypatch.setattr(store, "end_job", end_job)
    queue.start()
    wait_for(lambda: state(store) == "done" or None)
    assert failures == []


def test_nothing_starts_while_a_slide_is_deleted(
    store: SlideStore, queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_WORKER", HANGS)
    queue.start()
    wait_for(lambda: queue._running or None)
    with queue.stopped("left"):
        store.queue("left")  # another tab: screen again
        time.sleep(0.2)
        assert not queue._running
        store.remove_slide("left", "Bob")
    time.sleep(0.2)
    assert not queue._running


@pytest.mark.slow
def test_slides_are_screened_on_a_cluster_also_after_kill_and_cancel(tmp_path: Path) -> None:
    slide = make_fields(tmp_path / "many", *(f"{number}.png" for number in range(8)), seed=3)
    with cluster(tmp_path, workers=1) as (address, _):
        with serving(tmp_path / "served", "--scheduler", address) as first:
            name = first.upload(*sorted(slide.iterdir())).json()["id"]
            wait_for(lambda: first.api.get(f"/slides/{name}").json()["fields_done"] or None)
            first.kill()
        with serving(tmp_path / "served", "--scheduler", address) as second:
            second.api.delete(f"/slides/{name}/screening")
            assert second.api.get(f"/slides/{name}").json()["state"] in ("cancelled", "done")
            second.api.post(f"/slides/{name}/screening")
            found = second.wait_until_screened(name)
    succeed("screen", slide, "--out", tmp_path / "out")
    by_hand = json.loads((tmp_path / "out" / "slide.json").read_text())
    assert {**found["count"], "slide": "many"} == by_hand


@pytest.mark.slow
def test_a_cluster_that_does_not_answer_is_named(tmp_path: Path) -> None:
    slide = make_fields(tmp_path / "given", "1.png")
    with serving(tmp_path / "served", "--scheduler", "tcp://127.0.0.1:1") as server:
        name = server.upload(*slide.iterdir()).json()["id"]
        wait_for(lambda: server.api.get(f"/slides/{name}").json()["state"] == "failed" or None)
        error = server.api.get(f"/slides/{name}").json()["error"]
    assert "tcp://127.0.0.1:1: no Dask scheduler answers there" in error
