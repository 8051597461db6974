"""The queue of slides to be screened."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Event
from typing import Any

from sqlalchemy import event

from hemozoin.serve.store.store import SlideStore
from hemozoin.serve.work.jobs import JobQueue


def test_a_job_that_is_cancelled_while_it_is_taken_stays_cancelled(tmp_path: Path) -> None:
    store, is_taking = SlideStore(tmp_path), Event()
    store.add_slide("left", [], "")
    queue = JobQueue(store, "nano", workers=1)

    def wait_before_it_is_written(session: Any, *_: object) -> None:
        if any(getattr(row, "state", "") == "running" for row in session.dirty):
            is_taking.set()
            time.sleep(0.3)

    event.listen(store._session, "before_flush", wait_before_it_is_written)
    queue.start()
    assert is_taking.wait(10)
    queue.cancel("left")
    queue.stop()
    job = store.last_job("left")
    assert job is not None
    assert job.state == "cancelled"
