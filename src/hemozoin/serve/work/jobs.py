"""The queue of slides to be screened: each in a process of its own, a few at a time.

The queue is in the database. A job that is running there, and has no process here, was interrupted:
by the end of the server, a full disk, or no memory for a process. It is run again, and screening
goes on with the fields that are not done. No two processes work on the same slide.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Condition, Lock, Thread
from time import monotonic

from sqlalchemy.exc import SQLAlchemyError

from hemozoin.errors import RunError
from hemozoin.serve.slide_files import SlideFiles
from hemozoin.serve.store.store import SlideStore
from hemozoin.serve.store.tables import JobRow
from hemozoin.serve.work.process import start_python

#: The module of the processes.
_WORKER = "hemozoin.serve.work.worker"

#: Minutes in which a process has to finish a field, or a recount.
_MOST_MINUTES = 30.0

#: Seconds between two looks at a process, and until a job is tried again that could not be run.
_LOOK_EVERY, _AGAIN = 2, 5


class JobQueue:
    """Runs the jobs of a store, at most `workers` at a time, between `start` and `stop`.

    `scheduler` is the address of a Dask cluster that does the work, or None.
    """

    def __init__(
        self, store: SlideStore, model: str, workers: int, scheduler: str | None = None
    ) -> None:
        self._store, self.model, self._scheduler = store, model, scheduler
        self._changed, self._recounting = Condition(), Lock()
        #: The process that works on a slide.
        self._running: dict[str, subprocess.Popen[str]] = {}
        self._is_stopping = False
        self._threads = [Thread(target=self._work, daemon=True) for _ in range(workers)]

    def start(self) -> None:
        """Go on with the jobs of the last server, then with the others."""
        self._store.requeue_interrupted()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop the processes; their jobs go on after the next start."""
        with self._changed:
            self._is_stopping = True
            for process in self._running.values():
                process.kill()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def wake(self) -> None:
        """Look for queued jobs."""
        with self._changed:
            self._changed.notify_all()

    def cancel(self, slide: str) -> None:
        """Stop the work on a slide, if there is any, and wait until its process has ended."""
        with self.stopped(slide):
            pass

    @contextmanager
    def stopped(self, slide: str) -> Iterator[None]:
        """Cancel the work on a slide; until the end of the block no other starts."""
        with self._changed:
            self._store.cancel_jobs(slide)
            if process := self._running.get(slide):
                process.kill()
            self._changed.wait_for(lambda: slide not in self._running)
            yield

    def recount(self, slide: str, results: Path) -> None:
        """Write the report and slide.json of a slide again, with its reviews.

        While it is screened nothing is done: the screening ends with this. Raises RunError where
        it fails.
        """
        with self._recounting:
            with self._changed:
                if slide in self._running or self._is_stopping:
                    return
                process = self._running[slide] = _start_worker({"recount": str(results)})
            try:
                error = _wait_for(process, lambda: 0)
            finally:
                self._ended(slide)
        if error:
            raise RunError(error)

    def _work(self) -> None:
        while not self._is_stopping:
            try:
                self._work_on_next()
            except (OSError, SQLAlchemyError):  # a full disk, or no memory for a process
                with self._changed:
                    self._changed.wait(_AGAIN)

    def _work_on_next(self) -> None:
        with self._changed:
            if self._is_stopping:
                return
            job = self._store.next_job(self._running)
            if job is None:
                self._changed.wait()
                return
            process = self._running[job.slide] = self._start(job)
        files = SlideFiles(self._store.root / job.slide, self._store.pictures(job.slide))
        try:
            error = _wait_for(process, files.fields_done)
            if not self._is_stopping:  # or the job goes on after the next start
                self._store.end_job(job.id, "failed" if error else "done", error)
        finally:
            self._ended(job.slide)

    def _start(self, job: JobRow) -> subprocess.Popen[str]:
        """Start the process of a job."""
        return _start_worker(
            {
                "model": self.model,
                "pictures": str(self._store.pictures(job.slide)),
                "out": str(self._store.root / job.slide),
                "scheduler": self._scheduler,
            }
        )

    def _ended(self, slide: str) -> None:
        with self._changed:
            del self._running[slide]
            self._changed.notify_all()


def _start_worker(order: dict[str, str | None]) -> subprocess.Popen[str]:
    """Start a process that carries out an order; it ends when its standard input is closed."""
    process = start_python(_WORKER)
    assert process.stdin is not None
    with suppress(BrokenPipeError):  # it died, which its exit code says
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
    return process


def _wait_for(process: subprocess.Popen[str], done: Callable[[], int]) -> str | None:
    """Wait until a process ends, and return why it failed; None if it did not.

    It is killed if what `done` returns, how much it has done, stays the same for too long.
    """
    before, changed = -1, monotonic()
    with process:
        while process.poll() is None:
            if (now := done()) != before:
                before, changed = now, monotonic()
            if monotonic() - changed > 60 * _MOST_MINUTES:
                process.kill()
                return f"nothing was finished within {_MOST_MINUTES:g} minutes; screen again"
            with suppress(subprocess.TimeoutExpired):
                process.wait(_LOOK_EVERY)
        assert process.stdout is not None
        return _error(process.stdout.read(), process.returncode) if process.returncode else None


def _error(said: str, code: int) -> str:
    with suppress(ValueError, KeyError, TypeError):
        return str(json.loads(said)["error"])
    return f"the process that works on the slide died (exit code {code}); try again"
